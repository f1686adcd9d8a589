"""The lines of the console: one per change that matters to a user, none twice. No I/O."""

import json
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

import msgspec

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Condition, ConditionType, Reason
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_api.resources import LinearModelStatus, ModelRouteStatus
from linplane_api.routing import parse_entry

from ..compile.objects import Object, data_of, meta, name_of, spec_of, status_of
from .store import Store

MAX_HINTS = 3  # per run
MAX_FEATURES = 8  # of a hint, so that it fits a line

Tone = Literal["plain", "good", "warning", "hint"]


class Line(NamedTuple):
    """One line of the console: a word for the event, and the text."""

    word: str
    text: str
    tone: Tone = "plain"


Notify = Callable[[Line], None]

_UNDER_WAY = {Reason.NOT_TRAINED, Reason.TRAINING, Reason.PENDING}
_WAITS = {Reason.VERSION_NOT_READY, Reason.CANDIDATE_UNAVAILABLE}

S = TypeVar("S", LinearModelStatus, ModelRouteStatus)


class ConsoleEvents:
    """Turns changes of objects into lines."""

    def __init__(self, notify: Notify, hint: Callable[[Object], str]) -> None:
        """`hint` returns a command that calls a route, empty if there is none."""
        self._notify = notify
        self._hint = hint
        self._printed: dict[tuple[str, str], Line] = {}
        self._warned: dict[str, list[str]] = {}  # by version
        self._hints_left = MAX_HINTS
        self._versions: dict[str, str] = {}  # by route: the version printed last

    def remember(self, kind: Kind, body: Object) -> None:
        """Marks the state of a version as printed by an earlier run; a route is printed again once it is ready."""
        if kind is LINEAR_MODEL and (line := _model(body)):
            self._printed[kind.kind, name_of(body)] = line
            self._warned[name_of(body)] = _warnings(body)

    def changed(self, kind: Kind, before: Object | None, after: Object | None) -> None:
        """Prints a line for a change that matters."""
        body = after or before or {}
        key = (kind.kind, name_of(body))
        if kind is JOB and after is not None:
            self._job(before, after)
        if kind not in (LINEAR_MODEL, MODEL_ROUTE):
            return
        if after is None:
            self._printed.pop(key, None)
            self._warned.pop(key[1], None)
            self._versions.pop(key[1], None)
            return
        self._headline(kind, before, after)
        if kind is LINEAR_MODEL:
            self._warnings(after)

    def _headline(self, kind: Kind, before: Object | None, after: Object) -> None:
        key = (kind.kind, name_of(after))
        line = _model(after) if kind is LINEAR_MODEL else _route(after)
        last = self._printed.get(key)
        if line is None or (last and line.text == last.text) or (before and status_of(before) == status_of(after)):
            return
        self._printed[key] = line
        if kind is LINEAR_MODEL:
            self._notify(_thawed(line, last))
        else:
            self._of_route(line, last, after)

    def _warnings(self, model: Object) -> None:
        before = self._warned.get(name_of(model), [])
        self._warned[name_of(model)] = _warnings(model)
        for text in _warnings(model):
            if text not in before:
                self._notify(Line("warning", f"{name_of(model)}: {text}", "warning"))

    def _of_route(self, line: Line, last: Line | None, route: Object) -> None:
        name, version = name_of(route), _status(route, ModelRouteStatus).version or ""
        printed = self._versions.get(name)
        if line.tone == "good":
            self._versions[name] = version
            if printed not in (None, version):
                line = Line("switched", f"{line.text}, before {printed}", "good")
            elif printed and last and last.tone == "good":
                line = Line("traffic", line.text, "good")
        self._notify(line)
        if line.tone == "good" and printed is None and self._hints_left and (hint := self._hint(route)):
            self._hints_left -= 1
            self._notify(Line("try", hint, "hint"))

    def _job(self, before: Object | None, after: Object) -> None:
        runs, ran = (status_of(body or {}).get("active") for body in (after, before))
        failed = int(status_of(after).get("failed") or 0)
        if runs and not ran:
            owners = meta(after).get("ownerReferences") or [{"name": name_of(after)}]
            self._notify(Line("training", f"{owners[0]['name']}{', retry' if failed else ''}"))


