"""The trainer: data → fit (pure) → artifact → registry.

Data: `source` and `fetch` open what a task names, `uri_rules` (pure) says what may be opened, `table` turns CSV into
batches of numbers, `locate` names the line of what is wrong, `synthetic` (pure) makes rows up. `fit/` (pure) learns.
`train` runs these and `build` (pure) makes the artifact; `registry` keeps artifacts in a folder, `result` hands one
back from a Job, `__main__` is that Job.
"""
