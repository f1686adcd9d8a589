"""kill -9 of the loop, the server or a trainer at any moment, in the middle of a training or a switch: the same
answers after, no orphan process, nothing half-written, nothing trained twice.
"""

import os
import random
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest

from integration.local.running import Local, route, synthetic
from linplane_api.artifact import parse_artifact
from support import eventually

SEED = 20_251_123
KILLS = {"loop": 18, "server": 16, "trainer": 16}
VERSIONS = ("v1", "v2")


def schedule() -> list[tuple[str, str]]:
    """Whom to kill in the middle of what: every trainer in a training, the others in either."""
    dice = random.Random(SEED)
    victims = [victim for victim, number in KILLS.items() for _ in range(number)]
    dice.shuffle(victims)
    switches = {"loop": 9, "server": 8, "trainer": 0}
    plan = []
    for victim in victims:
        moment = "switch" if switches[victim] > 0 and dice.random() < 0.6 else "training"
        switches[victim] -= moment == "switch"
        plan.append((victim, moment))
    return plan


@dataclass
class Story:
    """The objects during the kills: two constant versions, a route, and trainings that come and go."""

    local: Local
    expected: dict[str, float] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    current: str = "v1"
    training: str | None = None
    dice: random.Random = field(default_factory=lambda: random.Random(SEED))
    numbers: "count[int]" = field(default_factory=count)

    def begin(self) -> None:
        """Trains both versions."""
        self.local.save("all.yaml", synthetic("rent", "v1") + "---\n" + synthetic("rent", "v2", features=3))
        self.local.save("route.yaml", route("rent", "v1"))
        self.local.start()
        for version in VERSIONS:
            eventually(lambda v=version: self.local.is_ready("linearmodels", f"rent-{v}"), 30)
            text = self.local.artifact("rent", version)
            self.expected[version] = self.local.expected("rent", version)
            self.digests[version] = parse_artifact(text).digest
        self.local.answers_with("rent", "v1")

    def disturb(self, moment: str) -> None:
        """Starts a switch or a training; the kill comes right after."""
        if moment == "switch":
            self.current = "v2" if self.current == "v1" else "v1"
            self.local.save("route.yaml", route("rent", self.current))
        else:
            self.training = f"t{next(self.numbers)}"
            self.local.save("training.yaml", synthetic("rent", self.training, samples=1_000_000, features=12))
            eventually(lambda: self.local.children("linplane_trainer"), 20, interval=0.005)

    def pause(self, most: float) -> None:
        """Any moment: the delay of the kill is what is random."""
        threading.Event().wait(self.dice.uniform(0, most))

    def kill(self, victim: str) -> None:
        """Kills, and starts again what does not start by itself."""
        if victim == "loop":
            self.local.kill()
            eventually(lambda: self.local.children() == [], 5)
            self.local.start()
            return
        found = self.local.children(f"linplane_{victim}")
        assert found, f"there is no {victim} to kill"
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not set(found) & set(self.local.children()), 5)

    def check(self) -> None:
        """The answers are those from before, bit for bit."""
        answer = self.local.answers_with("rent", self.current, 30)
        assert answer["prediction"] == self.expected[self.current]
        for version in VERSIONS:
            assert parse_artifact(self.local.artifact("rent", version)).digest == self.digests[version]
        if self.training:
            eventually(lambda: self.local.is_ready("linearmodels", f"rent-{self.training}"), 30)
            self.training = None
        assert "Traceback" not in self.local.text, self.local.text


@pytest.mark.timeout(400)
def test_fifty_seeded_kills(local: Local) -> None:
    story = Story(local)
    story.begin()
    plan = schedule()
    done: Counter[tuple[str, str]] = Counter()
    for victim, moment in plan:
        story.disturb(moment)
        story.pause(0.35 if moment == "training" else 0.15)
        while moment == "training" and not local.children("linplane_trainer"):  # over already: another one
            story.check()
            story.disturb(moment)
        story.kill(victim)
        story.check()
        done[victim, moment] += 1
    killed = Counter(victim for victim, _ in done.elements())
    assert killed == KILLS
    assert sum(killed.values()) >= 50
    assert min(killed.values()) >= 15
    assert {moment for victim, moment in done if victim != "trainer"} == {"switch", "training"}
    # each version was trained once, however often its trainer or its loop was killed
    trained = len(VERSIONS) + next(story.numbers)
    eventually(lambda: len(local.trained()) >= trained)  # a line follows on its version's Ready
    versions = Counter((model, version) for model, version, _ in local.trained())
    assert set(versions.values()) == {1}, versions
    assert len(versions) == trained
    assert done["trainer", "training"] == KILLS["trainer"]
    # what a kill left half-written goes with the next start
    eventually(lambda: local.is_ready("modelroutes", "rent"))
    assert local.stop() == 0
    local.start()
    assert local.answers_with("rent", story.current)["prediction"] == story.expected[story.current]
    eventually(lambda: local.is_ready("modelroutes", "rent"))
    assert local.stop() == 0
    assert local.temporaries() == []
    assert local.children() == []
    assert not list((local.state / "damaged").glob("*"))
