"""The last good version is served, whatever is deleted around it: each answer is checked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from integration.cluster.objects import config_map, route, version
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from support import eventually

ROUTING = "linplane-routing-default"
SYNTHETIC = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.1"}}, "seed": 3}
HAND = config_map("hand", **{"model.json": json.dumps({"coefficients": {"x": 2}, "intercept": 1})})
SERVER = {"apiVersion": "linplane.dev/v1alpha1", "kind": "ModelServer", "spec": {"replicas": 1}}


@contextmanager
def every_answer(site: Site) -> Iterator[list[object]]:
    """Calls each ready server repeatedly: the versions of the answers, or the statuses of errors."""
    seen: list[object] = []
    ended = threading.Event()

    def send_requests() -> None:
        while not ended.wait(0.02):
            for name, features in (("hand", {"x": 3.0}), ("iris", {"x1": 1.0, "x2": 2.0})):
                seen.extend(site.versions(name, features))

    thread = threading.Thread(target=send_requests)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def uid(site: Site) -> str:
    found = site.get_or_none(CONFIG_MAP, ROUTING)
    return str(found["metadata"]["uid"]) if found else ""


def comes_back(site: Site, before: str) -> None:
    eventually(lambda: uid(site) not in ("", before), 30)
    for name in ("hand", "iris"):
        site.comes_to(MODEL_ROUTE, name, "Converged", "True")
        site.comes_to(MODEL_ROUTE, name, "Accepted", "False", "VersionNotFound")
        assert site.get(MODEL_ROUTE, name)["status"]["trafficSummary"] == "v1 100"


def test_traffic_outlives_its_memory(own_site: Site) -> None:
    """Both routes serve v1 and have v9 in their spec, which does not exist: only memory keeps v1 in traffic."""
    site = own_site
    site.kubelet.ahead = 3.0  # as if the clock of a pod's own machine were behind
    site.apply({**SERVER, "metadata": {"name": "default"}}, HAND)
    weights = {"configMapKeyRef": {"name": "hand", "key": "model.json"}}
    site.apply(version("v1", "hand", weights=weights), version("v1", training=SYNTHETIC))
    site.apply(route("v1"), route("v1", name="hand", model="hand"))
    for name in ("hand", "iris"):
        site.comes_to(MODEL_ROUTE, name, "Ready", "True")
        site.patch_route(name, version="v9")
        site.comes_to(MODEL_ROUTE, name, "Accepted", "False", "VersionNotFound")
    with every_answer(site) as seen:
        before = uid(site)
        site.admin.delete(CONFIG_MAP, ROUTING, site.namespace)
        comes_back(site, before)

        site.operator.kill()  # a ConfigMap that is not recreated: servers go on
        before, mark = uid(site), len(seen)
        site.admin.delete(CONFIG_MAP, ROUTING, site.namespace)
        eventually(lambda: len(seen) > mark + 40)
        site.start_operator()  # which has never seen what was in it
        comes_back(site, before)

        before = uid(site)
        site.kubelet.holding.set()  # no version is trained again for now
        site.kubectl("delete", "cm", "--all")
        site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "False", "ArtifactLost")
        comes_back(site, before)
        site.kubelet.holding.clear()
        site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True")
        assert set(seen) == {"v1"}
        assert len(seen) > 100

    before = uid(site)
    done = site.plane.kubectl("-n", site.namespace, "delete", "mserver/default", "--timeout=20s")
    assert "is in use by route hand" in done.stderr
    comes_back(site, before)
    assert site.get(MODEL_SERVER, "default")["status"]["replicas"] == 2, "as `default` is made"
    eventually(lambda: site.versions("hand", {"x": 3.0}) == {"v1"})
    assert [call for call in site.refused() if call[0] == "the-operator"] == []
