"""The observed state: a cache, queries on it, and live reads of objects that it lacks.

`cache` holds every watched object and its indexes. `queries` gathers the inputs of a plan from it, and decides nothing.
`live_reads` reads objects from the API server that the cache may lack. `last_good` remembers the last entry of each
route, and `pod_failures` reads why Jobs get no pod.
"""
