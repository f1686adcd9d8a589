"""What exists, as the reconcilers see it: a cache, and reads of what it lacks.

`cache` holds every watched object and its indexes. `queries` answers what a plan needs from it, and decides nothing.
`live_reads` reads from the API server what the cache may lack. `last_good` remembers what each route served last, and
`pod_failures` why Jobs get no pod.
"""
