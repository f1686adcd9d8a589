"""`make demo`: trains, serves, splits, switches, freezes and measures real models, with files and processes only.

Exits with 0 only if every step succeeded.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LINPLANE = [sys.executable, "-m", "linplane_cli"]
MEASURES = {"flipper_length_mm": 201, "bill_length_mm": 46.1, "bill_depth_mm": 13.2}
PATIENCE = 60.0  # seconds; far more than a step takes


def free_ports() -> tuple[int, int]:
    """Two free ports."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def wait_for(what: str, check: Callable[[], Any]) -> Any:
    """The first true answer of `check`; raises AssertionError if there is none."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := check():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")


class Demo:
    """One folder of manifests, and the `linplane local` that serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.public, self.admin = free_ports()
        self.steps = 0

    def say(self, text: str) -> None:
        """A step's heading."""
        self.steps += 1
        print(f"\n\033[1m{self.steps}. {text}\033[0m" if sys.stdout.isatty() else f"\n{self.steps}. {text}", flush=True)

    def linplane(self, *words: str, code: int = 0, quiet: bool = False) -> str:
        """Runs the command, prints it with its output, and checks the exit code."""
        done = subprocess.run([*LINPLANE, *words], capture_output=True, text=True, check=False, timeout=PATIENCE)
        answer = (done.stdout + done.stderr).strip()
        if not quiet:
            shown = [word for word in words if str(self.admin) not in word and word != "--url"]
            shown = [word for word in shown if str(self.folder) not in word and word != "--dir"]
            print(f"   $ linplane {' '.join(shown)}")
            print("".join(f"     {line}\n" for line in answer.splitlines()), end="", flush=True)
        assert done.returncode == code, f"exit code {done.returncode}, {code} was expected"
        return answer

    def objects(self, kind: str) -> dict[str, Any]:
        """The objects of a kind by name; none before `linplane local` has created its state."""
        done = subprocess.run(
            [*LINPLANE, "get", kind, "--dir", str(self.folder), "-o", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        items = json.loads(done.stdout)["items"] if done.returncode == 0 else []
        return {item["metadata"]["name"]: item for item in items}

    def is_true(self, kind: str, name: str, condition: str) -> bool:
        """The condition is True, for the object as it is now."""
        body = self.objects(kind).get(name, {})
        found = (body.get("status") or {}).get("conditions") or []
        return any(
            c["type"] == condition
            and c["status"] == "True"
            and c["observedGeneration"] == body["metadata"]["generation"]
            for c in found
        )

    def save_route(self, before: str, after: str) -> float:
        """Edits the route's manifest; returns the seconds until that is in effect on every replica."""
        path = self.folder / "route.yaml"
        generation = self.objects("routes")["penguin-mass"]["metadata"]["generation"]
        path.write_text(path.read_text().replace(before, after))
        started = time.monotonic()
        wait_for(
            "the manifest is applied",
            lambda: self.objects("routes")["penguin-mass"]["metadata"]["generation"] > generation,
        )
        wait_for("it is in effect", lambda: self.is_true("routes", "penguin-mass", "Ready"))
        return time.monotonic() - started

    def predict(self, connection: HTTPConnection, measures: dict[str, float], key: str = "user-42") -> dict[str, Any]:
        """One prediction."""
        body = json.dumps({"features": measures, "key": key})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        result: dict[str, Any] = json.loads(text)
        return result

    def count(self, keys: int) -> Counter[str]:
        """The number of keys that each version answers."""
        connection = HTTPConnection("127.0.0.1", self.public, timeout=PATIENCE)
        with_versions = Counter(
            self.predict(connection, MEASURES, f"user-{number}")["version"] for number in range(keys)
        )
        connection.close()
        return with_versions


def run_steps(demo: Demo) -> None:
    """Runs the steps. Raises AssertionError at the first that fails."""
    url = ("--url", f"http://127.0.0.1:{demo.admin}")
    folder = ("--dir", str(demo.folder))

    demo.say("Two versions train, from manifests; the route starts at v1")
    for name in ("penguin-mass-v1", "penguin-mass-v2"):
        wait_for(f"{name} is Ready", lambda name=name: demo.is_true("models", name, "Ready"))
    wait_for("the route is Ready", lambda: demo.is_true("routes", "penguin-mass", "Ready"))
    demo.linplane("get", "models", *folder)

    demo.say("A prediction says which version it comes from")
    connection = HTTPConnection("127.0.0.1", demo.public, timeout=PATIENCE)
    flipper = {"flipper_length_mm": MEASURES["flipper_length_mm"]}
    answer = demo.predict(connection, flipper)
    print(f"   POST /predict {json.dumps({'features': flipper})}\n     {json.dumps(answer)}")
    assert answer["version"] == "v1", answer

    demo.say("v2 gets 10 % of the users, by saving the manifest")
    split = "  version: v1\n  split:\n  - {version: v2, percent: 10}\n"
    seconds = demo.save_route("  version: v1\n", split)
    print("   + split:\n   + - {version: v2, percent: 10}")
    print(f"   in effect on every replica after {seconds:.2f} s")
    counts = demo.count(1000)
    print(f"   of 1,000 users {counts['v1']} are answered by v1, {counts['v2']} by v2")
    assert 60 <= counts["v2"] <= 140, counts  # 10 % of 1,000, four deviations to each side
    assert demo.count(1000) == counts, "the same users get the same versions"
    print("   a second request of each user gets the same version")

    demo.say("Switch to v2")
    demo.save_route(split, "  version: v1\n")
    demo.linplane("switch", "v2", *url)
    answer = demo.predict(connection, MEASURES)
    print(f"   POST /predict: {answer['prediction']:.1f} g from {answer['version']}")
    assert answer["version"] == "v2", answer

    demo.say("Freeze v1: it gives no more answers, and a switch to it is refused")
    demo.linplane("freeze", "v1", *url)
    wait_for("v1 is withdrawn", lambda: demo.is_true("models", "penguin-mass-v1", "Withdrawn"))
    refusal = demo.linplane("switch", "v1", *url, code=1)
    assert "409" in refusal, refusal
    assert "frozen" in refusal, refusal
    assert demo.predict(connection, MEASURES)["version"] == "v2"
    connection.close()

    demo.say("The state of everything")
    demo.linplane("get", *folder)
    print()
    demo.linplane("status", *url)


def main() -> None:
    """Runs the steps in a temporary folder."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="linplane-demo-") as temporary:
        folder = Path(temporary) / "penguins"
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", ".linplane"))
        demo = Demo(folder)
        ports = ("--port", str(demo.public), "--admin-port", str(demo.admin))
        log = Path(temporary) / "log"
        with log.open("wb") as output:
            loop = subprocess.Popen([*LINPLANE, "local", str(folder), *ports], stdout=output, stderr=output)
        print(f"linplane local {HERE.name} is at http://127.0.0.1:{demo.public}: no cluster, no Docker")
        try:
            run_steps(demo)
            demo.say("Stop")
            loop.terminate()
            code = loop.wait(timeout=PATIENCE)
            assert code == 0, f"linplane local ended with {code}"
        except BaseException:
            print(f"\n--- the log of linplane local ---\n{log.read_text()}", file=sys.stderr)
            raise
        finally:
            if loop.poll() is None:
                loop.kill()
                loop.wait()
    print(f"   stopped cleanly. {demo.steps} steps, {time.monotonic() - started:.1f} s.")


if __name__ == "__main__":
    main()
