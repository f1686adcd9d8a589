"""The operator starts while LISTs of one kind are slow, empty or forbidden: no object in use is deleted."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cluster.objects import route, version
from integration.faults.calls import Action, Answer, Delay, Empty, Rule
from integration.faults.crashes import Laboratory, settle
from integration.faults.proxied_site import ProxiedSite
from integration.faults.snapshot import Snapshot, differences, snapshot
from integration.faults.workloads import TRAINING, all_is_well, by_hand, jobs_end, one_replica
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD, REPLICA_REPORT, Kind
from linplane_operator.kube.watched_kinds import WATCHED
from support import eventually

KINDS = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, CONFIG_MAP, POD, REPLICA_REPORT)
CONFIRMED = ("loadedSummary", "loadedReplicas", "replicas", "conditions")  # fields about replicas outside of the cache


@pytest.fixture(scope="module")
def site(laboratory: Laboratory) -> Iterator[ProxiedSite]:
    """A route with a hand-written, a trained and a frozen version."""
    with tempfile.TemporaryDirectory(prefix="linplane-site-", ignore_cleanup_errors=True) as folder:
        site = laboratory.site(Path(folder))
        try:
            site.apply(one_replica(), *by_hand("v1"), *by_hand("v3"), version("v2", training=TRAINING))
            site.apply(route("v1", "v2"))
            all_is_well(site)
            jobs_end(site)
            settle(site)
            yield site
        finally:
            site.close()


def start(site: ProxiedSite, *rules: Rule) -> int:
    """Starts a new operator. Returns the number of calls before."""
    site.operator.kill()
    site.proxy.rules[:] = rules
    mark = len(site.proxy.calls)
    site.start_operator()
    return mark


def lists(kind: Kind, action: Action) -> Rule:
    """Applies a fault to each LIST of a kind."""
    return lambda call: action if call.is_list and call.resource == kind.plural else None


def at_work(site: ProxiedSite, mark: int) -> None:
    """Waits until it watches everything and has not written for long enough to read missing objects twice."""
    wanted = {kind.plural for kind in WATCHED}
    eventually(lambda: wanted <= {call.resource for call in site.proxy.calls[mark:] if call.is_watch})
    settle(site, 2.0)


def now(site: ProxiedSite, kind: Kind) -> Snapshot:
    found = snapshot(site.admin, site.namespace)
    if kind in (POD, REPLICA_REPORT):
        for body in found.values():
            for key in CONFIRMED:
                body.get("status", {}).pop(key, None)
    return found


def answers(site: ProxiedSite) -> list[object]:
    """The answers to one user of the current version."""
    return [(answer["status"], answer.get("prediction")) for answer in site.predict("iris", {"x": 1.0}, "a user")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_empty_list_at_startup_withdraws_nothing(site: ProxiedSite, kind: Kind) -> None:
    before, said = now(site, kind), answers(site)
    mark = start(site, lists(kind, Empty()))
    at_work(site, mark)
    assert [call for call in site.proxy.calls[mark:] if call.is_list and call.resource == kind.plural]
    assert [call.what for call in site.proxy.writes(mark) if call.created or call.deleted] == []
    assert [*differences(before, now(site, kind))] == []
    assert answers(site) == said
    if kind in (POD, REPLICA_REPORT):
        start(site)
    all_is_well(site)
    settle(site, 1.2)  # counts are written once a second


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_forbidden_list_at_startup_is_reported_and_delays_all_writes(site: ProxiedSite, kind: Kind) -> None:
    mark = start(site, lists(kind, Answer(403)))
    named = f"a list of {kind.plural}: 403 Forbidden"
    eventually(lambda: site.operator.get("/readyz")[0] == 503 and named in site.operator.get("/readyz")[1])
    eventually(lambda: any(named in line["message"] for line in site.operator.logged()))
    assert [call.what for call in site.proxy.calls[mark:] if call.is_write] == []
    site.proxy.rules.clear()
    eventually(lambda: site.operator.get("/readyz")[0] == 200)
    assert site.operator.process.poll() is None
    assert site.tracebacks() == []


@pytest.mark.parametrize("order", [1, -1])
def test_slow_lists_at_startup_delay_all_writes(site: ProxiedSite, order: int) -> None:
    """Delays each LIST by a different time, and then in reverse order."""
    slow = {kind.plural: Delay(0.2 * number) for number, kind in enumerate(KINDS[::order])}
    mark = start(site, lambda call: slow.get(call.resource) if call.is_list else None)
    at_work(site, mark)
    assert [call.what for call in site.proxy.calls[mark:] if call.is_write] == []
