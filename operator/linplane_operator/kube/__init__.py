"""The reconcilers against a Kubernetes API server, as one operator process.

Start: `process` sets up logging and signals, `options` are its settings, `credentials` reads the kubeconfig, `operator`
connects everything below, `startup` checks `permissions`, waits for the CRDs and fills the cache.

In: `kopf` watches the `watched_kinds`, `resync` lists them once a minute, `http` makes the calls, `informer` merges
events, lists and own writes into the cache, `watch_lag` compares watches with lists.

Out: `cluster` (KubeClient) writes through `live_objects`; `drift` compares a child with its desired state,
`write_conflicts` slows down operators that overwrite each other, `event_recorder` writes Events.

About the process itself: `liveness`, `metrics`, and `http_endpoints`, which serves both.
"""