def _thawed(line: Line, last: Line | None) -> Line:
    if last and last.word == "frozen" and line.tone == "good":
        return Line("unfrozen", line.text.partition(":")[0], "good")
    return line


def _status(body: Object, kind: type[S]) -> S:
    """The status, empty if it cannot be parsed because a newer release wrote it."""
    try:
        return msgspec.convert(status_of(body), kind)
    except msgspec.ValidationError:
        return kind()


def _condition(status: LinearModelStatus | ModelRouteStatus, kind: ConditionType) -> Condition | None:
    return next((c for c in status.conditions or () if c.type is kind), None)


def _holds(status: LinearModelStatus | ModelRouteStatus, kind: ConditionType) -> bool:
    found = _condition(status, kind)
    return found is not None and found.status == "True"


def _model(body: Object) -> Line | None:
    """The line for a LinearModel's status, None while it is in progress."""
    name, status = name_of(body), _status(body, LinearModelStatus)
    ready = _condition(status, ConditionType.READY)
    if ready is None or ready.reason in _UNDER_WAY:
        return None
    if ready.status != "True":
        return Line("warning", f"{name}: {ready.message}", "warning")
    if spec_of(body).get("frozen"):
        is_withdrawn = _holds(status, ConditionType.WITHDRAWN)
        return Line("frozen", f"{name}: no replica serves it any more") if is_withdrawn else None
    if status.samples is None:
        return Line("read", f"{name}: weights of {_counted(status.coefficient_count or 0, 'feature')}", "good")
    return Line("trained", f"{name}: {_figures(status.samples, status)}", "good")


def _figures(samples: int, status: LinearModelStatus) -> str:
    evaluation = status.evaluation
    held_out = evaluation.samples if evaluation and evaluation.on == "Holdout" else 0
    shown = [f"{_counted(samples, 'row')} used", f"{status.dropped_rows or 0} dropped", f"{held_out} held out"]
    if evaluation:
        figures = (("R2", evaluation.r2), ("MSE", evaluation.mse))
        shown += [f"{label} {value:.6g}" for label, value in figures if value is not None]
    return ", ".join(shown)


def _warnings(model: Object) -> list[str]:
    return [f"{one.reason}: {one.message}" for one in _status(model, LinearModelStatus).warnings or ()]


def _route(body: Object) -> Line | None:
    """The line for a ModelRoute's status, None while it is in progress."""
    name, status = name_of(body), _status(body, ModelRouteStatus)
    accepted, servable, ready = (
        _condition(status, kind) for kind in (ConditionType.ACCEPTED, ConditionType.SERVABLE, ConditionType.READY)
    )
    if accepted and accepted.reason in _WAITS and _holds(status, ConditionType.RECONCILING):
        return Line("waiting", f"route {name}: {accepted.message}")
    for condition in (accepted, servable):
        if condition and condition.status == "False" and condition.reason is not Reason.NEVER_SERVED:
            return Line("warning", f"route {name}: {condition.message}", "warning")
    if ready and ready.reason is Reason.REJECTED:
        return Line("warning", f"route {name}: {ready.message}", "warning")
    if ready is None or ready.status != "True":
        return None
    parts = (f"{share.version} {share.percent} %" for share in status.traffic or ())
    return Line("ready", f"route {name}: {', '.join(parts)}", "good")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def curl_line(route: Object, store: Store) -> str:
    """A curl command with a row of the artifact's own checks; empty if it would not fit a line."""
    routing = store.get(CONFIG_MAP, names.routing_name(names.DEFAULT_SERVER)) or {}
    text = data_of(routing).get(names.route_key(name_of(route)))
    try:
        document = parse_entry(text).document if text else None
    except FormatError:
        return ""
    served = document.versions.get(document.current or "") if document else None
    if served is None or len(served.features) > MAX_FEATURES or not status_of(route).get("url"):
        return ""
    row = served.checks[-1].features if served.checks else (1.0,) * len(served.features)
    named = {name: float(f"{value:.3g}") for name, value in zip(served.features, row, strict=True)}
    body = json.dumps({"features": named}, ensure_ascii=False)
    if "'" in body:
        return ""
    return f"curl {status_of(route)['url']}/predict -H content-type:application/json -d '{body}'"
