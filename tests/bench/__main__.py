"""`make bench`: serving, blocks of rows, batches and training; with the argument `serving` or `batches`, those alone;
with `training` and perhaps a note on the machine, training alone.
`make bench-operator`, with the argument `operator`: the operator on an API server. `make bench-cluster`, with
`cluster`: images, room, and what `make e2e` measured. Each writes its own sections of docs/benchmarks.md.
"""

import sys

from . import batches, blocks, containers, operator_fleet, operator_switches, page, room, serving, training

SERVING = """Written by `make bench`, on: {machine}; medians of {rounds} rounds.

`POST /routes/NAME/predict`, {features} features by name; validation, limiter, counters and histogram on; one process on
one core, {connections} connections from another core, {seconds} s a round. The baseline is a bare ASGI hello on
uvicorn (uvloop, httptools). CPU is user and system time of the server process; MB is its resident memory.
Each ratio is to a round of the baseline right before, and varies by a tenth from run to run on a shared machine.
The client of gRPC is Python too, and bounds the requests of its row; the server's own part is the CPU.

{table}"""


def serve() -> dict[str, str]:
    """The section of single rows."""
    serving_rows = serving.measure()
    headers = ("server", "requests/s", "x hello", "CPU us/request", "p50 ms", "p99 ms", "p99 x hello", "MB")
    section = SERVING.format(
        machine=page.machine(),
        rounds=serving.ROUNDS,
        features=serving.FEATURES,
        connections=serving.CONNECTIONS,
        seconds=round(serving.SECONDS),
        table=page.table(headers, serving_rows),
    )
    return {"One row a request": section}


def serve_and_train() -> dict[str, str]:
    """The sections of `make bench`."""
    return serve() | {
        "Blocks of rows": blocks.section(),
        "Batches": batches.section(),
        "Training": training.section(),
    }


def operate(which: str) -> dict[str, str]:
    """The sections of `make bench-operator`; `which` is `switches`, `fleet` or empty for both."""
    parts = {"switches": operator_switches.measure, "fleet": operator_fleet.measure}
    return {title: text for name, part in parts.items() if which in ("", name) for title, text in part().items()}


def main() -> None:
    """Measures and writes."""
    match sys.argv[1:]:
        case ["serving"]:
            page.write(serve())
        case ["batches"]:
            page.write({"Batches": batches.section()})
        case ["training", *note]:
            page.write({"Training": training.section(" ".join(note))})
        case ["operator", *which]:
            page.write(operate(which[0] if which else ""))
        case ["cluster"]:
            page.write(room.measure() | containers.measure())
        case _:
            page.write(serve_and_train())


if __name__ == "__main__":
    main()
