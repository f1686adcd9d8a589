"""Adverse sequences under constant load: each answer is judged, and so is the end."""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.controlplane import ControlPlane
from integration.faults.proxy import Proxies
from integration.operator.fork_server import ForkServer
from integration.sequences.chronicle import Chronicle
from integration.sequences.ending import all_agree
from integration.sequences.judging import Verdict
from integration.sequences.load import Loads
from integration.sequences.stage import Stage, Theatre
from integration.sequences.table import SEQUENCES
from support import sized

SIDE_BY_SIDE = 6


@dataclass
class Played:
    """The outcome of one sequence."""

    verdict: Verdict
    tracebacks: list[str]
    refused: list[tuple[object, ...]]
    figures: list[str]
    seconds: float


@pytest.fixture(scope="module")
def theatre(control_plane: ControlPlane, fork_server: ForkServer) -> Iterator[Theatre]:
    proxies, loads, chronicle = Proxies(), Loads(), Chronicle(control_plane)
    yield Theatre(control_plane, fork_server, proxies, loads, chronicle)
    loads.close()
    chronicle.close()
    proxies.close()


def play(theatre: Theatre, name: str, size: str) -> Played:
    sequence, began = SEQUENCES[name], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="linplane-stage-", ignore_cleanup_errors=True) as folder:
        stage = Stage(theatre, Path(folder), proxied=sequence.proxied)
        try:
            sequence.play(stage, getattr(sequence, size))
            all_agree(stage)
            verdict = stage.judged()
            return Played(verdict, stage.tracebacks(), stage.refused(), stage.figures, time.monotonic() - began)
        finally:
            stage.close()


@pytest.fixture(scope="module")
def played(theatre: Theatre, request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], Played]]:
    """Runs all selected sequences in parallel, each in its own namespace, as they mostly wait."""
    params = (getattr(item, "callspec", None) for item in request.session.items if item.path == request.path)
    wanted = [(found.params["name"], found.params["size"]) for found in params if found]
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    futures: dict[tuple[str, str], Future[Played]] = {key: pool.submit(play, theatre, *key) for key in wanted}
    yield lambda name, size: futures[name, size].result()
    pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(900)
@sized("size", short="short", full="full")
@pytest.mark.parametrize("name", SEQUENCES)
def test_sequence_has_right_answers_and_a_right_end(name: str, size: str, played: Callable[[str, str], Played]) -> None:
    outcome, sequence = played(name, size), SEQUENCES[name]
    expected = dict(outcome.verdict.expected)
    print(f"{outcome.verdict.right} answers right, expected failures {expected}, {outcome.seconds:.0f} s")
    for figure in outcome.figures:
        print(figure)
    assert outcome.verdict.wrong == []
    assert outcome.verdict.right > 20
    assert {s: n for s, n in expected.items() if n > sequence.failures.get(s, 0) * getattr(sequence, size)} == {}
    assert outcome.tracebacks == []
    assert outcome.refused == []
