"""The wire and the applications on it.

`lifecycle` runs two `listener`s with the bounded `protocol`: `public_app` (predictions, and `docs` with `openapi`) and
`admin_app` (probes, `status`, `metrics`, admin calls).
"""
