"""What a request may touch, all of it in memory.

`snapshot` is the compiled routing, swapped by one assignment; `counters` and `switch_log` record, `limiter` limits,
`readiness` decides whether this process gets requests; `serving` holds them together.
"""
