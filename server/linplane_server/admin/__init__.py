"""Admin calls: switch, freeze, unfreeze.

`access` decides who may call, `endpoint` reads the request, `calls` decides and waits for the effect on a `backend`
(`manifest_backend`, or `cluster.admin_backend`). `object_view` decodes the part of an object that they look at, `names`
checks the names that callers give.
"""
