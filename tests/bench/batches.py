"""Batches over HTTP: a binary matrix against the kernel's own copy, JSON, and single rows meanwhile."""

import http.client
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from linplane_api.artifact import Artifact, with_checks
from linplane_api.routing import RouteDocument, RoutingMap, ServedVersion, SplitKey, make_entry
from linplane_api.routing_folder import write_routing

from . import page
from .serving import FEATURES as SINGLE
from .serving import Target, cpu_seconds, document, load, resident_mb, running

ROWS, FEATURES, ROUNDS = 100_000, 100, 3
JSON_ROWS = 10_000
BODY_BYTES = 1 << 26
ROUTE = "wide"

PEERS = [
    ("KServe 0.21, V2 binary", 3_767),
    ("KServe 0.21, V1 JSON", 1_981),
    ("MLServer 1.7, V2 JSON", 2_053),
    ("KServe 0.21, V2 JSON", 4_910),
]
"""Milliseconds of other servers for the same rows, each measured once on another machine of two cores."""

TEXT = """Written by `make bench`, on: {machine}; medians of {rounds} rounds.

{rows:,} rows of {features} features, float64; one process on one core, the client on another. The baseline copies the
{megabytes:.0f} MB of the binary matrix from the kernel into a numpy buffer, and does nothing else. JSON is sent in
requests of {json_rows:,} rows (with `--body-bytes` raised). Extra memory is the peak above the server once it has
imported numpy. Lines of other servers were measured elsewhere, where the baseline took 38 ms: compare their ratios, not
their times.

{table}
Single rows (`/predict`, {single} features, 32 connections), while one client sends batches without a pause:

{beside}
pysimdjson reads a JSON array of numbers into a buffer in half the time of msgspec (0.55 s against 1.1 s for these
rows), but a request also checks rows, names and duplicate keys, which it does not help with. It is not worth a second
parser, since a binary matrix takes a tenth of the time."""


def wide() -> RouteDocument:
    """A route of one version with many features."""
    draw = random.Random(1)
    names = tuple(f"x{i}" for i in range(FEATURES))
    artifact = with_checks(Artifact(names, tuple(draw.gauss(0, 1) for _ in names), draw.gauss(0, 1)))
    served = ServedVersion(artifact.digest, names, artifact.coefficients, artifact.intercept, artifact.checks)
    return RouteDocument(
        route=ROUTE,
        model="bench",
        current="v0",
        split=(),
        split_key=SplitKey(ROUTE, None),
        versions={"v0": served},
        features_by_version={"v0": names},
    )


def post(target: Target, path: str, headers: dict[str, str], body: bytes) -> float:
    """The seconds of one request. Raises AssertionError if it is refused."""
    connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=120)
    began = time.perf_counter()
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    took = time.perf_counter() - began
    connection.close()
    assert answer.status == 200, content[:500]
    return took


