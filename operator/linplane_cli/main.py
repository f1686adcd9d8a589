"""The command group. Importing it must stay cheap, so that `linplane --help` is fast. Commands follow `grammar`."""

import click

from .admin import freeze, status, switch, unfreeze
from .assign import assign
from .describe import describe
from .extras import Group
from .get import get
from .local import local
from .operate import operator
from .predict import predict
from .train import train
from .validate import validate

HELP = """Linear models, served: train, switch, split, freeze and measure them, with or without a cluster.

\b
linplane VERB [KIND] NAME...
KIND   version, route or server
where  --dir DIR, --url URL, --artifact FILE, or --context, --namespace and
       --kubeconfig: those that a command has mean the same in every one
"""

EPILOG = """\b
Exit codes:
  0  done
  1  refused or failed; the reason is on standard error
  2  could not start: invalid arguments, a port in use, a missing folder
\b
Every option has an environment variable: LINPLANE_LOCAL_PORT, LINPLANE_STATUS_URL, LINPLANE_GET_DIR and so on.
\b
Completion:
  eval "$(_LINPLANE_COMPLETE=bash_source linplane)"    or zsh_source, fish_source
"""


@click.group(
    cls=Group,
    help=HELP,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LINPLANE"},
)
@click.version_option(package_name="linplane", prog_name="linplane")
def main() -> None:
    """The command group; see HELP."""


for command in (local, operator, train, validate, assign, predict, get, describe, status, switch, freeze, unfreeze):
    main.add_command(command)
