"""The operator: observes objects, compiles the desired state, applies the differences, writes each status once.

`kube` and `local` receive changes, from an API server or from a folder of manifests. `runtime` enqueues the keys to
reconcile, `reconcile` runs one key, `observe` gives it a consistent view, `compile` decides, purely, and
`cluster_client` is the interface through which the result is written, implemented again by `kube` and `local`.
"""
