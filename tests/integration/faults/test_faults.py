"""The connection to the API server fails while users make changes; 30 s after the fault the state is as desired."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.cluster.objects import route
from integration.faults.connection_faults import FAULTS, Fault
from integration.faults.crashes import Laboratory, settle
from integration.faults.proxied_site import ProxiedSite
from integration.faults.snapshot import Snapshot, differences, snapshot
from integration.faults.workloads import all_is_well, by_hand, two_versions
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, SERVICE
from support import eventually

SECONDS = 30.0
SIDE_BY_SIDE = 10

pytestmark = pytest.mark.timeout(1800)


@dataclass
class Played:
    """The outcome of a fault: the final objects, the numbers of creations, and the seconds until then."""

    snapshot: Snapshot
    created: Counter[str]
    wrong: list[str]
    seconds: float


def act(site: ProxiedSite) -> None:
    """A new version, a switch to it, a deleted version, a deleted child, a new route."""
    site.apply(*by_hand("v3"))
    site.edit(MODEL_ROUTE, "iris", version="v3", split=None)
    site.admin.delete(LINEAR_MODEL, "iris-v2", site.namespace)
    site.admin.delete(SERVICE, "linplane-default-admin", site.namespace)
    site.apply(route("v1", name="another"))


def done(site: ProxiedSite) -> bool:
    all_is_well(site)
    site.comes_to(MODEL_ROUTE, "another", "Ready", "True", timeout=SECONDS)
    return site.get_or_none(SERVICE, "linplane-default-admin") is not None


def play(laboratory: Laboratory, fault: Fault | None, reference: Snapshot | None = None) -> Played:
    with tempfile.TemporaryDirectory(prefix="linplane-site-", ignore_cleanup_errors=True) as folder:
        site = laboratory.site(Path(folder), tls=bool(fault and fault.tls))
        try:
            return _play(site, fault, reference)
        finally:
            site.close()


def _play(site: ProxiedSite, fault: Fault | None, reference: Snapshot | None) -> Played:
    two_versions(site)
    settle(site)
    mark = len(site.proxy.calls)
    if fault:
        with fault.during(site):
            ends = time.monotonic() + fault.seconds
            act(site)
            time.sleep(max(0.0, ends - time.monotonic()))
    else:
        act(site)
    ended, wrong = time.monotonic(), []
    try:
        if reference:
            eventually(lambda: not any(differences(reference, snapshot(site.admin, site.namespace))), 90, 0.2)
        else:
            eventually(lambda: done(site), 90, 0.2)
    except (AssertionError, OSError) as error:
        wrong.append(str(error))
    seconds = time.monotonic() - ended
    settle(site)
    now = snapshot(site.admin, site.namespace)
    wrong += [*differences(reference or now, now)][:8] + site.tracebacks()
    if site.operator.process.poll() is not None:
        wrong.append(f"the operator ended with {site.operator.process.poll()}")
    created = Counter(f"{c.method} {c.what}" for c in site.proxy.writes(mark) if c.created or c.deleted)
    return Played(now, created, wrong, seconds)


@pytest.fixture(scope="module")
def played(laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Callable[[str | None], Played]]:
    """All selected faults run at once, as they mostly wait."""
    params = (getattr(item, "callspec", None) for item in request.session.items if item.fspath == request.fspath)
    wanted = {found.params["fault"] for found in params if found}
    reference = play(laboratory, None)
    assert reference.wrong == []
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    longest_first = sorted(wanted, key=lambda name: -FAULTS[name].seconds)
    futures = {name: pool.submit(play, laboratory, FAULTS[name], reference.snapshot) for name in longest_first}
    yield lambda name: futures[name].result() if name else reference
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_leads_to_the_same_final_state(fault: str, played: Callable[[str | None], Played]) -> None:
    outcome, reference = played(fault), played(None)
    print(f"{fault}: converged {outcome.seconds:.1f} s after it ended")
    assert outcome.wrong == []
    assert outcome.created == reference.created, "made once, and nothing else"
    assert outcome.seconds < SECONDS
