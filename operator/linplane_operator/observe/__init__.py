"""The observed state: a cache, queries on it, and live reads of objects that it lacks.

`cache` holds every watched object and its indexes. `versions` and `replicas` find in it what belongs to a LinearModel
or a ModelServer. `routings` reads the routing ConfigMaps, and `last_good` remembers the last entry of each route.
`live_reads` reads objects from the API server that the cache may lack; `pod_failures` reads why Jobs get no pod.
`queries` gathers the inputs of a plan, and decides nothing.
"""
