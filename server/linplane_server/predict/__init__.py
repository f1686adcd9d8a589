"""One prediction request, from its bytes to its response; pure, except for the counters.

`predictor` runs the steps: `client_identity` and the rate limit, `body` decodes and validates, `router` picks the
version, `rows` computes the numbers.
"""
