"""Admin calls: switch, freeze, unfreeze.

`endpoint` handles the request: `access` decides who may call, `names` checks its parameters, and `calls` changes an
object through a `backend` (`manifest_backend`, or `cluster.admin_backend`) and waits for the effect. `object_view`
decodes the part of an object that calls read.
"""
