"""Local mode: the same reconcilers over a folder of manifests.

`app` connects everything and runs it through `attempts`, after `preflight` has checked folders and ports.
`manifest_files` finds changed files, `manifests` applies them like kubectl, `kept_objects` protects the objects of
incomplete files, `admission` validates and defaults their objects, `store` keeps them like an API server in the
`state_dir`, `client` (LocalClient) is what the reconcilers write to. `job_runner` runs training Jobs and
`server_process` the server, both as a `child_process`. `retained_artifacts` gives a deleted version back,
`console_events` prints what changed, `training_log` appends to `metadata.jsonl`.
"""
