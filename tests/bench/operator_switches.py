"""Patch to Converged: one route after the other is switched, with real server processes under load."""

import statistics
import time
from contextlib import closing

from integration.cluster.objects import config_map, route, version
from integration.operator.site import Site
from integration.operator.switching import Load, Watch, every_server_answered, from_the_old_version, ports, switch
from linplane_api.kinds import MODEL_ROUTE
from linplane_api.names import API_VERSION

from . import page
from .cluster import site_of_its_own

CASES = ((10, 100), (40, 30))  # servers, switches
TARGETS = {10: "p50 < 0.25, p99 < 1", 40: "p99 < 2"}
PAUSE = 1.05  # a routing ConfigMap is written at most once a second: this measures switches, not that wait
WARM = 3
ROUTE, ROW = "iris", {"x": 1.0}
WEIGHTS = {"v1": '{"coefficients": {"x": 1}, "intercept": 1}', "v2": '{"coefficients": {"x": 2}, "intercept": 2}'}

TEXT = """Written by `make bench-operator`, on: {machine}.

A patch of `spec.version` until a watch shows `Converged` of that generation, with so many server processes under a
constant load of {load} requests a second in all. API server, etcd, controllers, operator, all servers and the load
share the cores of one machine. The baseline is the patch itself, from request to answer: one write. A switch is four,
one after the other: the patch, the routing ConfigMap, the reports of the servers, the status.

{table}"""

LOAD = 100


def measure() -> dict[str, str]:
    """The section."""
    rows = [_case(servers, switches) for servers, switches in CASES]
    headers = ("servers", "switches", "p50 s", "p99 s", "required", "a bare patch, p50 s", "p50 x patch")
    return {"Switches": TEXT.format(machine=page.machine(), load=LOAD, table=page.table(headers, rows))}


def _case(servers: int, switches: int) -> list[str]:
    with site_of_its_own() as site:
        _set_up(site, servers)
        load = Load(ports(site, servers), [ROUTE], ROW, per_second=LOAD / servers)
        site.comes_to(MODEL_ROUTE, ROUTE, "Converged", "True", timeout=120)
        site.kubelet.be_calm()
        made = []
        with closing(Watch(site)) as watch, load.running():
            every_server_answered(load, servers, [ROUTE], 0.0)
            for number in range(WARM + switches):
                time.sleep(PAUSE)
                made += switch(site, watch, [ROUTE], ("v2", "v1")[number % 2])
        if load.failures or from_the_old_version(made, load.answers)[0]:
            raise SystemExit(f"a request failed, or was answered late: {load.failures}")
    seconds, patches = sorted(s.seconds for s in made[WARM:]), [s.answered - s.patched for s in made[WARM:]]
    p50, p99, patch = statistics.median(seconds), percentile(seconds, 0.99), statistics.median(patches)
    figures = (f"{p50:.3f}", f"{p99:.3f}", TARGETS[servers], f"{patch:.3f}", f"{p50 / patch:.1f}")
    return [str(servers), str(switches), *figures]


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _set_up(site: Site, servers: int) -> None:
    server = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "default"}}
    site.apply({**server, "spec": {"replicas": servers}}, config_map("iris", **WEIGHTS))
    for name in ("v1", "v2"):
        site.apply(version(name, weights={"configMapKeyRef": {"name": "iris", "key": name}}))
    site.apply(route("v1", name=ROUTE))
