"""Reports of replicas."""

import json

import msgspec

from linplane_api import names
from linplane_api.manifests.validation import load_schemas
from linplane_api.report import Rejected, Report


def test_report_survives_and_is_what_the_crd_takes() -> None:
    report = Report("default", "u", "2026-01-01T00:00:00Z", "c", 7, 2, 1, (Rejected("iris", "damaged"),))
    body = json.loads(msgspec.json.encode(report))
    assert msgspec.convert(body, Report) == report
    head = {"apiVersion": names.API_VERSION, "kind": "ReplicaReport", "metadata": {"name": "p"}}
    assert load_schemas().validate({**head, "report": body}) == []
