"""The decisions of admin calls, and their wait for an effect that occurs or does not."""

from dataclasses import dataclass, field, replace

import msgspec
import pytest

from linplane_server.admin import calls
from linplane_server.admin.backend import Condition, ObjectState
from linplane_server.admin.calls import Call, Frozen, Outcome, Switched
from linplane_server.admin.object_view import parse_object, state_of
from linplane_server.errors import Conflict, NotFound, Refused

SHORT = 0.02


def state(name: str, version: str, generation: int = 1, frozen: bool = False, **conditions: str) -> ObjectState:
    """An object whose status describes its current spec; conditions are STATUS or STATUS:REASON."""
    parts = ((kind, *[*value.split(":"), ""][:2]) for kind, value in conditions.items())
    listed = tuple(Condition(kind, status, reason, "why", generation) for kind, status, reason in parts)
    return ObjectState(name, "homes", version, generation, generation, listed, frozen)


@dataclass
class Change:
    """A change that may be refused."""

    message: str | None = None
    audit: dict[str, str] = field(default_factory=lambda: {"resourceVersion": "8"})

    async def refusal(self) -> str | None:
        return self.message


@dataclass
class Fake:
    """AdminBackend in memory; `after` has the state of each name after a change."""

    objects: dict[str, ObjectState]
    after: dict[str, ObjectState] = field(default_factory=dict)
    refused: str | None = None
    writes: list[tuple[str, object]] = field(default_factory=list)
    interval: float = 0.001

    async def route(self, name: str) -> ObjectState:
        return self._get(name)

    async def version(self, model: str, version: str) -> ObjectState:
        return self._get(f"{model}-{version}")

    async def switch(self, route: ObjectState, version: str) -> Change:
        return self._write(route.name, version)

    async def freeze(self, version: ObjectState, *, frozen: bool) -> Change:
        return self._write(version.name, frozen)

    async def close(self) -> None:
        pass

    def _get(self, name: str) -> ObjectState:
        if name not in self.objects:
            raise NotFound("NotFound", "there is none")
        return self.objects[name]

    def _write(self, name: str, value: object) -> Change:
        self.writes.append((name, value))
        self.objects |= self.after
        return Change(self.refused)


FEATURES = {"v1": ("area",), "v2": ("area",)}
"""Features of the versions that the server has loaded, all of one route."""


async def switch(fake: "Fake", route: str, version: str, timeout: float = 2, **features: tuple[str, ...]) -> Outcome:
    return await calls.switch(_call(fake, route, version, timeout, features))


async def freeze(fake: "Fake", route: str, version: str, timeout: float = 2) -> Outcome:
    return await calls.freeze(_call(fake, route, version, timeout, {}))


async def unfreeze(fake: "Fake", route: str, version: str, timeout: float = 2, **features: tuple[str, ...]) -> Outcome:
    return await calls.unfreeze(_call(fake, route, version, timeout, features))


def _call(fake: "Fake", route: str, version: str, timeout: float, features: dict[str, tuple[str, ...]]) -> Call:
    known = FEATURES | features
    return Call(fake, route, version, lambda _, one: known.get(one, ()), timeout=timeout)


ROUTE = state("r", "v1", Converged="True", Accepted="True")
V1 = state("homes-v1", "v1", Ready="True")
V2 = state("homes-v2", "v2", Ready="True")
SWITCHED = state("r", "v2", 2, Converged="True", Accepted="True")


def world(**changed: object) -> Fake:
    fake = Fake({"r": ROUTE, "homes-v1": V1, "homes-v2": V2}, {"r": SWITCHED})
    return replace(fake, **changed)  # type: ignore[arg-type]


async def test_switch_is_done_once_the_route_has_converged() -> None:
    fake = world()
    outcome = await switch(fake, "r", "v2")
    assert outcome.done
    assert outcome.body == Switched("r", "v1", "v2", converged=True)
    assert fake.writes == [("r", "v2")]


