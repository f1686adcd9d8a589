"""Runs of a workload with a crash at one write, and the faults of their final states.

A plan is one write of the operator that changes something, in a run that nothing disturbs, and a moment: before the
API server hears of it, or after it was applied and before the operator hears of that. Left out are writes that change
nothing (`resourceVersion` stays), are refused, review access, or are Events. Writes are known by what they are about
and how often that came, for the workers of an operator may take turns.
"""

import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cluster.controlplane import ControlPlane
from integration.faults.calls import Action, Call, Lose
from integration.faults.proxied_site import ProxiedSite
from integration.faults.proxy import Proxies
from integration.faults.snapshot import Snapshot, differences, snapshot
from integration.faults.workloads import WORKLOADS
from integration.operator.fork_server import ForkServer
from support import eventually

QUIET = 1.2  # seconds without a write after which a run is over: a status may be delayed by one
PATIENCE = 120.0
REFERENCES = 2
ATTEMPTS = 3  # the number of status writes depends on timing: a plan may not reach its write


@dataclass(frozen=True)
class Plan:
    """A crash at the `number`-th write of that kind, `applied` or not."""

    what: str
    number: int
    applied: bool

    def __str__(self) -> str:
        return f"{'after' if self.applied else 'before'} {self.what} #{self.number}"


@dataclass
class Outcome:
    """The outcome of a run."""

    writes: list[str]
    made: Counter[str]  # numbers of creations and deletions
    snapshot: Snapshot
    reached: bool = False
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Crasher:
    """A rule that kills the operator once, at the planned write."""

    def __init__(self, plan: Plan, site: ProxiedSite) -> None:
        self.reached = False
        self._plan, self._site = plan, site
        self._mark = len(site.proxy.calls)

    def __call__(self, call: Call) -> Action | None:
        if self.reached or not call.is_write or call.what != self._plan.what:
            return None
        earlier = sum(1 for other in self._site.proxy.calls[self._mark :] if other.changed and other.what == call.what)
        if earlier + 1 != self._plan.number:
            return None
        self.reached = True
        return Lose(self._plan.applied, self._site.crash)


class Laboratory:
    """Runs many plans in parallel on one control plane."""

    def __init__(self, plane: ControlPlane, fork_server: ForkServer, proxies: Proxies, sites: int) -> None:
        self.plane, self.fork_server, self.proxies = plane, fork_server, proxies
        self.pool = ThreadPoolExecutor(sites)
        self.reviews: dict[str, bytes] = {}

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)

    def site(self, folder: Path, *, tls: bool = False) -> ProxiedSite:
        return ProxiedSite(self.plane, self.fork_server, self.proxies, folder, tls=tls)

    def references(self, workload: str) -> list[Future[Outcome]]:
        return [self.pool.submit(self._run, workload, None, None) for _ in range(REFERENCES)]

    def crashes(self, workload: str, references: list[Outcome]) -> dict[Plan, Future[Outcome]]:
        return {p: self.pool.submit(self._try, workload, p, references) for p in plans(references)}

    def _try(self, workload: str, plan: Plan, references: list[Outcome]) -> Outcome:
        for _ in range(ATTEMPTS):
            outcome = self._run(workload, plan, references)
            if outcome.reached or outcome.wrong:
                break
        return outcome

    def _run(self, workload: str, plan: Plan | None, references: list[Outcome] | None) -> Outcome:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="linplane-site-", ignore_cleanup_errors=True) as folder:
            site = self.site(Path(folder))
            site.proxy.reviews = self.reviews
            try:
                outcome = _play(site, workload, plan, references)
                outcome.seconds = time.monotonic() - began
            finally:
                site.close()
        return outcome


def plans(references: list[Outcome]) -> list[Plan]:
    """A crash before and after each write that every undisturbed run made."""
    common = Counter(references[0].writes)
    for other in references[1:]:
        common &= Counter(other.writes)
    writes = [(what, number + 1) for what, count in common.items() for number in range(count)]
    return [Plan(what, number, applied) for what, number in writes for applied in (False, True)]


def _play(site: ProxiedSite, workload: str, plan: Plan | None, references: list[Outcome] | None) -> Outcome:
    work = WORKLOADS[workload]
    work.before(site)
    settle(site)
    mark = len(site.proxy.calls)
    crasher = Crasher(plan, site) if plan else None
    site.proxy.rules[:] = [crasher] if crasher else []
    wrong = []
    try:
        work.act(site)
        if references:
            eventually(lambda: not any(differences(references[0].snapshot, _now(site))), PATIENCE, 0.2)
        settle(site)
    except (AssertionError, OSError) as error:
        wrong.append(f"it came to no end: {error}")
    calls = site.proxy.writes(mark)
    made = Counter(f"{'create' if c.created else 'delete'} {c.what}" for c in calls if c.created or c.deleted)
    outcome = Outcome([c.what for c in calls], made, _now(site), bool(crasher and crasher.reached), wrong)
    wrong += _problems(site, outcome, references)
    return outcome


def _now(site: ProxiedSite) -> Snapshot:
    return snapshot(site.admin, site.namespace)


def settle(site: ProxiedSite, seconds: float = QUIET) -> None:
    """Waits until the operator has not written for so many seconds."""

    def quiet() -> bool:
        before = len(site.proxy.writes())
        time.sleep(seconds)
        return len(site.proxy.writes()) == before and not site.restarting

    eventually(quiet, PATIENCE)


def _problems(site: ProxiedSite, outcome: Outcome, references: list[Outcome] | None) -> Iterator[str]:
    yield from site.tracebacks()
    if site.operator.process.poll() is not None:
        yield f"the operator ended with {site.operator.process.poll()}"
    yield from (f"{c.what}: {c.status}" for c in site.proxy.calls if c.status in (400, 401, 403, 405, 415, 422))
    if not references:
        return
    yield from itertools.islice(differences(references[0].snapshot, outcome.snapshot), 8)
    for what in sorted(outcome.made.keys() | references[0].made.keys()):
        if outcome.made[what] != references[0].made[what]:
            yield f"{what}: {outcome.made[what]} times, {references[0].made[what]} undisturbed"
