"""A new document answers within 100 ms; a damaged one affects no other route."""

import json
import statistics
import time

from integration.server.running import Running
from linplane_api.routing_folder import write_routing
from support import eventually
from unit.server.builders import document, routing


def test_switch_is_served_within_100_ms_and_acknowledged(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start()
    times = []
    for number in range(12):
        current = ("v2", "v1")[number % 2]
        write_routing(server.config, routing(document(current=current), sequence=number + 2))
        begin = time.monotonic()
        eventually(lambda current=current: server.version() == current, interval=0.002)
        times.append(time.monotonic() - begin)
        eventually(lambda n=number: json.loads(server.report.read_text())["sequence"] == n + 2, interval=0.002)
    assert statistics.median(times) < 0.1


def test_responses_mix_no_two_states(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start()
    expected = {"v1": 35.0, "v2": 67.0}
    revisions: dict[str, set[str]] = {"v1": set(), "v2": set()}
    for number in range(10):
        current = ("v2", "v1")[number % 2]
        write_routing(server.config, routing(document(current=current), sequence=number + 2))
        answer = {"version": ""}
        while answer["version"] != current:
            _, headers, body = server.predict()
            answer = json.loads(body)
            assert answer["prediction"] == expected[answer["version"]]
            assert headers["x-linplane-version"] == answer["version"]
            revisions[answer["version"]].add(headers["x-linplane-revision"])
    assert [len(found) for found in revisions.values()] == [1, 1]


def test_damaged_entry_keeps_its_route_and_does_not_affect_the_others(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start(documents=(document("homes"), document("pens")))
    write_routing(server.config, routing(document("pens", current="v2"), sequence=2, homes="{damaged"))
    eventually(lambda: server.version("pens") == "v2")
    assert server.version("homes") == "v1"
    report = eventually(lambda: json.loads(server.report.read_text()) | {"_": 1})
    eventually(lambda: json.loads(server.report.read_text())["sequence"] == 2)
    report = json.loads(server.report.read_text())
    assert (report["routes"], report["rejectedCount"], report["rejected"][0]["route"]) == (2, 1, "homes")
    status = json.loads(server.admin_call("GET", "/status")[2])
    assert list(status["rejected"]) == ["homes"]
    assert [(s["route"], s["from"], s["to"]) for s in status["switches"]] == [("pens", "v1", "v2")]
    write_routing(server.config, routing(document("pens", current="v2"), sequence=3))
    eventually(lambda: server.version("homes") is None)
    assert server.predict()[0] == 404


def test_folder_that_is_damaged_at_the_start_serves_its_good_documents(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start(documents=(), ready=False)
    write_routing(server.config, routing(document("homes"), pens="x"))
    eventually(lambda: server.admin_call("GET", "/readyz")[0] == 200, 20)
    assert server.version("homes") == "v1"


def test_folder_that_vanishes_changes_nothing(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start()
    server.config.rename(server.folder / "away")
    time.sleep(0.15)
    assert server.version() == "v1"
    assert server.admin_call("GET", "/readyz")[0] == 200
