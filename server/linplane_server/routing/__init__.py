"""Turns routing maps into the snapshot in force, and reports what is loaded.

A `source` (`folder_source`, or `cluster.source`) delivers routing maps and `updater` applies them: `compile` decides
which documents to parse and which to keep, and `file_report` (or `cluster.report`) acknowledges the result.
`missing_features` adds the features that requests lacked to the report.
"""
