"""10,000 LinearModels and 500 routes: all reconciled first, a start of the operator, a switch, a minute at rest."""

import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from integration.operator.site import Operator, Site
from integration.operator.switching import Switch, Watch, switch
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE
from support import eventually

from . import fleet, page
from .cluster import site_of_its_own
from .operator_switches import PAUSE
from .serving import cpu_seconds

ROUTES, MODELS = 500, 500 * fleet.VERSIONS
SWITCHES = 20
REST_SECONDS = 60  # in which everything is listed once

TEXT = """Written by `make bench-operator`, on: {machine}.

{models:,} LinearModels ({versions} versions of each of {routes} models, all with weights of their own, {frozen} of the
{versions} frozen) and {routes} routes in one namespace, on one ModelServer with two real servers. API server, etcd,
controllers and operator share the cores. `first` is an operator that meets them all new: it copies each artifact, makes
each Service and writes each status. `start` is one that finds all as it left it, from its process's start until it has
reconciled everything. The baselines: a bare create of a LinearModel, four at a time (`first`); a LIST of all
LinearModels and ConfigMaps (`start`); the patch itself (`a switch`).

{table}"""


def measure() -> dict[str, str]:
    """The section."""
    with site_of_its_own() as site:
        site.operator.kill()
        bare = _load(site) / MODELS
        rows = [*_first(site, bare), *_start(site), *_switches(site), *_rest(site)]
    facts = {"models": MODELS, "versions": fleet.VERSIONS, "routes": ROUTES, "frozen": fleet.FROZEN}
    table = page.table(("figure", "measured", "required", "x baseline"), rows)
    return {"A fleet": TEXT.format(machine=page.machine(), table=table, **facts)}


def _load(site: Site) -> float:
    """Seconds for the LinearModels alone."""
    clients = [site.plane.client(site.admin.token) for _ in range(fleet.THREADS)]
    bodies = list(fleet.objects(ROUTES))
    seconds = 0.0
    for kind in (CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE):
        began = time.monotonic()
        some = [body for body in bodies if body["kind"] == kind.kind]
        fleet.at_once(lambda client, body: client.create(body, site.namespace), some, clients)
        seconds += time.monotonic() - began if kind is LINEAR_MODEL else 0.0
    return seconds


def _settled(operator: Operator, began: float) -> float:
    """Seconds until every object was reconciled and none waits any more."""

    def settled() -> bool:
        done = operator.metric("linplane_operator_reconciles_total", result="success")
        return done > MODELS + ROUTES and operator.metric("linplane_operator_queue_depth") == 0

    eventually(settled, 600, 1.0)  # reading the metrics of so many objects costs a little each time
    return time.monotonic() - began


def _first(site: Site, bare: float) -> list[list[str]]:
    mark, began = site.plane.audit.mark(), time.monotonic()
    seconds = _settled(site.start_operator(), began)
    eventually(lambda: _serving(site) == ROUTES, 120, 1.0)
    writes = len(_writes(site, mark))
    print(f"{writes} writes, a bare one takes {1000 * bare:.2f} ms")
    row = [f"first: all reconciled, {writes:,} writes, s", f"{seconds:.1f}", "", f"{seconds / (writes * bare):.1f}"]
    memory = ["first: most memory, MB", f"{_memory(site.operator, 'VmHWM'):.0f}", "< 300", ""]
    return [row, memory]


def _serving(site: Site) -> int:
    routes = site.admin.list(MODEL_ROUTE, site.namespace)
    conditions = [(r.get("status") or {}).get("conditions") or () for r in routes]
    return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in some) for some in conditions)


def _start(site: Site) -> list[list[str]]:
    time.sleep(3)  # counts are written at most once a second
    site.operator.stop()
    began = time.monotonic()
    for kind in (LINEAR_MODEL, CONFIG_MAP):
        site.admin.list(kind, site.namespace)
    listing = time.monotonic() - began
    mark, began = site.plane.audit.mark(), time.monotonic()
    seconds = _settled(site.start_operator(), began)
    cpu = cpu_seconds(site.operator.process.pid)
    writes = _writes(site, mark)
    return [
        ["start: all reconciled, s", f"{seconds:.1f}", "< 15", f"{seconds / listing:.1f}"],
        ["start: CPU of the operator, s", f"{cpu:.1f}", "", f"{cpu / listing:.1f}"],
        ["start: most memory, MB", f"{_memory(site.operator, 'VmHWM'):.0f}", "< 300", ""],
        ["start: writes", str(len(writes)), "0", ""],
    ]


def _switches(site: Site) -> list[list[str]]:
    made: list[Switch] = []
    writes = []
    site.kubelet.be_calm()
    with closing(Watch(site)) as watch:
        for name in fleet.model_names(ROUTES)[:SWITCHES]:
            mark = site.plane.audit.mark()
            made += switch(site, watch, [name], f"v{fleet.VERSIONS - 1}")
            time.sleep(2 * PAUSE)  # counts are written a second later
            writes.append(len(_writes(site, mark)))
    seconds = sorted(s.seconds for s in made)
    patch = statistics.median(s.answered - s.patched for s in made)
    p50 = statistics.median(seconds)
    return [
        ["a switch: patch to `Converged`, p50 s", f"{p50:.3f}", "< 0.25", f"{p50 / patch:.1f} (patch)"],
        [f"a switch: the longest of {SWITCHES}, s", f"{seconds[-1]:.3f}", "< 1", f"{seconds[-1] / patch:.1f} (patch)"],
        ["a switch: writes of the operator, at most", str(max(writes)), "<= 5", ""],
    ]


def _rest(site: Site) -> list[list[str]]:
    pid, mark = site.operator.process.pid, site.plane.audit.mark()
    before = cpu_seconds(pid)
    time.sleep(REST_SECONDS)
    used = cpu_seconds(pid) - before
    return [
        ["a minute at rest: CPU of the operator, s", f"{used:.1f}", "", ""],
        ["a minute at rest: writes", str(len(_writes(site, mark))), "0", ""],
        ["then: memory, MB", f"{_memory(site.operator, 'VmRSS'):.0f}", "< 300", ""],
    ]


def _writes(site: Site, mark: int) -> list[Any]:
    """The operator's writes except Events, which are not state and are dropped if there are too many."""
    return [line for line in site.writes(mark) if line.startswith("the-operator ") and " events/" not in line]


def _memory(operator: Operator, field: str) -> float:
    """A memory field of the process's status, in MB."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / 1e6
