"""Results of a training that depend on its data, as users of an API server see them."""

import base64
import json
from typing import Any

import pytest

from integration.cluster.objects import version
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL
from support import eventually
from unit.trainer.s3_server import s3_server

Object = dict[str, Any]
ROWS = "area,heating,y\n" + "".join(f"{i if i % 4 else ''},gas,{i * i % 11}\n" for i in range(60))


def table(name: str, **content: object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **content}


def trained_on(name: str) -> Object:
    data = {"configMapKeyRef": {"name": name, "key": "rows.csv"}}
    return version("v1", name, training={"data": data, "target": "y"})


@pytest.fixture(scope="module", autouse=True)
def trainings(site: Site) -> None:
    site.apply(table("flats", data={"rows.csv": ROWS}), trained_on("flats"))
    latin = base64.b64encode("größe,y\n1,2\n".encode("latin-1")).decode()
    site.apply(table("latin", binaryData={"rows.csv": latin}), trained_on("latin"))


def test_binary_key_of_a_config_map_is_reported_as_binary(site: Site) -> None:
    message = site.comes_to(LINEAR_MODEL, "latin-v1", "Trained", "False", "DataNotFound")
    assert message == "ConfigMap latin: key rows.csv is binary (not UTF-8 text)"


def test_warnings_are_in_the_status_a_wide_table_and_events(site: Site) -> None:
    site.comes_to(LINEAR_MODEL, "flats-v1", "Ready", "True")
    status = site.get(LINEAR_MODEL, "flats-v1")["status"]
    assert status["leftOut"] == [{"column": "heating", "reason": "NotNumeric", "line": 2}]
    assert status["leftOutCount"] == 1
    assert {one["reason"]: one["message"] for one in status["warnings"]} == {
        "RowsDropped": "15 of 60 rows (25 %) have a gap in a column in use and were dropped",
        "ColumnsLeftOut": "1 column was left out: heating (text, line 2)",
    }
    assert "RowsDropped, ColumnsLeftOut" in site.kubectl("get", "lmod", "flats-v1", "-o", "wide")
    assert "RowsDropped" not in site.kubectl("get", "lmod", "flats-v1")

    def is_reported() -> bool:
        found = json.loads(site.kubectl("get", "events", "--field-selector=type=Warning", "-o", "json"))["items"]
        mine = [event for event in found if event["involvedObject"]["name"] == "flats-v1"]
        return {(one["reason"], one["message"]) for one in status["warnings"]} == {
            (event["reason"], event["message"]) for event in mine
        }

    eventually(is_reported, 10)


def test_lost_status_is_restored_from_the_result_of_the_training(site: Site) -> None:
    """And nothing is trained again for it."""
    before = site.get(LINEAR_MODEL, "flats-v1")["status"]
    job = site.get(JOB, before["job"])["metadata"]["uid"]
    site.kubectl("patch", "lmod", "flats-v1", "--subresource=status", "--type=merge", "-p", '{"status": null}')

    def is_back() -> bool:
        status = site.get(LINEAR_MODEL, "flats-v1").get("status") or {}
        return {**status, "conditions": []} == {**before, "conditions": []}

    eventually(is_back, 20)
    assert site.get(JOB, before["job"])["metadata"]["uid"] == job
    assert site.get(CONFIG_MAP, before["artifact"])["immutable"] is True


def test_secret_of_a_bucket_is_missing_then_wrong_then_right(site: Site) -> None:
    """Each is said in `Trained`; deleting the failed Job tries again. No key is in an object, an event or a log."""
    canary = "c4n4ryc4n4ryc4n4ryc4n4ry"

    def says(text: str) -> None:
        def check() -> bool:
            seen = site.condition(LINEAR_MODEL, "bucket-v1", "Trained")
            assert seen[0] == "False"
            assert text in seen[2], seen
            return True

        eventually(check, 60, site.pause)

    def try_again(keys: dict[str, str]) -> None:
        site.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rows-reader"}, "stringData": keys})
        site.kubectl("delete", "job", site.get(LINEAR_MODEL, "bucket-v1")["status"]["job"])

    with s3_server() as server:
        server.put({"rows.csv": "".join(f"{i},{i * i % 11}\n" for i in range(-1, 60)).replace("-1,1", "x,y").encode()})
        reader = server.make_user("reader", "s3:GetObject")
        site.operator.stop()
        site.start_operator("--allowed-host", "127.0.0.1")
        s3 = {"bucket": "rows", "path": "rows.csv", "endpoint": server.url, "secretName": "rows-reader"}
        training = {"data": {"s3": s3}, "target": "y", "job": {"backoffLimit": 0}}
        with server.checking_rights():
            site.apply(version("v1", "bucket", training=training))
            says("there is no Secret 'rows-reader', or it is empty")
            try_again({**reader, "secretAccessKey": canary})
            says("Secret 'rows-reader': the secret access key is not that of the access key")
            try_again(reader)
            site.comes_to(LINEAR_MODEL, "bucket-v1", "Ready", "True")
    seen = site.kubectl("get", "lmod,jobs,pods,configmaps,events", "-o", "json")
    assert "rows-reader" in seen
    logs = [path.read_text() for path in site.folder.rglob("*log*") if path.is_file()]
    assert any("the secret access key is not that" in text for text in logs)
    for value in (canary, *reader.values()):
        assert value not in seen
        assert not [text for text in logs if value in text]
