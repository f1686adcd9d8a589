"""Judges whether each answer was right: pure functions of the answers and the known facts."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from integration.sequences.lines import Line

NO_ANSWER = 0  # statuses outside of HTTP
NO_SERVER = -1
SLACK = 0.05  # seconds from Withdrawn=True until no request that begins is answered by that version


@dataclass(frozen=True)
class Answer:
    """One request: its server, start and end (seconds), and the answer. `status` is NO_ANSWER if none came (then
    `problem` says why), NO_SERVER if no server was ready.
    """

    route: str
    row: Mapping[str, float]
    server: str
    began: float
    ended: float
    status: int
    version: str = ""
    prediction: float = math.nan
    revision: str = ""
    problem: str = ""


@dataclass
class Meaning:
    """The line of a version that a route names, from one moment to another."""

    route: str
    version: str
    line: Line
    since: float
    until: float = math.inf


@dataclass
class Withdrawal:
    """A version of a model was Withdrawn in between; `routes` are those of its model."""

    routes: frozenset[str]
    version: str
    since: float
    until: float = math.inf


@dataclass
class Outage:
    """Expected failures: requests in flight in between may get one of these statuses."""

    statuses: frozenset[int]
    since: float
    until: float = math.inf


@dataclass
class Facts:
    """The known facts of a namespace."""

    meanings: list[Meaning] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)


@dataclass
class Verdict:
    """The number of right answers, expected failures by status, and the faults."""

    right: int = 0
    expected: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def judge(answers: Iterable[Answer], facts: Facts) -> Verdict:
    verdict = Verdict()
    for answer in answers:
        if answer.status == 200:
            problem = _value(answer, facts.meanings) or _withdrawn(answer, facts.withdrawals)
        elif any(
            answer.status in o.statuses and o.since <= answer.ended and answer.began <= o.until for o in facts.outages
        ):
            verdict.expected[answer.status] += 1
            continue
        else:
            problem = f"failed: {answer.problem}"
        if problem:
            verdict.wrong.append(f"{problem}: {answer}")
        else:
            verdict.right += 1
    return verdict


def _value(answer: Answer, meanings: Iterable[Meaning]) -> str:
    """Empty if the named version gives this prediction by a line that it had meanwhile."""
    named = [m for m in meanings if (m.route, m.version) == (answer.route, answer.version)]
    if not named:
        return "a version that was never there"
    then = [m for m in named if m.since <= answer.ended and answer.began <= m.until]
    if any(m.line.gives(answer.row, answer.prediction) for m in then):
        return ""
    return f"a wrong value, right were {[m.line.at(answer.row) for m in then]}"


def _withdrawn(answer: Answer, withdrawals: Iterable[Withdrawal]) -> str:
    for known in withdrawals:
        concerns = answer.route in known.routes and answer.version == known.version
        if concerns and known.since + SLACK < answer.began and answer.ended < known.until:
            return f"{answer.began - known.since:.3f} s after its version was Withdrawn"
    return ""
