"""The contract: what users write, and what the programs exchange; in the order in which data passes it.

`manifests` reads and validates the files of users, `resources` types the four kinds (`kinds`), with `conditions` and
`condition_table` for their status. A `task` goes to the trainer, which returns an `artifact` with its `facts` and a
line of the `training_log`. `routing` documents (`formats`) go to servers in a ConfigMap or a `routing_folder`; `split`
chooses a version for a request; a `report` says which documents a replica has loaded. Bytes and hashes are those of
`canonical` and `digests`. The programs also share `names`, `api_access`, `addresses`, `display`, `files`, `locks`,
`logs` and `timing`. Nothing here imports one of the programs, a web framework or a cluster client.
"""