def peak_mb(target: Target) -> float:
    """Peak resident memory of a process so far, in MB."""
    lines = Path(f"/proc/{target.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


Request = tuple[str, dict[str, str], bytes]


def requests() -> dict[str, Request]:
    """A request for each line of the table."""
    rows = np.random.default_rng(1).normal(size=(ROWS, FEATURES))
    tensor = {"name": "x", "datatype": "FP64"}
    sized = {**tensor, "shape": list(rows.shape), "parameters": {"binary_data_size": rows.nbytes}}
    text = json.dumps({"inputs": [sized], "parameters": {"binary_data_output": True}}).encode()
    few = rows[:JSON_ROWS]
    flat = {**tensor, "shape": list(few.shape), "data": few.ravel().tolist()}
    infer = f"/v2/models/{ROUTE}/infer"
    return {
        "v2, a binary matrix": (infer, {"Inference-Header-Content-Length": str(len(text))}, text + rows.tobytes()),
        "/predict, JSON": (f"/routes/{ROUTE}/predict", {}, json.dumps({"rows": few.tolist()}).encode()),
        "V1, JSON": (f"/v1/models/{ROUTE}:predict", {}, json.dumps({"instances": few.tolist()}).encode()),
        "v2, JSON": (infer, {}, json.dumps({"inputs": [flat]}).encode()),
    }


def timed(target: Target, request: Request, times: int) -> tuple[float, float]:
    """Milliseconds, and those of the server's CPU, of so many requests."""
    before = cpu_seconds(target.pid)
    took = sum(post(target, *request) for _ in range(times))
    return 1e3 * took, 1e3 * (cpu_seconds(target.pid) - before)


@contextmanager
def servers() -> Iterator[tuple[Target, Target]]:
    """The baseline, and a server with a wide and a narrow route."""
    with ExitStack() as stack:
        config = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        entries = {one.route: make_entry(one, 1).to_bytes().decode() for one in (wide(), document("r0", 1))}
        write_routing(config, RoutingMap("bench", 1, entries))
        words = ["-m", "linplane_server", "--config", str(config), "--public-fd", "{public}", "--admin-fd", "{admin}"]
        limits = ["--body-bytes", str(BODY_BYTES), "--in-flight-bytes", str(BODY_BYTES)]
        ceiling = [str(Path(__file__).with_name("ceiling.py")), "{public}"]
        yield (
            stack.enter_context(running("kernel to numpy buffer", ceiling, "/")),
            stack.enter_context(running("server", [*words, *limits], "/routes/r0/predict")),
        )


def measure() -> tuple[list[list[str]], list[list[str]]]:
    """The rows of both tables."""
    every = requests()
    binary = every["v2, a binary matrix"]
    with servers() as (ceiling, server):
        few = json.dumps({"rows": [[1.0] * FEATURES] * 300}).encode()
        for _ in range(5):  # numpy is imported with the first
            post(server, f"/routes/{ROUTE}/predict", {}, few)
            time.sleep(0.5)
        memory = {}
        for name, request in every.items():
            before = resident_mb(server.pid)
            post(server, *request)
            memory[name] = max(0.0, peak_mb(server) - before)
        rounds = []
        for _ in range(ROUNDS):
            figures = {ceiling.name: timed(ceiling, ("/", {}, binary[2]), 1)}
            for name, request in every.items():
                figures[name] = timed(server, request, 1 if request is binary else ROWS // JSON_ROWS)
            rounds.append(figures)
        beside = [[name, *cells] for name, cells in _beside(server, every)]
    base = ceiling.name
    table = [
        [
            name,
            *(f"{statistics.median(figures[name][i] for figures in rounds):,.0f}" for i in (0, 1)),
            f"{statistics.median(figures[name][0] / figures[base][0] for figures in rounds):.1f}",
            f"{memory[name]:.0f}" if name in memory else "",
        ]
        for name in rounds[0]
    ]
    table += [[f"{name} (measured elsewhere)", f"{ms:,}", "", f"{ms / 38:.0f}", ""] for name, ms in PEERS]
    return table, beside


def _beside(server: Target, every: dict[str, Request]) -> Iterator[tuple[str, list[str]]]:
    found = [(name, request) for name, request in every.items() if name in ("v2, a binary matrix", "/predict, JSON")]
    small = json.dumps({"rows": json.loads(found[1][1][2])["rows"][:500]}).encode()  # what the default limit allows
    batches = {found[0][0]: found[0][1], "/predict, JSON of 1 MiB": (found[1][1][0], {}, small)}
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in batches}
    for _ in range(ROUNDS):
        for name, request in batches.items():
            alone = load(server)["p99"]
            ended = threading.Event()

            def send(request: Request = request, ended: threading.Event = ended) -> None:
                while not ended.is_set():
                    post(server, *request)

            client = threading.Thread(target=send)
            client.start()
            meanwhile = load(server)["p99"]
            ended.set()
            client.join()
            ratios[name].append((alone, meanwhile))
    for name, pairs in ratios.items():
        alone, meanwhile = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        yield name, [f"{alone:.1f}", f"{meanwhile:.1f}", f"{statistics.median(b / a for a, b in pairs):.1f}"]


def section() -> str:
    """The section."""
    table, beside = measure()
    return TEXT.format(
        machine=page.machine(),
        rounds=ROUNDS,
        rows=ROWS,
        features=FEATURES,
        json_rows=JSON_ROWS,
        single=SINGLE,
        megabytes=ROWS * FEATURES * 8 / 1e6,
        table=page.table(("server", "ms", "CPU ms", "x baseline", "extra MB"), table),
        beside=page.table(("batches", "p99 ms alone", "p99 ms meanwhile", "x"), beside),
    )
