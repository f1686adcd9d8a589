"""A server in a cluster: everything that speaks with the API server. Nothing of it is imported in local mode."""
