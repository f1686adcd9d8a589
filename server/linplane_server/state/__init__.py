"""The state that requests read and update, all of it in memory.

`snapshot` is the compiled routing, in which each route has an `example`, and `snapshot_store` holds the one in force;
`readiness` decides whether this process gets requests; `limiter` applies rate limits; `counters` counts requests and
`switch_log` records switches. `serving` bundles them.
"""
