"""A folder of manifests as `kubectl apply` and `kubectl delete`: saving a file applies it, deleting it deletes.

Nothing is lost to a mistake. An object leaves only if its file is gone, or if the file holds it no longer and
everything in that file is accepted (kubectl prunes nothing after an error either). Until then what the file held
stays as it was accepted last, and the problem names file, line and field.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from linplane_api import names
from linplane_api.conditions import ConditionType
from linplane_api.kinds import JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.manifests.manifest import Document

from ..cluster_client import ConflictError
from ..compile.conditions import holds
from ..compile.job_progress import has_ended
from ..compile.objects import Object, annotation_of, meta, name_of, status_of, uid_of
from ..compile.observed import Job, observe
from .admission import (
    TAKEN,
    as_stored,
    content,
    has_name,
    is_simple,
    judge,
    kind_of,
    not_understood,
    unused_parts,
)
from .console_events import Line, Notify
from .manifest_files import ManifestFile, ManifestFiles, Problem
from .retained_artifacts import RetainedArtifacts
from .store import Store

GONE_SECONDS = 0.5  # editors replace a file by deleting it first, and people move objects from file to file

LISTED_FILES = 5  # more that change at once are reported in one line
LISTED_OBJECTS = 3

ObjectKey = tuple[str, str]  # kind, name


class Manifests:
    """Keeps the store to what the files of a folder say. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        retained: RetainedArtifacts,
        notify: Notify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notify` gets what was applied and refused, each once."""
        self._folder = folder.absolute()  # not resolved: a link may be swapped
        self._files = ManifestFiles(self._folder)
        self._store = store
        self._retained = retained
        self._notify = notify
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

    @property
    def believed(self) -> bool:
        """The folder is there, and is a folder of manifests."""
        return not self._files.missing and not self._files.unproven

    def look(self) -> bool:
        """Takes up what changed; returns whether the problems did. Cheap where nothing changed. Raises OSError where
        the store does: the next look goes on.
        """
        self._pending |= self._files.look()
        before = self.problems
        if self._pending:
            self.problems = self._apply(before)
            self._pending = False
            self._report(before)
        self._delete_absent()
        return self.problems != before

    def _report(self, before: list[Problem]) -> None:
        for problem in self.problems:
            if problem not in before:
                self._notify(Line("refused", str(problem), "warning"))
        for file in sorted({p.file for p in before} - {p.file for p in self.problems}):
            if file in self._files.read or file == str(self._folder):
                self._notify(Line("accepted", file, "good"))

    def _apply(self, before: list[Problem]) -> list[Problem]:
        """Applies the files; returns what is wrong with them, and with the folder."""
        if self._files.missing:
            text = f"the folder cannot be read ({self._files.missing}); all of it stays as it was"
            self._absent.clear()  # it was the folder that went, a file at a time
            return sorted({*before, Problem(str(self._folder), 1, "", text)})
        homes = {
            (kind.kind, name_of(body)): file
            for kind in TAKEN
            for body in self._store.all(kind)
            if (file := _file_of(body))
        }
        places = self._places(homes)
        found = [*self._apply_files(places, set(homes.values()))]
        found += [file.problem for file in self._files.read.values() if file.problem]
        if self._files.unproven:
            self._absent.clear()
            if homes and self.settled:
                text = "the folder is not the one from before, and no file in it holds an object"
                found.append(Problem(str(self._folder), 1, "", f"{text}; all of it stays as it was"))
            return sorted(set(found))
        found += self._halfway(homes, places)
        self._note_absent(homes, places, {p.file for p in found})
        return sorted(self._with_what_stays(set(found), homes, places))

    def _apply_files(self, places: dict[ObjectKey, tuple[str, int]], homes: set[str]) -> Iterator[Problem]:
        applied: dict[str, Counter[str]] = {}
        for name, file in sorted(self._files.read.items()):
            counts: Counter[str] = Counter()
            is_ours = name in homes or any(map(kind_of, file.documents))
            for document in file.documents:
                for field, message in self._apply_one(name, document, places, counts, is_ours=is_ours):
                    yield Problem(name, document.line_of(field), field, document.message_for(field, message))
            if counts:
                applied[name] = counts
        self._report_applied(applied)
        for name in self._files.saved_again:
            self._try_again(name)

    def _apply_one(
        self,
        file: str,
        document: Document,
        places: dict[ObjectKey, tuple[str, int]],
        counts: "Counter[str]",
        *,
        is_ours: bool,
    ) -> list[tuple[str, str]]:
        """Applies one object, and returns its problems as field and message. `is_ours`: there are objects for local
        mode in its file.
        """
        kind = kind_of(document)
        if kind is None:
            return self._pass_over(file, document, is_ours=is_ours)
        place = places.get(document.key, (file, document.line))
        if place != (file, document.line):
            return self._twice(kind, file, document, place)
        return self._take(kind, file, document, counts)

    def _report_applied(self, applied: dict[str, "Counter[str]"]) -> None:
        if len(applied) > LISTED_FILES:
            applied = {f"{len(applied)} files": sum(applied.values(), Counter())}
        for name, counts in applied.items():
            self._notify(Line("applied", f"{name}: {', '.join(f'{n} {what}' for what, n in counts.items())}"))

    def _places(self, homes: dict[ObjectKey, str]) -> dict[ObjectKey, tuple[str, int]]:
        """File and line of the document that counts for each object: the one in the file that the object came from,
        otherwise the first.
        """
        found: dict[ObjectKey, tuple[str, int]] = {}
        for name, file in sorted(self._files.read.items()):
            for document in file.documents:
                if kind_of(document) is None or not has_name(document.body):
                    continue
                known = found.get(document.key)
                if known is None or (homes.get(document.key) == name != known[0]):
                    found[document.key] = (name, document.line)
        return found

    def _twice(self, kind: Kind, file: str, document: Document, place: tuple[str, int]) -> list[tuple[str, str]]:
        """What is wrong with the second of two objects of one name: in one file as a change of the first, or else
        that it is there.
        """
        stored = self._store.get(kind, document.key[1]) if file == place[0] else None
        problems = judge(kind, document.body, stored) if stored else []
        kind_name = " ".join(document.key)
        return problems or [("metadata.name", f"{kind_name} stands in {place[0]}:{place[1]} as well; that one counts")]

    def _take(self, kind: Kind, file: str, document: Document, counts: "Counter[str]") -> list[tuple[str, str]]:
        """Judges and stores one object; returns its problems as field and message."""
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
            after = self._store.update(kind, stored, wanted) if stored else self._retained.create(kind, wanted)
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

    def _pass_over(self, file: str, document: Document, *, is_ours: bool) -> list[tuple[str, str]]:
        """An object that is not taken: an error if it may be meant for local mode, else named once."""
        problems = not_understood(document.body)
        if not problems and is_ours and not has_name(document.body):
            return [("metadata.name", "Required value")]
        if not problems:
            body = document.body
            self._note(Line("unused", f"{file}: {body['apiVersion']} {body['kind']} means nothing in local mode"))
        return problems

    def _note(self, line: Line) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self._notify(line)

    # ---- what is in no file any more ----

    def _note_absent(self, homes: dict[ObjectKey, str], seen: Iterable[ObjectKey], doubted: set[str]) -> None:
        """What leaves, if it is still absent after a while: a file that is `doubted` keeps all that it held."""
        kept = self._files.unsettled | doubted
        gone = {key for key, file in homes.items() if file not in kept} - set(seen)
        self._absent = {key: self._absent.get(key, self._clock()) for key in gone}

    def _halfway(self, homes: dict[ObjectKey, str], seen: Iterable[ObjectKey]) -> Iterator[Problem]:
        """Files that lack what they held because they are written only in part: nothing at all, as when a disk is
        full, or up to the middle of a name.
        """
        for key in homes.keys() - set(seen):
            name = homes[key]
            file = self._files.read.get(name)
            if file is None or file.problem:
                continue
            if not file.documents:
                yield Problem(name, 1, "", "is empty: delete the file to delete what it held")
            elif _is_cut_short(file, key):
                line = file.documents[-1].line_of("metadata.name")
                text = f"the file ends within this line, which was {key[1]}: end it with a line break if it is whole"
                yield Problem(name, line, "metadata.name", text)

    def _with_what_stays(
        self, problems: set[Problem], homes: dict[ObjectKey, str], seen: Iterable[ObjectKey]
    ) -> Iterator[Problem]:
        """The first problem of each file says which objects the file keeps without holding them."""
        listed = set(seen)
        reported: set[str] = set()
        for problem in sorted(problems):
            file = self._files.read.get(problem.file)
            broken = file is not None and file.problem is not None
            held = [
                " ".join(key) for key, home in homes.items() if home == problem.file and (broken or key not in listed)
            ]
            if not held or problem.file in reported:
                yield problem
                continue
            reported.add(problem.file)
            more = [f"{len(held) - LISTED_OBJECTS} more"] if len(held) > LISTED_OBJECTS else []
            shown = f"{', '.join(held[:LISTED_OBJECTS] + more)} {'stays' if len(held) == 1 else 'stay'}"
            text = f"{problem.message}; {shown} as accepted before"
            yield Problem(problem.file, problem.line, problem.field, text)

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
            self._retained.keep(kind, body)
            self._store.delete(kind, body)
        self._notify(Line("deleted", f"{kind.kind} {name_of(body)}"))

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
        if has_ended(observe(Job, job)):
            store.delete(JOB, job)


def _is_cut_short(file: ManifestFile, key: ObjectKey) -> bool:
    """Whether the file ends within the name of an object that it held."""
    kind, name = file.documents[-1].key
    return kind == key[0] and key[1].startswith(name) and file.last_line.split() == ["name:", name]


def _file_of(body: Object) -> str:
    """The name of the file that an object came from, empty where it came from none."""
    return Path(annotation_of(body, names.ANNOTATION_MANIFEST)).name
