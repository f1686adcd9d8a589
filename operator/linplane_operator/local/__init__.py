"""The embedded default: the same reconcile over a folder of manifests.

`manifests` is `kubectl apply`, `store` the API server, `jobs` and `servers` are the kubelet, `loop` puts them together.
"""
