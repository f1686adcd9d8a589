"""One prediction request, from its bytes to its response; pure, except for the counters.

`predictor` runs the steps: `client_identity` and the rate limit, an `interface` decodes the body, `router` picks the
version, `rows` computes the numbers.
"""