@pytest.mark.parametrize(
    "slow",
    [
        ROUTE,
        state("r", "v2", 2, Converged="False", Accepted="True"),
        msgspec.structs.replace(SWITCHED, observed=1),
        msgspec.structs.replace(SWITCHED, conditions=ROUTE.conditions),
        msgspec.structs.replace(SWITCHED, version="v1"),
    ],
)
async def test_switch_without_its_effect_is_pending(slow: ObjectState) -> None:
    outcome = await switch(world(after={"r": slow}), "r", "v2", SHORT)
    assert not outcome.done
    assert outcome.body == Switched("r", "v1", "v2", converged=False)


async def test_switch_to_the_current_version_changes_nothing() -> None:
    fake = world()
    assert (await switch(fake, "r", "v1", SHORT)).done
    assert fake.writes == []


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (state("homes-v2", "v2", frozen=True, Ready="True"), "VersionFrozen"),
        (state("homes-v2", "v2", Ready="False:Training"), "VersionNotReady"),
        (state("homes-v2", "v2"), "VersionNotReady"),
        (msgspec.structs.replace(V2, observed=0), "VersionNotReady"),
    ],
)
async def test_switch_to_a_version_that_cannot_serve_is_a_conflict_and_changes_nothing(
    target: ObjectState, reason: str
) -> None:
    fake = world(objects={"r": ROUTE, "homes-v2": target})
    with pytest.raises(Conflict) as caught:
        await switch(fake, "r", "v2", SHORT)
    assert caught.value.reason == reason
    assert fake.writes == []


async def test_call_for_an_absent_object_is_not_found() -> None:
    for call in (switch, freeze, unfreeze):
        with pytest.raises(NotFound):
            await call(world(), "absent", "v2", SHORT)
        with pytest.raises(NotFound):
            await call(world(), "r", "v9", SHORT)


async def test_switch_that_the_route_does_not_accept_has_its_reason() -> None:
    kept = state("r", "v2", 2, Accepted="False:VersionNotReady", Converged="True")
    with pytest.raises(Conflict) as caught:
        await switch(world(after={"r": kept}), "r", "v2", SHORT)
    assert (caught.value.reason, caught.value.detail) == ("VersionNotReady", "why")


async def test_change_that_is_refused_refuses_the_call() -> None:
    with pytest.raises(Refused, match=r"spec\.version: immutable"):
        await switch(world(after={}, refused="spec.version: immutable"), "r", "v2", SHORT)


async def test_freeze_is_done_once_withdrawn() -> None:
    frozen = state("homes-v2", "v2", 2, frozen=True, Withdrawn="True")
    fake = world(after={"homes-v2": frozen})
    outcome = await freeze(fake, "r", "v2")
    assert outcome.done
    assert outcome.body == Frozen("homes", "v2", frozen=True, withdrawn=True)
    assert fake.writes == [("homes-v2", True)]
    behind = state("homes-v2", "v2", 2, frozen=True, Withdrawn="False:ReplicasBehind")
    assert not (await freeze(world(after={"homes-v2": behind}), "r", "v2", SHORT)).done


async def test_freeze_of_the_current_version_warns() -> None:
    fake = world(after={"homes-v1": state("homes-v1", "v1", 2, frozen=True, Withdrawn="True")})
    assert (await freeze(fake, "r", "v1")).body.warnings == (
        "v1 is the current version of r: its share is answered 503 until a switch",
    )
    assert (await freeze(world(), "r", "v2", SHORT)).body.warnings == ()


async def test_freeze_and_unfreeze_of_a_version_already_in_that_state_change_nothing() -> None:
    frozen = state("homes-v2", "v2", frozen=True, Withdrawn="True")
    fake = world(objects={"r": ROUTE, "homes-v2": frozen, "homes-v1": V1})
    assert (await freeze(fake, "r", "v2", SHORT)).done
    assert (await unfreeze(fake, "r", "v1", SHORT)).done
    assert fake.writes == []


async def test_unfreeze_is_done_once_it_is_observed() -> None:
    frozen = state("homes-v2", "v2", frozen=True, Withdrawn="True")
    fake = world(objects={"r": ROUTE, "homes-v2": frozen}, after={"homes-v2": state("homes-v2", "v2", 2)})
    outcome = await unfreeze(fake, "r", "v2")
    assert outcome.done
    assert fake.writes == [("homes-v2", False)]


