"""The operator: reads what exists, compiles the whole desired state, applies what differs, writes each status once.

`compile/` decides and is pure; `reconcile/` knows the order; `cluster` is the interface to all I/O, which a
Kubernetes API or, in `local/`, a folder of manifests stands behind.
"""
