"""What `linplane train` logs in with: variables of the environment, never an argument, which other users could see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


def environment_credentials(task: Any, environment: Mapping[str, str]) -> dict[str, str]:
    """The values that a Secret would have for the Task's data. Raises OSError if a file that is named is not there, and
    click.UsageError if it is no text.
    """
    from linplane_api.task import PostgresData
    from linplane_trainer.data.postgres_options import ENVIRONMENT

    if not isinstance(task.data, PostgresData):
        return {}
    given = {key: environment[name] for key, name in ENVIRONMENT.items() if environment.get(name)}
    certificates = given.pop("sslRootCert", "system")
    if certificates != "system":
        try:
            given["sslRootCert"] = Path(certificates).expanduser().read_text()
        except UnicodeDecodeError:
            raise click.UsageError("PGSSLROOTCERT: a certificate in PEM form is needed") from None
    return given
