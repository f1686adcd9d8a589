"""Manifests that people write: read, validated as by an API server, and edited without changing any other byte.

`yaml_text` reads YAML with line numbers, `manifest` finds and edits objects in it, `schema` and `validation` validate
them by the CRDs. No program that runs in a pod needs this package.
"""
