"""Serving: `/predict` against a bare hello, by the number of versions and routes, without the fast path, and
the same by gRPC.
"""

import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from linplane_api.artifact import Artifact, with_checks
from linplane_api.routing import Candidate, RateLimit, RouteDocument, RoutingMap, ServedVersion, SplitKey, make_entry
from linplane_api.routing_folder import write_routing
from support import eventually

FEATURES = 10
CONNECTIONS = 32
SECONDS = 3.0
ROUNDS = 5


@dataclass(frozen=True)
class Target:
    """A running server: its address and its process. `ids`: each request has an id, so no two heads are equal.
    `grpc`: address and route, if it is called by gRPC.
    """

    name: str
    url: str
    pid: int
    ids: bool = False
    grpc: tuple[str, str] | None = None


Pair = tuple[dict[str, float], dict[str, float]]
"""The figures of the baseline, and of the server that is compared with it."""


def served(seed: int) -> ServedVersion:
    """A version of ten features."""
    draw = random.Random(seed)
    names = tuple(f"x{i}" for i in range(FEATURES))
    artifact = with_checks(Artifact(names, tuple(draw.gauss(0, 1) for _ in names), draw.gauss(0, 1)))
    return ServedVersion(artifact.digest, names, artifact.coefficients, artifact.intercept, artifact.checks)


def document(route: str, versions: int) -> RouteDocument:
    """A route with a split, a limit that never applies, and so many versions named."""
    weights = {f"v{i}": served(i) for i in range(versions)}
    return RouteDocument(
        route=route,
        model="bench",
        current="v0",
        split=(Candidate("v1", 1000),) if versions > 1 else (),
        split_key=SplitKey(route, "X-User-Id"),
        versions=weights,
        features_by_version={name: version.features for name, version in weights.items()},
        rate_limit=RateLimit(1e9, 1_000_000, "Client"),
    )


@contextmanager
def running(name: str, words: list[str], path: str) -> Iterator[Target]:
    """A server process on the first core, listening on a socket that it inherits."""
    with socket.create_server(("127.0.0.1", 0)) as public, socket.create_server(("127.0.0.1", 0)) as admin:
        fds = (public.fileno(), admin.fileno())
        filled = [word.format(public=fds[0], admin=fds[1]) for word in words]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, *filled], pass_fds=fds, stdout=quiet, stderr=quiet)
        os.sched_setaffinity(process.pid, {0})
        target = Target(name, f"http://127.0.0.1:{public.getsockname()[1]}{path}", process.pid)
        try:
            eventually(lambda: load(target, 0.1)["errors"] == 0, timeout=20)
            yield target
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port that is free now: gRPC's library takes no socket."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def load(target: Target, seconds: float = SECONDS) -> dict[str, float]:
    """One round of load from the last core, with the CPU microseconds a request of the server process."""
    draw = random.Random(1)
    features = {f"x{i}": round(draw.gauss(0, 1), 4) for i in range(FEATURES)}
    body = json.dumps({"features": features, "key": "user-42"})
    last = str(len(os.sched_getaffinity(0)) - 1)
    words = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "-s",
        str(Path(__file__).with_name("report.lua")),
        target.url,
    ]
    if target.grpc:
        words = [sys.executable, str(Path(__file__).with_name("grpc_load.py")), *target.grpc, str(CONNECTIONS)]
        words.append(str(seconds))
    before = cpu_seconds(target.pid)
    done = subprocess.run(
        ["taskset", "-c", last, *words],
        env={**os.environ, "BENCH_BODY": body, **({"BENCH_IDS": "1"} if target.ids else {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 20,
    )
    if done.returncode:
        raise OSError(done.stderr[-500:])
    figures: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return {**figures, "cpu": 1e6 * (cpu_seconds(target.pid) - before) / max(1, figures["requests"])}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process now, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


CASES: list[tuple[str, int, int, list[str]]] = [
    ("1 version, 1 route", 1, 1, []),
    ("2 versions (split), 1 route", 2, 1, []),
    ("100 versions, 1 route", 100, 1, []),
    ("1 version, 300 routes", 1, 300, []),
    ("1 version, 1 route, an id in each request", 1, 1, []),
    ("1 version, 1 route, without the fast path", 1, 1, ["--no-fast-path"]),
    ("1 version, 1 route, by gRPC, from Python", 1, 1, ["--grpc-port", "{grpc}"]),
]
IDS = CASES[-3][0]
BY_GRPC = CASES[-1][0]
"""Name, versions of a route, routes, and flags of the server."""


def measure() -> list[list[str]]:
    """A row a server: requests/s, ratio to hello, CPU us a request, p50, p99 and its ratio, resident memory; medians
    over the rounds, in each of which every server has its turn, right after the baseline.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("the load comes from wrk, which is not here: apt-get install wrk, or brew install wrk")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets = [
            stack.enter_context(
                running("bare ASGI hello", [str(Path(__file__).with_name("hello.py")), "{public}"], "/")
            )
        ]
        grpc = f"127.0.0.1:{free_port()}"
        for number, (name, versions, routes, flags) in enumerate(CASES):
            entries = {f"r{i}": make_entry(document(f"r{i}", versions), 1).to_bytes().decode() for i in range(routes)}
            config = folder / str(number)
            write_routing(config, RoutingMap("bench", 1, entries))
            words = [
                "-m",
                "linplane_server",
                "--config",
                str(config),
                "--public-fd",
                "{public}",
                "--admin-fd",
                "{admin}",
                *(flag.replace("{grpc}", grpc.rpartition(":")[2]) for flag in flags),
            ]
            target = stack.enter_context(running(name, words, f"/routes/r{routes - 1}/predict"))
            by_grpc = (grpc, f"r{routes - 1}") if name == BY_GRPC else None
            targets.append(replace(target, ids=name == IDS, grpc=by_grpc))
        rounds = [{target.name: pair(targets[0], target) for target in targets} for _ in range(ROUNDS)]
        memory = {target.name: resident_mb(target.pid) for target in targets}
    return [row_of(target.name, [pairs[target.name] for pairs in rounds], memory[target.name]) for target in targets]


def pair(baseline: Target, target: Target) -> Pair:
    """A round of load on each, one right after the other: a machine shared with others changes its speed within
    seconds.
    """
    figures = (load(baseline), load(target))
    assert not any(of_one["errors"] for of_one in figures), figures
    return figures


def row_of(name: str, pairs: list[Pair], memory: float) -> list[str]:
    """The cells of one server."""

    def median(figure: str) -> float:
        return statistics.median(figures[figure] for _, figures in pairs)

    def ratio(figure: str) -> float:
        return statistics.median(figures[figure] / baseline[figure] for baseline, figures in pairs)

    return [
        name,
        f"{median('rate'):,.0f}",
        f"{ratio('rate'):.2f}",
        f"{median('cpu'):.0f}",
        f"{median('p50'):.2f}",
        f"{median('p99'):.2f}",
        f"{ratio('p99'):.2f}",
        f"{memory:.0f}",
    ]