# ---- warnings ----

MORE = {"v2": ("area", "rooms", "age")}
NEEDS = ("v2 also needs rooms and age",)


@pytest.mark.parametrize("after", [SWITCHED, ROUTE])
async def test_switch_warns_of_features_that_callers_do_not_send_yet(after: ObjectState) -> None:
    """Even if it is pending."""
    assert (await switch(world(after={"r": after}), "r", "v2", SHORT, **MORE)).body.warnings == NEEDS
    assert (await switch(world(), "r", "v2", SHORT, v2=("rooms",), v1=("area", "rooms"))).body.warnings == ()


async def test_version_that_is_not_loaded_has_the_features_of_its_status() -> None:
    fake = world(objects={"r": ROUTE, "homes-v2": msgspec.structs.replace(V2, features=MORE["v2"])})
    assert (await switch(fake, "r", "v2", SHORT, v2=())).body.warnings == NEEDS
    assert (await switch(world(), "r", "v2", SHORT, v2=(), v1=())).body.warnings == (), "nothing is known"


PENDING = msgspec.structs.replace(ROUTE, version="v9", in_effect="v1")
"""Traffic is on v1, and the route's spec has a version that does not exist."""


async def test_warnings_are_about_the_version_in_effect() -> None:
    """Not about the one in the route's spec."""
    fake = world(objects={"r": PENDING, "homes-v1": V1, "homes-v2": V2})
    assert (await switch(fake, "r", "v2", SHORT, **MORE)).body.warnings == NEEDS
    fake = world(objects={"r": PENDING, "homes-v1": V1})
    assert (await freeze(fake, "r", "v1", SHORT)).body.warnings == (
        "v1 is the current version of r: its share is answered 503 until a switch",
    )
    route = msgspec.structs.replace(PENDING, split=({"version": "v2", "percent": 10},))
    fake = world(objects={"r": route, "homes-v2": state("homes-v2", "v2", frozen=True)})
    assert (await unfreeze(fake, "r", "v2", SHORT, **MORE)).body.warnings == NEEDS


def test_version_in_effect_is_read_from_the_status() -> None:
    body = {"metadata": {"name": "r"}, "spec": {"model": "homes", "version": "v9"}, "status": {"version": "v1"}}
    found = state_of(parse_object(msgspec.json.encode(body)))
    assert (found.version, found.current) == ("v9", "v1")
    body.pop("status")
    assert state_of(parse_object(msgspec.json.encode(body))).current == "v9"


def candidates(*split: tuple[str, object]) -> ObjectState:
    listed = tuple({"version": version, "percent": percent} for version, percent in split)
    return msgspec.structs.replace(ROUTE, split=listed)


@pytest.mark.parametrize(
    ("split", "warnings"),
    [
        ([("v2", 10), ("v3", "0.25")], ("v3 is now the first candidate: other users get it than before",)),
        ([("v2", 10), ("v3", 0)], ()),
        ([("v3", 5), ("v2", 10)], ()),
        ([("v2", 10)], ()),
    ],
)
async def test_promotion_warns_of_users_that_move(split: list[tuple[str, object]], warnings: tuple[str, ...]) -> None:
    """The first candidate takes its users from one end, the second from the other."""
    fake = world(objects={"r": candidates(*split), "homes-v2": V2})
    assert (await switch(fake, "r", "v2", SHORT)).body.warnings == warnings


@pytest.mark.parametrize(("percent", "warnings"), [(10, NEEDS), ("0.01", NEEDS), (0, ()), ("0", ())])
async def test_unfreeze_of_a_candidate_warns_as_a_switch_does(percent: object, warnings: tuple[str, ...]) -> None:
    frozen = state("homes-v2", "v2", frozen=True)
    fake = world(objects={"r": candidates(("v2", percent)), "homes-v2": frozen})
    assert (await unfreeze(fake, "r", "v2", SHORT, **MORE)).body.warnings == warnings
