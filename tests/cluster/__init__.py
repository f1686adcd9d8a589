"""A real control plane for tests and for trying things by hand: etcd, kube-apiserver, kube-controller-manager.

`binaries` finds or builds the programs, `keeper` runs them so that they end with the process that started them,
`controlplane` puts certificates, users and flags together, `client` speaks to the API server, `install` applies what is
in crds/. `make cluster` starts one, with the operator, and waits; `python -m cluster` only obtains the programs.
"""
