"""The contract: what users write, and what the programs hand each other.

`resources` types the four kinds, `artifact` a trained model, `document` the routing documents, `report` what a replica
says it has loaded, `split` who gets which version. The programs also share `timing`, `locks`, `logs` and `kubeapi`.
Nothing here imports one of the programs, a web framework or a cluster client.
"""
