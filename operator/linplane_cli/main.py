"""The command group. Importing it must stay cheap, so that `linplane --help` is fast."""

import click

from .admin import freeze, status, switch, unfreeze
from .assign import assign
from .extras import Group
from .get import get
from .local import local
from .operate import operator
from .predict import predict
from .train import train
from .validate import validate

EPILOG = """\b
Exit codes:
  0  done
  1  refused or failed; the reason is on standard error
  2  could not start: invalid arguments, a port in use, a missing folder
\b
Every option has an environment variable: LINPLANE_LOCAL_PORT, LINPLANE_STATUS_URL and so on.
\b
Completion:
  eval "$(_LINPLANE_COMPLETE=bash_source linplane)"    or zsh_source, fish_source
"""


@click.group(
    cls=Group,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LINPLANE"},
)
@click.version_option(package_name="linplane", prog_name="linplane")
def main() -> None:
    """Linear models, served: train, switch, split, freeze and measure them, with or without a cluster."""


for command in (local, operator, train, validate, assign, predict, get, status, switch, freeze, unfreeze):
    main.add_command(command)
