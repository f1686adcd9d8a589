"""The trainer, in the order in which data passes it.

`__main__` is the training Job: it parses the Task and calls `train`, which runs one training. `data` opens the rows and
converts them to batches (`batch`), of which `holdout` draws the rows to hold out, `fit` folds these in and solves,
`artifact_builder` makes the artifact, `training_facts` reports what was left out and what looks wrong. `result` writes
files, `configmap_result` a ConfigMap; `model_store` keeps versions in a folder for the command line. `progress` shows a
bar, `errors` has every error.
"""
