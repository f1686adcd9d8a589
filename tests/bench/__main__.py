"""`make bench`: runs every benchmark and writes docs/benchmarks.md."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from . import serving, training

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


PAGE_TEXT = """# Benchmarks

Written by `make bench`, on: {machine}.
Machines differ and are noisy: read the ratios, each to a baseline that was measured in the same run, interleaved
with it; medians of {rounds[0]} rounds (serving) and {rounds[1]} (training).

## One row a request

`POST /routes/NAME/predict`, {features} features by name; validation, limiter, counters and histogram on; one process on
one core, {connections} connections from another core, {seconds} s a round. The baseline is a bare ASGI hello on
uvicorn (uvloop, httptools). CPU is user and system time of the server process; MB is its resident memory.

{serving}
## Training

{training_rows} rows of {training_features} features, float64 in memory, one BLAS thread; extra memory is beside them.

{training}"""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, figures to the right."""
    lines = [" | ".join(headers), " | ".join(["---", *["---:"] * (len(headers) - 1)]), *(" | ".join(r) for r in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def machine() -> str:
    """The processor, as far as it tells, and the versions that matter."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    return f"{models[0] if models else platform.machine()}, {cores} cores, Python {platform.python_version()}"


def main() -> None:
    """Measures and writes."""
    serving_rows = serving.measure()
    training_rows = training.measure()
    text = PAGE_TEXT.format(
        machine=machine(),
        serving=table(("server", "requests/s", "x hello", "CPU us/request", "p50 ms", "p99 ms", "MB"), serving_rows),
        training=table(("method", "s", "x numpy.linalg.lstsq", "extra MB"), training_rows),
        training_rows=f"{training.ROWS:,}",
        training_features=training.FEATURES,
        rounds=(serving.ROUNDS, training.ROUNDS),
        features=serving.FEATURES,
        connections=serving.CONNECTIONS,
        seconds=round(serving.SECONDS),
    )
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
