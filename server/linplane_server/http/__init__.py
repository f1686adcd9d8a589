"""HTTP: two listeners and their applications.

`lifecycle` runs two `listener`s, whose connections are read by the bounded `protocol`. One serves `public_app`
(predictions, and `docs` with `openapi`), the other `admin_app` (probes, `status`, `metrics`, admin calls).
"""
