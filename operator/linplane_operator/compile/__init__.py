"""Everything that decides: pure functions from what exists to what should be. No clock, network, environment or
cluster client.
"""
