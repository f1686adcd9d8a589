"""A server with a real API server: follows its ConfigMap, reports, and keeps serving if either is gone."""

import json
import threading
import time

from integration.server_cluster.conftest import ROUTING, Site
from linplane_api.kinds import CONFIG_MAP, POD, REPLICA_REPORT
from support import eventually
from unit.server.builders import document, routing

IDLE_MB = 60


def test_server_is_ready_after_one_read_and_its_report_is_the_pods(site: Site) -> None:
    site.route(routing(sequence=7))
    pod = site.make_pod()
    server = site.start(pod)
    assert server.predict()[0] == 404, "no route, and ready for the first"
    report = site.wait_for_report(pod, 7)
    uid = site.admin.get(POD, pod, site.namespace)["metadata"]["uid"]
    assert (report["podUID"], report["configMapUID"], report["routes"]) == (uid, site.routing_uid(), 0)
    site.route(routing(document(), sequence=8))
    begin = time.monotonic()
    site.wait_for_report(pod, 8)
    print(f"reported {time.monotonic() - begin:.2f} s after the ConfigMap was written")
    assert server.version() == "v1"
    assert server.memory() * 1024 < IDLE_MB * 1e6
    site.admin.delete(POD, pod, site.namespace, gracePeriodSeconds="0")
    eventually(lambda: site.admin.find(REPLICA_REPORT, pod, site.namespace) is None, 30)


def test_server_is_unready_before_there_is_a_configuration(site: Site) -> None:
    pod = site.make_pod()
    server = site.start(pod, ready=False)
    eventually(lambda: server.admin_call("GET", "/livez")[0] == 200, 20)
    eventually(lambda: any("no routing ConfigMap" in line["message"] for line in server.logged()))
    assert server.admin_call("GET", "/readyz")[0] == 503
    site.route(routing(document()))
    eventually(lambda: server.admin_call("GET", "/readyz")[0] == 200)


def test_config_map_that_is_deleted_changes_nothing_and_the_next_one_is_applied(site: Site) -> None:
    site.route(routing(document(), sequence=5))
    pod = site.make_pod()
    server = site.start(pod)
    site.wait_for_report(pod, 5)
    site.admin.delete(CONFIG_MAP, ROUTING, site.namespace)
    eventually(lambda: any("deleted" in line["message"] for line in server.logged()))
    assert server.version() == "v1"
    site.route(routing(document(current="v2"), sequence=1))
    assert site.wait_for_report(pod, 1)["configMapUID"] == site.routing_uid()
    assert server.version() == "v2"


def test_server_keeps_serving_without_the_api_server_and_follows_when_it_is_back(site: Site) -> None:
    site.route(routing(document(), sequence=1))
    pod = site.make_pod()
    server = site.start(pod)
    site.wait_for_report(pod, 1)
    failed, ended = [], threading.Event()

    def load() -> None:
        while not ended.is_set():
            status, _, _ = server.predict()
            if status != 200:
                failed.append(status)

    thread = threading.Thread(target=load)
    thread.start()
    site.api.go_away()
    site.route(routing(document(current="v2"), sequence=2))
    time.sleep(0.5)
    assert server.admin_call("GET", "/readyz")[0] == 200
    assert server.admin_call("POST", "/switch_model?version=v2", Authorization="Bearer abc")[0] == 503
    assert server.version() == "v1"
    site.api.come_back()
    site.wait_for_report(pod, 2)
    assert server.version() == "v2"
    ended.set()
    thread.join()
    assert not failed


def test_restart_without_the_api_server_serves_from_the_copy(site: Site) -> None:
    site.route(routing(document(), document("other"), sequence=3))
    pod = site.make_pod()
    first = site.start(pod)
    before = site.wait_for_report(pod, 3)
    first.stop()
    time.sleep(1.1)  # a start in another second
    site.api.go_away()
    site.route(routing(document(current="v2"), sequence=4))
    second = site.start(pod)
    assert (second.version(), second.version("other")) == ("v1", "v1")
    assert json.loads(second.admin_call("GET", "/status")[2])["source"] == "copy"
    assert site.reported(pod) == before
    site.api.come_back()
    after = site.wait_for_report(pod, 4)
    assert str(after["startedAt"]) > str(before["startedAt"])
    assert second.version() == "v2"
    assert second.predict(path="/routes/other/predict")[0] == 404
    assert json.loads(second.admin_call("GET", "/status")[2])["source"] == "api"


def test_damaged_document_never_removes_a_route_even_with_a_restart(site: Site) -> None:
    site.route(routing(document(), sequence=1))
    pod = site.make_pod()
    first = site.start(pod)
    site.wait_for_report(pod, 1)
    site.route(routing(document("other"), sequence=2, homes="{"))
    report = site.wait_for_report(pod, 2)
    assert [r["route"] for r in report["rejected"]] == ["homes"]  # type: ignore[attr-defined]
    assert first.version() == "v1"
    first.stop()
    second = site.start(pod)
    assert (second.version(), second.version("other")) == ("v1", "v1")
    assert site.wait_for_report(pod, 2)["rejectedCount"] == 1


def test_token_that_is_rotated_late_is_waited_for(site: Site) -> None:
    site.route(routing(document(), sequence=1))
    pod = site.make_pod()
    server = site.start(pod)
    site.wait_for_report(pod, 1)
    token = server.folder / "token"
    good = token.read_text()
    token.write_text("expired")
    site.api.go_away()
    site.route(routing(document(current="v2"), sequence=2))
    site.api.come_back()
    eventually(lambda: any(line.get("status") == 401 for line in server.logged()))
    assert server.version() == "v1"
    token.write_text(good)
    site.wait_for_report(pod, 2)
    assert server.version() == "v2"
    assert good not in server.log.read_text()


def test_replicas_agree(site: Site) -> None:
    site.route(routing(document(), sequence=1))
    pods = [site.make_pod() for _ in range(3)]
    servers = [site.start(pod) for pod in pods]
    for sequence in range(2, 12):
        site.route(routing(document(current="v2" if sequence % 2 else "v1"), sequence=sequence))
    for pod in pods:
        site.wait_for_report(pod, 11)
    assert [server.version() for server in servers] == ["v2"] * 3
