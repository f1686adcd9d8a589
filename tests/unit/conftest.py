"""Settings of every property test."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # how long an example takes says how loaded the machine is
settings.load_profile("untimed")
