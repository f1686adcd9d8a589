"""One prediction request, from its bytes to its answer; pure but for the counters.

`predictor` answers it: `client_identity` and the rate limit first, then `body` reads it, `router` picks the version,
and `rows` computes.
"""
