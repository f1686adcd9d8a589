"""Settings of every property test, and the database that tests share."""

from hypothesis import settings

from postgresql import postgresql_server  # noqa: F401 (a fixture)

settings.register_profile("untimed", deadline=None)  # how long an example takes says how loaded the machine is
settings.load_profile("untimed")
