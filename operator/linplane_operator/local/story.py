"""What a person at the terminal is told: one line for each change that means something, none twice. Pure but for
what was told before.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from linplane_api.conditions import Reason
from linplane_api.kinds import JOB, LINEAR_MODEL, MODEL_ROUTE, Kind

from ..compile.objects import Object, meta, name_of, spec_of, status_of

MAX_HINTS = 3  # of one run: who has more routes knows by then

Tone = Literal["plain", "good", "warning", "hint"]


class Line(NamedTuple):
    """One word for what happened, and to what."""

    word: str
    text: str
    tone: Tone = "plain"


Tell = Callable[[Line], None]

_UNDER_WAY = {Reason.NOT_TRAINED, Reason.TRAINING, Reason.PENDING}
_WAITS = (f"({Reason.NOT_TRAINED}:", f"({Reason.TRAINING}:", f"({Reason.PENDING}:")


class Story:
    """Turns changes of objects into lines."""

    def __init__(self, tell: Tell, hint: Callable[[Object], str]) -> None:
        """`hint` gives a command that asks a route for a prediction, empty where there is none."""
        self._tell = tell
        self._hint = hint
        self._told: dict[tuple[str, str], Line] = {}
        self._warned: dict[str, list[str]] = {}  # of each version
        self._hints_left = MAX_HINTS
        self._versions: dict[str, str] = {}  # of each route, as it was told

    def remember(self, kind: Kind, body: Object) -> None:
        """What an earlier run told of a version is not told again; of a route it is, once it answers."""
        if kind is LINEAR_MODEL and (line := _model(body)):
            self._told[kind.kind, name_of(body)] = line
            self._warned[name_of(body)] = _warnings(body)

    def changed(self, kind: Kind, before: Object | None, after: Object | None) -> None:
        """Tells what a change means, if anything."""
        body = after or before or {}
        key = (kind.kind, name_of(body))
        if kind is JOB and after is not None:
            self._job(before, after)
        if kind not in (LINEAR_MODEL, MODEL_ROUTE):
            return
        if after is None:
            self._told.pop(key, None)
            self._warned.pop(key[1], None)
            self._versions.pop(key[1], None)
            return
        self._headline(kind, before, after)
        if kind is LINEAR_MODEL:
            self._warnings(after)

    def _headline(self, kind: Kind, before: Object | None, after: Object) -> None:
        key = (kind.kind, name_of(after))
        line = _model(after) if kind is LINEAR_MODEL else _route(after)
        if line is None or line == self._told.get(key) or (before and status_of(before) == status_of(after)):
            return
        last, self._told[key] = self._told.get(key), line
        if kind is LINEAR_MODEL:
            self._tell(_thawed(line, last))
        else:
            self._of_route(line, last, after)

    def _warnings(self, model: Object) -> None:
        before = self._warned.get(name_of(model), [])
        self._warned[name_of(model)] = _warnings(model)
        for text in _warnings(model):
            if text not in before:
                self._tell(Line("warning", f"{name_of(model)}: {text}", "warning"))

    def _of_route(self, line: Line, last: Line | None, route: Object) -> None:
        name, version = name_of(route), str(status_of(route).get("version"))
        told = self._versions.get(name)
        if line.tone == "good":
            self._versions[name] = version
            if told not in (None, version):
                line = Line("switched", f"{line.text}, before {told}", "good")
            elif told and last and last.tone == "good":
                line = Line("traffic", line.text, "good")
        self._tell(line)
        if line.tone == "good" and told is None and self._hints_left and (hint := self._hint(route)):
            self._hints_left -= 1
            self._tell(Line("try", hint, "hint"))

    def _job(self, before: Object | None, after: Object) -> None:
        runs, ran = (status_of(body or {}).get("active") for body in (after, before))
        failed = int(status_of(after).get("failed") or 0)
        if runs and not ran:
            owners = meta(after).get("ownerReferences") or [{"name": name_of(after)}]
            self._tell(Line("training", f"{owners[0]['name']}{', once more' if failed else ''}"))


def _thawed(line: Line, last: Line | None) -> Line:
    if last and last.word == "frozen" and line.tone == "good":
        return Line("unfrozen", line.text.partition(":")[0], "good")
    return line


def _condition(body: Object, kind: str) -> dict[str, Any]:
    return next((c for c in status_of(body).get("conditions") or () if c.get("type") == kind), {})


def _model(body: Object) -> Line | None:
    """What a LinearModel's status comes down to, None where nothing is settled."""
    name, status = name_of(body), status_of(body)
    ready = _condition(body, "Ready")
    if not ready or ready["reason"] in _UNDER_WAY:
        return None
    if ready["status"] != "True":
        return Line("warning", f"{name}: {ready['message']}", "warning")
    if spec_of(body).get("frozen"):
        withdrawn = _condition(body, "Withdrawn").get("status") == "True"
        return Line("frozen", f"{name}: nothing answers with it any more") if withdrawn else None
    if status.get("samples") is None:
        return Line("read", f"{name}: weights of {_counted(status.get('coefficientCount', 0), 'feature')}", "good")
    figures = status.get("evaluation") or {}
    shown = [f"{_counted(status['samples'], 'row')} used"]
    shown += [f"{status.get('droppedRows', 0)} dropped"]
    shown += [f"{figures['samples'] if figures.get('on') == 'Holdout' else 0} held out"]
    shown += [f"{label} {figures[key]:.6g}" for key, label in (("r2", "R2"), ("mse", "MSE")) if key in figures]
    return Line("trained", f"{name}: {', '.join(shown)}", "good")


def _warnings(model: Object) -> list[str]:
    return [f"{one['reason']}: {one['message']}" for one in status_of(model).get("warnings") or ()]


def _route(body: Object) -> Line | None:
    """What a ModelRoute's status comes down to, None where nothing is settled."""
    name, status = name_of(body), status_of(body)
    accepted, servable, ready = (_condition(body, kind) for kind in ("Accepted", "Servable", "Ready"))
    if accepted.get("status") == "False" and any(mark in accepted["message"] for mark in _WAITS):
        return Line("waiting", f"route {name}: {accepted['message']}")
    for condition in (accepted, servable):
        if condition.get("status") == "False" and condition["reason"] != Reason.NEVER_SERVED:
            return Line("warning", f"route {name}: {condition['message']}", "warning")
    if ready.get("reason") == Reason.REJECTED:
        return Line("warning", f"route {name}: {ready['message']}", "warning")
    if ready.get("status") != "True":
        return None
    parts = (f"{share['version']} {share['percent']} %" for share in status.get("traffic") or ())
    return Line("ready", f"route {name}: {', '.join(parts)}", "good")


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
