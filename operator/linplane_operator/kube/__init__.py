"""The same reconcile against a Kubernetes API server.

`handlers` turn watch events into keys, `cluster` does all writing, `client` speaks HTTP, `main` starts it and says
what is missing.
"""
