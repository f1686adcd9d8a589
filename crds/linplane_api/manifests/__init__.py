"""Manifests that people write: read, judged as an API server judges them, and edited without touching other bytes.

`yaml_text` reads YAML with places, `manifest` finds and edits objects in it, `schema` and `validation` judge them by
the CRDs. No program that runs in a pod needs this package.
"""
