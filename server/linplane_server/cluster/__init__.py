"""The parts that talk to the API server; local mode imports none of them.

`environment` connects them. `source` watches the routing ConfigMap, `local_copy` saves it, `report` acknowledges it,
and `admin_backend` makes admin calls as their caller. All use `connection`, an HTTP client, and `log_once`.
"""
