"""Switch, split and freeze under a constant 100 requests a second over 4 connections: effective within a second, no
failed request, and every value exactly that of the version that the answer names.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from integration.local.running import Local, route, weights
from linplane_api.artifact import predict
from linplane_api.split import Splitter
from support import eventually

CONNECTIONS, RATE = 4, 100
COEFFICIENTS = {"v1": (0.1, 7.3), "v2": (1 / 3, -2.7)}
INTERCEPT = 0.7


@dataclass(frozen=True)
class Answer:
    """One request: when it began, its key and row, and what came back."""

    began: float
    key: str
    row: tuple[float, float]
    status: int
    body: dict[str, Any]


class Load:
    """Constant load. Every connection is kept; a connection that the server closes counts as a failure."""

    def __init__(self, port: int) -> None:
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._port = port
        self._numbers = count()
        self._end = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run, args=(i,)) for i in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._end.set()
            for thread in threads:
                thread.join()

    def _run(self, index: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        connection.connect()
        due = time.monotonic() + index / RATE
        while not self._end.wait(max(0.0, due - time.monotonic())):
            due += CONNECTIONS / RATE
            try:
                self._ask(connection)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(repr(error))
                return
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        number = next(self._numbers)
        key, row = f"user-{number % 997}", (number * 0.37 % 11, number * 1.91 % 13)
        began = time.monotonic()
        body = json.dumps({"features": {"area": row[0], "rooms": row[1]}, "key": key})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        self.answers.append(Answer(began, key, row, answer.status, json.loads(answer.read())))

    def since(self, moment: float) -> list[Answer]:
        """The answers to requests that began after a moment."""
        return [answer for answer in list(self.answers) if answer.began > moment]


def _settled(load: Load, began: float, right: Callable[[Answer], bool]) -> float:
    """Seconds until every answer is right; the next 60 of them, and all after one second, have to be."""

    def seen() -> bool:
        return len(load.since(began + 1.0)) >= 60 or bool(load.failures)

    eventually(seen, 10)
    wrong = [answer for answer in load.since(began) if not right(answer)]
    late = [answer for answer in wrong if answer.began > began + 1.0]
    assert not late, late[:3]
    return max((answer.began for answer in wrong), default=began) - began


def test_switch_split_and_freeze_under_load(local: Local) -> None:
    for version, pair in COEFFICIENTS.items():
        local.save(
            f"{version}.yaml", weights("rent", version, dict(zip(("area", "rooms"), pair, strict=True)), INTERCEPT)
        )
    local.save("route.yaml", route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    eventually(lambda: local.is_ready("modelroutes", "rent") and local.is_ready("linearmodels", "rent-v2"))
    load = Load(local.port)
    half = Splitter("rent", (3000,))
    frozen = (local.folder / "v2.yaml").read_text() + "  frozen: true\n"

    def only(version: str) -> Callable[[Answer], bool]:
        return lambda answer: answer.body.get("version") == version

    def split(answer: Answer) -> bool:
        return answer.body.get("version") == ("v1" if half.pick(answer.key) is None else "v2")

    def call(path: str, status: int = 200) -> Callable[[], None]:
        def run() -> None:
            assert local.admin(path)[0] == status

        return run

    def save(name: str, text: str) -> Callable[[], None]:
        return lambda: local.save(name, text)

    candidate = [{"version": "v2", "percent": 30}]
    steps: list[tuple[str, Callable[[], None], Callable[[Answer], bool]]] = [
        ("switch by manifest", save("route.yaml", route("rent", "v2")), only("v2")),
        ("switch by call", call("switch_model?version=v1"), only("v1")),
        ("split", save("route.yaml", route("rent", "v1", split=candidate)), split),
        ("freeze a candidate by manifest", save("v2.yaml", frozen), only("v1")),
        ("unfreeze it by call", call("unfreeze?version=v2"), split),
        ("freeze it by call", call("freeze?version=v2"), only("v1")),
        ("switch to a frozen one", call("switch_model?version=v2", 409), only("v1")),
        ("no split", save("route.yaml", route("rent", "v1")), only("v1")),
    ]
    with load.running():
        eventually(lambda: len(load.answers) > 50)
        for name, act, right in steps:
            began = time.monotonic()
            act()
            print(f"{name}: {_settled(load, began, right):.3f} s")
        began = time.monotonic() - 1
    asked = len(load.since(began)) / (time.monotonic() - began)
    assert load.failures == []
    assert {answer.status for answer in load.answers} == {200}
    assert len(load.answers) > 1000
    assert 0.8 * RATE < asked < 1.2 * RATE, asked
    for answer in load.answers:
        expected = predict(COEFFICIENTS[answer.body["version"]], INTERCEPT, answer.row)
        assert answer.body["prediction"] == expected, answer


def test_key_gives_the_same_version_in_the_server_and_in_assign(local: Local) -> None:
    from click.testing import CliRunner

    from linplane_cli.main import main

    for version in ("v1", "v2", "v3"):
        local.save(f"{version}.yaml", weights("rent", version, {"area": 2.0}, 1.0))
    parts = [{"version": "v2", "percent": "12.34"}, {"version": "v3", "percent": 40}]
    local.save("route.yaml", route("rent", "v1", split=parts, splitKey={"salt": "spring"}))
    local.start()
    eventually(lambda: local.is_ready("modelroutes", "rent"), 20)
    keys = [f"user-{number}" for number in range(200)] + ["", "日本", " a ", "x" * 200]
    served = [local.predict("rent", {"area": 1}, key)["version"] for key in keys if key]
    arguments = [word for key in keys if key for word in ("--key", key)]
    answer = CliRunner().invoke(main, ["assign", "-f", str(local.folder), "--route", "rent", "-o", "json", *arguments])
    assert [line["version"] for line in json.loads(answer.stdout)] == served
    assert set(served) == {"v1", "v2", "v3"}
