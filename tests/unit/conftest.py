"""Settings of every property test, and the database that tests share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

import postgresql as database

settings.register_profile("untimed", deadline=None)  # how long an example takes says how loaded the machine is
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[database.Server]:
    """A server, for all tests of a process. Without its programs the test is skipped, and fails if CI=true."""
    database.require()
    with database.running(tmp_path_factory.mktemp("postgresql")) as server:
        yield server
