"""Training: the fit in memory, and from a file to the artifact, against what people use. CPU and peak memory.

Each measurement is a process of its own (`learners`); methods take turns, and ratios are of the same round.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cluster import clients

from . import page
from .learners import FROM_FILES, IN_MEMORY, Figures, write_files

ROOT = Path(__file__).parents[2]
ROUNDS, ROWS, FEATURES, GROUP, THREADS = 3, 500_000, 100, 50_000, 2
MANY_FEATURES, FEW_ROWS = 512, 5_000
OURS, FACTOR, SKLEARN = "linplane", "linplane, a factor in doubles", "scikit-learn"
PEERS = "learners"

ASKED_IN_MEMORY: dict[str, tuple[float, float]] = {"17 digits": (2, 1.1), "mixed": (3.5, 0.8), "0/1": (8, 0.4)}
"""For each kind of rows: scikit-learn by ours at least, ours by the factor at most, in CPU."""
ASKED_OF_FILES = {"pandas + scikit-learn": 0.75, "polars + scikit-learn": 0.65}
"""Ours by these, in CPU, at most."""
ASKED_MB = {".csv": 260, ".parquet": 350}

TEXT = """Written by `make bench`, on: {machine}; medians of {rounds} rounds, in which the methods take turns.{note}

**In memory.** {rows:,} rows of {features} features, float64, one BLAS thread; extra memory does not include the rows.
Mixed: a quarter each of 17 digits, 0/1, whole numbers and cents. The ratio is CPU by that of linplane, whose numbers
are the nearest doubles to the exact ones; its factor in doubles is what it takes for more than {most} features.

{in_memory}
**From a file to the artifact** (of the others: to the coefficients). {rows:,} rows of {features} columns with three
decimals; Parquet in row groups of {group:,}; two threads where a method has some. Peak memory is the whole process's.

{from_files}
A tenth of the rows from CSV peaks at {tenth_mb:.0f} MB, all of them at {whole_mb:.0f} (asked: 5 % more at most).

**{most} features**, {few:,} rows in memory, 17 digits: {wide_cpu:.1f} s of CPU (asked: 8), {wide_mb:.0f} MB at the peak
(asked: 512).
"""

Run = Callable[..., Figures]
Round = Mapping[str, Figures]


def run(where: str, method: str, *words: str, threads: int = 1) -> Figures:
    """One measurement, in its environment. Raises CalledProcessError."""
    python = sys.executable if method in (OURS, FACTOR) else clients.obtain(PEERS)[PEERS]
    one = str(threads)
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS", "ARROW_NUM_THREADS")
    command = [str(python), "-m", "tests.bench.learners", where, method, *words]
    environment = os.environ | dict.fromkeys(names, one)
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(**json.loads(done.stdout))


def in_memory(kind: str, rows: int, features: int, by: Run = run) -> Round:
    """A round of one kind of rows. Raises AssertionError if answers differ."""
    return agreeing({method: by("memory", method, kind, str(rows), str(features)) for method in IN_MEMORY})


def from_file(path: Path, by: Run = run) -> Round:
    """A round of one file. Raises AssertionError if answers differ."""
    words = (str(path), str(THREADS))
    return agreeing({method: by("file", method, *words, threads=THREADS) for method in FROM_FILES})


def agreeing(figures: Round) -> Round:
    """These, if the answers agree: else a method does not do the work."""
    answers = [one.answer for one in figures.values()]
    assert max(answers) - min(answers) < 1e-9 * max(answers), answers
    return figures


def memory_lines(kind: str, rounds: Sequence[Round]) -> list[list[str]]:
    """A line for each method."""
    by_sklearn, by_factor = ASKED_IN_MEMORY[kind]
    asked = {SKLEARN: f">= {by_sklearn}", FACTOR: f">= {1 / by_factor:.2f}"}
    return [
        [kind, *_cells(method, rounds), f"{_median(method, rounds, 'extra'):.0f}", asked.get(method, "")]
        for method in rounds[0]
    ]


def file_lines(kind: str, rounds: Sequence[Round]) -> list[list[str]]:
    """A line for each method."""
    asked = {method: f">= {1 / most:.2f}" for method, most in ASKED_OF_FILES.items()}
    asked[OURS] = f"<= {ASKED_MB[kind]} MB"
    return [
        [kind[1:], *_cells(method, rounds), f"{_median(method, rounds, 'peak'):.0f}", asked[method]]
        for method in rounds[0]
    ]


def _cells(method: str, rounds: Sequence[Round]) -> list[str]:
    ratio = statistics.median(one[method].cpu / one[OURS].cpu for one in rounds)
    cpu, seconds = (_median(method, rounds, name) for name in ("cpu", "seconds"))
    return [method, f"{cpu:.2f}", f"{ratio:.2f}", f"{seconds:.2f}"]


def _median(method: str, rounds: Sequence[Round], name: str) -> float:
    return float(statistics.median(getattr(one[method], name) for one in rounds))


def section(note: str = "") -> str:
    """The section; `note` says what was special about the machine."""
    kinds = {kind: [in_memory(kind, ROWS, FEATURES) for _ in range(ROUNDS)] for kind in ASKED_IN_MEMORY}
    wide = [run("memory", OURS, "17 digits", str(FEW_ROWS), str(MANY_FEATURES)) for _ in range(ROUNDS)]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        paths = write_files(Path(folder), ROWS, FEATURES, GROUP)
        tenth, _ = write_files(Path(other), ROWS // 10, FEATURES, GROUP)
        files = {path.suffix: [from_file(path) for _ in range(ROUNDS)] for path in paths}
        few = [run("file", OURS, str(tenth), str(THREADS), threads=THREADS) for _ in range(ROUNDS)]
    return TEXT.format(
        machine=page.machine(),
        note=f" {note}" if note else "",
        rounds=ROUNDS,
        rows=ROWS,
        features=FEATURES,
        group=GROUP,
        most=MANY_FEATURES,
        few=FEW_ROWS,
        wide_cpu=statistics.median(one.cpu for one in wide),
        wide_mb=statistics.median(one.peak for one in wide),
        tenth_mb=statistics.median(one.peak for one in few),
        whole_mb=_median(OURS, files[".csv"], "peak"),
        in_memory=page.table(
            ("rows", "method", "CPU s", "x linplane", "s", "extra MB", "asked"),
            [line for kind, rounds in kinds.items() for line in memory_lines(kind, rounds)],
        ),
        from_files=page.table(
            ("file", "method", "CPU s", "x linplane", "s", "peak MB", "asked"),
            [line for kind, rounds in files.items() for line in file_lines(kind, rounds)],
        ),
    )
