"""A folder of manifests as `kubectl apply` and `kubectl delete`: saving a file applies it, deleting it deletes.

Nothing is lost to a bad file: what it held stays as it was accepted last, and the problem names file, line and field.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from linplane_api import names
from linplane_api.conditions import ConditionType
from linplane_api.kinds import BY_KIND, CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.manifest import Document
from linplane_api.validation import load_schemas

from ..cluster import ConflictError
from ..compile.conditions import holds
from ..compile.objects import Object, meta, name_of, status_of, uid_of
from ..compile.progress import has_ended
from .files import Files, Problem
from .judging import as_stored, content, is_simple, judge
from .store import Store
from .story import Line, Tell
from .unused import unused_parts

TAKEN = (CONFIG_MAP, LINEAR_MODEL, MODEL_SERVER, MODEL_ROUTE)
GONE_SECONDS = 0.5  # editors replace a file by deleting it first, and people move objects from file to file

LISTED_FILES = 5  # more that change at once are told in one line

ObjectKey = tuple[str, str]  # kind, name


class Manifests:
    """Keeps the store to what the files of a folder say. `clock` is monotonic, in seconds."""

    def __init__(self, folder: Path, store: Store, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        """`tell` gets what was applied and refused, each once."""
        self._folder = folder.resolve()
        self._files = Files(self._folder)
        self._store = store
        self._tell = tell
        self._clock = clock
        self._pending = True
        self._accepted: dict[ObjectKey, tuple[Document, str, int]] = {}  # with the UID and generation it became
        self._absent: dict[ObjectKey, float] = {}  # stored, in no file, since when
        self._noted: set[Line] = set()
        self.problems: list[Problem] = []

    @property
    def settled(self) -> bool:
        """Every file was read as it is."""
        return not self._files.unsettled

    def look(self) -> bool:
        """Takes up what changed; returns whether the problems did. Cheap where nothing changed. Raises OSError where
        the store does: the next look goes on.
        """
        self._pending |= self._files.look()
        before = self.problems
        if self._pending:
            found = {*self._apply(), *(f.problem for f in self._files.read.values() if f.problem)}
            if self._files.missing:
                text = f"the folder cannot be read ({self._files.missing}); all of it stays as it was"
                found = {*before, Problem(str(self._folder), 1, "", text)}
                self._absent.clear()  # it was the folder that went, a file at a time
            self._pending = False
            self.problems = sorted(found)
            self._report(before)
        self._delete_absent()
        return self.problems != before

    def _report(self, before: list[Problem]) -> None:
        for problem in self.problems:
            if problem not in before:
                self._tell(Line("refused", str(problem), "warning"))
        for file in sorted({p.file for p in before} - {p.file for p in self.problems}):
            if file in self._files.read or file == str(self._folder):
                self._tell(Line("accepted", file, "good"))

    def _apply(self) -> Iterator[Problem]:
        if self._files.missing:
            return
        places = self._places()
        applied: dict[str, Counter[str]] = {}
        for name, file in sorted(self._files.read.items()):
            counts: Counter[str] = Counter()
            for document in file.documents:
                place = places[document.key]
                if place == (name, document.line):
                    problems = self._take(name, document, counts)
                else:
                    problems = self._twice(name, document, place)
                for field, message in problems:
                    yield Problem(name, document.line_of(field), field, message)
            if counts:
                applied[name] = counts
        self._report_applied(applied)
        self._note_absent(places.keys())
        for name in self._files.saved_again:
            self._try_again(name)

    def _report_applied(self, applied: dict[str, "Counter[str]"]) -> None:
        if len(applied) > LISTED_FILES:
            applied = {f"{len(applied)} files": sum(applied.values(), Counter())}
        for name, counts in applied.items():
            self._tell(Line("applied", f"{name}: {', '.join(f'{n} {what}' for what, n in counts.items())}"))

    def _places(self) -> dict[ObjectKey, tuple[str, int]]:
        """File and line of the document that counts for each object: the one in the file that it came from before,
        else the first.
        """
        found: dict[ObjectKey, tuple[str, int]] = {}
        home: dict[ObjectKey, str] = {}
        for kind in TAKEN:
            for body in self._store.all(kind):
                home[kind.kind, name_of(body)] = _file_of(body)
        for name, file in sorted(self._files.read.items()):
            for document in file.documents:
                known = found.get(document.key)
                if known is None or (home.get(document.key) == name != known[0]):
                    found[document.key] = (name, document.line)
        return found

    def _twice(self, file: str, document: Document, place: tuple[str, int]) -> list[tuple[str, str]]:
        """What is wrong with the second of two objects of one name: in one file as a change of the first, or else
        that it is there.
        """
        kind = _kind(document)
        stored = self._store.get(kind, document.key[1]) if kind in TAKEN and file == place[0] else None
        problems = judge(kind, document.body, stored) if kind and stored else []
        kind_name = " ".join(document.key)
        return problems or [("metadata.name", f"{kind_name} stands in {place[0]}:{place[1]} as well; that one counts")]

    def _take(self, file: str, document: Document, counts: "Counter[str]") -> list[tuple[str, str]]:
        """Judges and stores one object; returns its problems as field and message."""
        kind = _kind(document)
        if kind not in TAKEN:
            return self._not_taken(file, document)
        stored = self._store.get(kind, document.key[1])
        if stored and self._accepted.get(document.key) == (document, uid_of(stored), meta(stored)["generation"]):
            return []
        self._accepted.pop(document.key, None)
        place = str(self._folder / file)
        wanted = as_stored(kind, document.body, place, stored) if is_simple(document.body) else {}
        if stored is None or content(wanted) != content(stored):  # what is stored was judged when it came in
            problems = judge(kind, document.body, stored)
            if problems:
                return problems
            wanted = as_stored(kind, document.body, place, stored)
        try:
            after = self._store.update(kind, stored, wanted) if stored else self._store.create(kind, wanted)
        except ConflictError as error:
            return [("data", str(error))]
        if stored is None:
            counts["created"] += 1
        elif any(after.get(part) != stored.get(part) for part in ("spec", "data", "binaryData", "immutable")):
            counts["changed"] += 1
        for text in unused_parts(kind, document.body):
            self._note(Line("unused", f"{file}: {kind.kind} {name_of(after)}: {text}"))
        self._accepted[document.key] = (document, uid_of(after), meta(after)["generation"])
        return []

    def _not_taken(self, file: str, document: Document) -> list[tuple[str, str]]:
        body = document.body
        if not isinstance(body.get("kind"), str) or not isinstance(body.get("apiVersion"), str):
            artifact = "coefficients" in body or "artifact" in body
            hint = "; an artifact goes into a ConfigMap that spec.weights names" if artifact else ""
            return [("", f"an object with apiVersion, kind and metadata is needed{hint}")]
        if body["apiVersion"].partition("/")[0] == names.GROUP:
            problems = [(p.field, p.message) for p in load_schemas().judge(body)]
            return problems or [("kind", f"a {body['kind']} is not applied by people; servers write it")]
        self._note(Line("unused", f"{file}: {body['apiVersion']} {body['kind']} means nothing in local mode"))
        return []

    def _note(self, line: Line) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self._tell(line)

    # ---- what is in no file any more ----

    def _note_absent(self, seen: Collection[ObjectKey]) -> None:
        kept = self._files.unsettled | {name for name, file in self._files.read.items() if file.problem}
        found = {}
        for kind in TAKEN:
            for body in self._store.all(kind):
                file, key = _file_of(body), (kind.kind, name_of(body))
                if file and key not in seen and file not in kept:
                    found[key] = self._absent.get(key, self._clock())
        self._absent = found

    def _delete_absent(self) -> None:
        due = [key for key, since in self._absent.items() if self._clock() - since >= GONE_SECONDS]
        for kind in reversed(TAKEN):
            for key in [key for key in due if key[0] == kind.kind]:
                body = self._store.get(kind, key[1])
                if body is not None:
                    self._delete(kind, body)
                del self._absent[key]

    def _delete(self, kind: Kind, body: Object) -> None:
        """The server `default` is never deleted, here as in a cluster: routes that name it would make it anew."""
        if kind is MODEL_SERVER and name_of(body) == names.DEFAULT_SERVER and self._store.all(MODEL_ROUTE):
            bare = {key: body[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": name_of(body)}}
            self._store.update(kind, body, {**bare, "spec": {}, "status": status_of(body)})
        else:
            self._store.delete(kind, body)
        self._tell(Line("deleted", f"{kind.kind} {name_of(body)}"))

    def _try_again(self, file: str) -> None:
        """A file that is saved without a change is a wish to try again what failed in it."""
        for document in self._files.read[file].documents:
            model = self._store.get(LINEAR_MODEL, document.key[1]) if document.key[0] == LINEAR_MODEL.kind else None
            retry_failed(self._store, model)


def retry_failed(store: Store, model: Object | None) -> None:
    """Deletes the Jobs of a model that ended without an artifact of it, whereupon they are made again."""
    if model is None or holds(status_of(model), ConditionType.TRAINED):
        return
    for job in store.owned(JOB, model):
        if has_ended(job):
            store.delete(JOB, job)


def _file_of(body: Object) -> str:
    """The name of the file that an object came from, empty where it came from none."""
    return Path((meta(body).get("annotations") or {}).get(names.ANNOTATION_MANIFEST, "")).name


def _kind(document: Document) -> Kind | None:
    return BY_KIND.get((str(document.body.get("apiVersion")), document.key[0]))
