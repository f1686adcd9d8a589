"""Routing documents in, a snapshot out, a report back.

A `source` (`folder_source`, or `cluster.source`) delivers routing maps, `updater` applies them: `compile` decides
what to keep and what to parse, and `file_report` acknowledges the result. `missing_features` adds to the report what
requests did not bring.
"""
