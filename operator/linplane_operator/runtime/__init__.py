"""From a changed object to a written status, around the reconcilers.

`enqueue` maps a change to the keys to reconcile, `workqueue` holds the keys, `status_writer` writes the status that a
reconcile computed.
"""
