"""The lines that a person reads: one for each change that means something, none twice."""

from typing import Any

import pytest

from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_operator.compile.objects import Object
from linplane_operator.local.console_events import ConsoleEvents
from unit.local.builders import Printed, body, config_map, model, route


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    """One condition."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def with_status(one: Object, *conditions: dict[str, str], **status: Any) -> Object:
    """The object with a status."""
    return {**one, "status": {"conditions": list(conditions), **status}}


READY = condition("Ready", "True", "Validated")
TRAINED = with_status(
    model(),
    READY,
    samples=40,
    coefficientCount=2,
    evaluation={"on": "Holdout", "samples": 10, "r2": 0.5, "mse": 2.25},
    droppedRows=3,
)
LOADED = (condition("Accepted", "True", "Accepted"), condition("Servable", "True", "Serving"))


def serving(version: str = "v1", *candidates: tuple[str, str], ready: bool = True) -> Object:
    """A route in effect."""
    rest = 100 - sum(float(percent) for _, percent in candidates)
    traffic = [{"version": v, "percent": p} for v, p in ((version, f"{rest:g}"), *candidates)]
    last = condition("Ready", "True", "Ready") if ready else condition("Ready", "False", "ReplicasBehind")
    return with_status(route(version=version), *LOADED, last, version=version, traffic=traffic)


@pytest.fixture
def printed() -> Printed:
    """The printed lines."""
    return Printed()


@pytest.fixture
def story(printed: Printed) -> ConsoleEvents:
    """A story with a hint."""
    return ConsoleEvents(printed, lambda _: "curl it")


def test_training_lines_from_job_to_figures(story: ConsoleEvents, printed: Printed) -> None:
    job = body(JOB, "job", metadata={"ownerReferences": [{"name": "rent-v1"}]})
    story.changed(LINEAR_MODEL, None, model())
    for reason in ("NotTrained", "Pending", "Training"):
        story.changed(LINEAR_MODEL, model(), with_status(model(), condition("Ready", "False", reason)))
    for before, after in ((0, 1), (1, 1), (1, 0)):
        story.changed(JOB, {**job, "status": {"active": before}}, {**job, "status": {"active": after}})
    story.changed(JOB, {**job, "status": {"active": 0}}, {**job, "status": {"active": 1, "failed": 1}})
    story.changed(LINEAR_MODEL, model(), TRAINED)
    assert printed.words() == [
        "training rent-v1",
        "training rent-v1, retry",
        "trained rent-v1: 40 rows used, 3 dropped, 10 held out, R2 0.5, MSE 2.25",
    ]


def test_training_line_omits_absent_figures(story: ConsoleEvents, printed: Printed) -> None:
    story.changed(
        LINEAR_MODEL,
        model(),
        with_status(model(), READY, samples=1, evaluation={"on": "Training", "samples": 1, "mse": 0.0}),
    )
    story.changed(LINEAR_MODEL, model("rent-v2"), with_status(model("rent-v2"), READY, coefficientCount=1))
    assert printed.words() == [
        "trained rent-v1: 1 row used, 0 dropped, 0 held out, MSE 0",
        "read rent-v2: weights of 1 feature",
    ]


def test_training_warnings_follow_its_figures_once(story: ConsoleEvents, printed: Printed) -> None:
    warned = {**TRAINED, "status": {**TRAINED["status"], "warnings": [{"reason": "FewRows", "message": "too few"}]}}
    story.changed(LINEAR_MODEL, model(), warned)
    story.changed(LINEAR_MODEL, warned, {**warned, "status": {**warned["status"], "servingIn": ["a"]}})
    assert printed.words()[1:] == ["warning rent-v1: FewRows: too few"]


def test_training_warnings_of_an_earlier_run_are_not_repeated(story: ConsoleEvents, printed: Printed) -> None:
    warned = {**TRAINED, "status": {**TRAINED["status"], "warnings": [{"reason": "FewRows", "message": "too few"}]}}
    story.remember(LINEAR_MODEL, warned)
    story.changed(LINEAR_MODEL, warned, {**warned, "status": {**warned["status"], "servingIn": ["a"]}})
    assert printed.words() == []


def test_model_that_cannot_serve_is_a_warning(story: ConsoleEvents, printed: Printed) -> None:
    missed = with_status(model(), condition("Ready", "False", "AcceptanceMissed", "minR2 0.9: it is 0.5"))
    story.changed(LINEAR_MODEL, model(), missed)
    story.changed(LINEAR_MODEL, missed, {**missed, "status": {**missed["status"], "servingIn": ["a"]}})
    assert [tuple(line) for line in printed.lines] == [("warning", "rent-v1: minR2 0.9: it is 0.5", "warning")]


def test_frozen_line_appears_once_no_replica_serves_it(story: ConsoleEvents, printed: Printed) -> None:
    frozen = {**TRAINED, "spec": {**TRAINED["spec"], "frozen": True}}
    behind = with_status(frozen, READY, condition("Withdrawn", "False", "ReplicasBehind"), samples=40)
    gone = with_status(frozen, READY, condition("Withdrawn", "True", "Frozen"), samples=40)
    for before, after in (
        (model(), TRAINED),
        (TRAINED, frozen),
        (frozen, behind),
        (behind, gone),
        (gone, {**gone, "spec": model()["spec"]}),
    ):
        story.changed(LINEAR_MODEL, before, after)
    assert printed.words()[1:] == ["frozen rent-v1: no replica serves it any more"]
    story.changed(LINEAR_MODEL, gone, TRAINED)
    assert printed.words()[2:] == ["unfrozen rent-v1"]


def test_route_lines_ready_with_hint_then_switch_then_split(story: ConsoleEvents, printed: Printed) -> None:
    waiting = condition("Accepted", "False", "VersionNotReady", "version v1 is not Ready (NotTrained: there is none)")
    states = [
        with_status(route(), waiting, NEVER, condition("Reconciling", "True", "VersionNotReady", "none yet")),
        serving(ready=False), serving(), serving(ready=False), serving(), serving("v2", ready=False), serving("v2"),
        serving("v2", ("v1", "12.5")), serving("v2"),
    ]  # fmt: skip
    before = route()
    for state in states:
        story.changed(MODEL_ROUTE, before, state)
        before = state
    assert printed.words() == [
        "waiting route rent: version v1 is not Ready (NotTrained: there is none)",
        "ready route rent: v1 100 %",
        "try curl it",
        "switched route rent: v2 100 %, before v1",
        "traffic route rent: v2 87.5 %, v1 12.5 %",
        "traffic route rent: v2 100 %",
    ]


NEVER = condition("Servable", "False", "NeverServed")


@pytest.mark.parametrize(
    ("reason", "progress", "word"),
    [
        ("VersionNotReady", "Reconciling", "waiting"),
        ("VersionNotReady", "Stalled", "warning"),
        ("VersionNotReady", "", "warning"),
        ("CandidateUnavailable", "Reconciling", "waiting"),
        ("CandidateUnavailable", "Stalled", "warning"),
        ("CandidateUnavailable", "", "warning"),
        ("VersionNotFound", "", "warning"),
        ("VersionFrozen", "Stalled", "warning"),
    ],
)
def test_route_line_waits_while_its_version_is_in_progress(
    story: ConsoleEvents, printed: Printed, reason: str, progress: str, word: str
) -> None:
    """The reason and the conditions say so, not the message."""
    more = [condition(progress, "True", reason)] if progress else []
    accepted = condition("Accepted", "False", reason, "version v1 (NotTrained: no)")
    story.changed(MODEL_ROUTE, route(), with_status(route(), accepted, NEVER, *more))
    assert printed.words() == [f"{word} route rent: version v1 (NotTrained: no)"]


def test_route_whose_training_fails_has_one_line(story: ConsoleEvents, printed: Printed) -> None:
    """The line of the version says why."""
    accepted = condition("Accepted", "False", "VersionNotReady", "v1 is not Ready")
    waiting, failed = (
        with_status(route(), accepted, NEVER, condition(progress, "True", "VersionNotReady", "v1 is not Ready"))
        for progress in ("Reconciling", "Stalled")
    )
    story.changed(MODEL_ROUTE, route(), waiting)
    story.changed(MODEL_ROUTE, waiting, failed)
    assert printed.words() == ["waiting route rent: v1 is not Ready"]


@pytest.mark.parametrize("kind", [LINEAR_MODEL, MODEL_ROUTE])
def test_status_of_a_newer_release_has_no_line(story: ConsoleEvents, printed: Printed, kind: Kind) -> None:
    """The state folder may hold one; the next reconcile replaces it."""
    one = model() if kind is LINEAR_MODEL else route()
    newer = with_status(one, condition("Ready", "False", "ReasonOfANewerRelease", "x"), warnings=[{"reason": "x"}])
    story.remember(kind, newer)
    story.changed(kind, one, newer)
    assert printed.words() == []


def test_hints_are_limited(story: ConsoleEvents, printed: Printed) -> None:
    for number in range(9):
        ready = serving()
        story.changed(MODEL_ROUTE, None, {**ready, "metadata": {"name": f"rent-{number}"}})
    assert len(printed.words("ready")) == 9
    assert len(printed.words("try")) == 3


def test_route_not_in_effect_says_why_and_when_it_recovers(story: ConsoleEvents, printed: Printed) -> None:
    refused = condition("Accepted", "False", "VersionNotFound", "version v9 does not exist; traffic stays on v1")
    frozen = condition("Servable", "False", "CurrentFrozen", "the current version v1 is frozen")
    rejected = condition("Ready", "False", "Rejected", "pod refused the document: broken")
    states = [
        serving(),
        with_status(route(version="v9"), refused, LOADED[1], rejected),
        serving(),
        with_status(route(), LOADED[0], frozen),
        with_status(route(), *LOADED, rejected),
        serving(),
    ]
    before = route()
    for state in states:
        story.changed(MODEL_ROUTE, before, state)
        before = state
    assert printed.words()[2:] == [
        "warning route rent: version v9 does not exist; traffic stays on v1",
        "ready route rent: v1 100 %",
        "warning route rent: the current version v1 is frozen",
        "warning route rent: pod refused the document: broken",
        "ready route rent: v1 100 %",
    ]


def test_versions_of_an_earlier_run_are_not_repeated(story: ConsoleEvents, printed: Printed) -> None:
    story.remember(LINEAR_MODEL, TRAINED)
    story.remember(MODEL_ROUTE, serving())
    story.changed(LINEAR_MODEL, TRAINED, {**TRAINED, "status": {**TRAINED["status"], "servingIn": ["rent"]}})
    story.changed(MODEL_ROUTE, serving(), serving(ready=False))
    story.changed(MODEL_ROUTE, serving(ready=False), serving())
    assert printed.words() == ["ready route rent: v1 100 %", "try curl it"]


def test_deleted_object_is_forgotten(story: ConsoleEvents, printed: Printed) -> None:
    for _ in range(2):
        story.changed(MODEL_ROUTE, route(), serving())
        story.changed(MODEL_ROUTE, serving(), None)
    assert printed.words("ready", "switched") == ["route rent: v1 100 %"] * 2


def test_other_objects_have_no_line(story: ConsoleEvents, printed: Printed) -> None:
    story.changed(CONFIG_MAP, None, config_map())
    story.changed(JOB, body(JOB, "job"), None)
    assert printed.lines == []
