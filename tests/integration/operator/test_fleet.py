"""Many models and routes: a switch concerns few of them. Counted, not timed."""

import statistics
import time
from contextlib import closing

import pytest

from bench import fleet
from integration.operator.site import Site
from integration.operator.switching import Watch, switch
from linplane_api.kinds import MODEL_ROUTE
from support import eventually

ROUTES, VERSIONS = 50, 6
SWITCHES = 4


@pytest.mark.timeout(300)
def test_switch_among_many_routes_costs_five_writes_and_few_reconciles(own_site: Site) -> None:
    """From rest to rest. On a busy machine a server's status may say in between that a replica has not loaded it within
    a quarter of a second; and once a minute the operator resyncs.
    """
    site = own_site
    clients = [site.plane.client(site.admin.token) for _ in range(fleet.THREADS)]
    fleet.at_once(lambda client, body: client.create(body, site.namespace), fleet.objects(ROUTES, VERSIONS), clients)
    site.servers(2)
    for name in fleet.model_names(ROUTES):
        site.comes_to(MODEL_ROUTE, name, "Ready", "True", timeout=120)
    writes, reconciles = [], []
    with closing(Watch(site)) as watch:
        for name in fleet.model_names(ROUTES)[:SWITCHES]:
            quiet(site)
            mark, before = site.plane.audit.mark(), count(site)
            switch(site, watch, [name], f"v{VERSIONS - 1}")
            quiet(site)
            writes.append([line for line in site.writes(mark) if is_state(line)])
            reconciles.append(count(site) - before)
    print(f"writes of each switch: {[len(some) for some in writes]}, reconciles: {reconciles}")
    assert statistics.median_high(map(len, writes)) <= 5, writes
    for some in writes:
        assert len([line for line in some if " modelservers/status " not in line]) <= 4, some
        assert len(some) <= 6, some
    assert statistics.median_high(reconciles) <= 10 * VERSIONS, "of 300 models and 50 routes"


def is_state(line: str) -> bool:
    """The operator's writes without Events."""
    return line.startswith("the-operator ") and " events/" not in line


def count(site: Site) -> float:
    return site.operator.metric("linplane_operator_reconciles_total")


def quiet(site: Site) -> None:
    """Longer than a status is held back, and nothing waits."""
    time.sleep(2.2)
    eventually(lambda: site.operator.metric("linplane_operator_queue_depth") == 0, 60, 0.1)
