"""Applies a folder of manifests to the store like `kubectl apply` and `kubectl delete`.

A mistake deletes nothing. An object is deleted only if its file is gone, or if the file no longer defines it and
everything in that file is accepted (kubectl does not prune after an error either). Until then objects stay as last
accepted, and the problem names file, line and field.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from linplane_api import names
from linplane_api.conditions import ConditionType
from linplane_api.kinds import JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.manifests.manifest import Document
from linplane_api.resources import LinearModelSpec, parse_spec

from ..cluster_client import ConflictError
from ..compile.conditions import holds
from ..compile.job_progress import has_ended
from ..compile.objects import Object, annotation_of, meta, name_of, status_of, uid_of
from ..compile.observed import Job, observe
from .admission import (
    ACCEPTED,
    as_stored,
    content,
    has_name,
    ignored_fields,
    is_simple,
    kind_of,
    problems_of_unaccepted,
    validate,
)
from .console_events import Line, Notify
from .kept_objects import ObjectKey, incomplete_files, with_kept_objects
from .manifest_files import ManifestFiles, Problem
from .retained_artifacts import RetainedArtifacts
from .secrets import is_secret, keys_of, problems_of_secret
from .store import Store

GONE_SECONDS = 0.5  # editors delete a file before they replace it, and users move objects between files

LISTED_FILES = 5  # more changed files at once are reported in one line


class Manifests:
    """Brings the store to the state of the manifests. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        retained: RetainedArtifacts,
        notify: Notify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notify` is called with each object that was applied or refused."""
        self._folder = folder.absolute()  # not resolved: a link may be swapped
        self._files = ManifestFiles(self._folder)
        self._store = store
        self._retained = retained
        self._notify = notify
        self._clock = clock
        self._pending = True
        self._accepted: dict[ObjectKey, tuple[Document, str, int]] = {}  # with the resulting UID and generation
        self._absent: dict[ObjectKey, float] = {}  # stored but in no file: since when
        self._noted: set[Line] = set()
        self._secrets: dict[str, Mapping[str, str]] = {}  # of the files alone: nothing writes them
        self.problems: list[Problem] = []

    @property
    def settled(self) -> bool:
        """True if no file has unread changes."""
        return not self._files.unsettled

    @property
    def believed(self) -> bool:
        """True if the folder exists and is known to hold manifests."""
        return not self._files.missing and not self._files.unproven

    def secret(self, name: str) -> Mapping[str, str]:
        """The values of a Secret by key, empty if there is none."""
        return self._secrets.get(name, {})

    def poll(self) -> bool:
        """Applies changed files; returns True if the problems changed. Cheap if nothing changed. Raises OSError if the
        store does; the next poll continues.
        """
        self._pending |= self._files.poll()
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
        """Applies the files; returns their problems and the folder's."""
        if self._files.missing:
            text = f"the folder cannot be read ({self._files.missing}); all of it stays as it was"
            self._absent.clear()  # the folder was being removed, file by file
            return sorted({*before, Problem(str(self._folder), 1, "", text)})
        homes = {
            (kind.kind, name_of(body)): file
            for kind in ACCEPTED
            for body in self._store.all(kind)
            if (file := _file_of(body))
        }
        places = self._places(homes)
        found = [*self._apply_files(places, set(homes.values()))]
        self._take_secrets(places)
        found += [file.problem for file in self._files.read.values() if file.problem]
        if self._files.unproven:
            self._absent.clear()
            if homes and self.settled:
                text = "the folder is not the one from before, and no file in it holds an object"
                found.append(Problem(str(self._folder), 1, "", f"{text}; all of it stays as it was"))
            return sorted(set(found))
        found += incomplete_files(self._files.read, homes, places)
        self._note_absent(homes, places, {p.file for p in found})
        return sorted(with_kept_objects(set(found), self._files.read, homes, places))

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
            self._retry(name)

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
        place = places.get(document.key, (file, document.line))
        if is_secret(document):
            is_first = place == (file, document.line)
            return problems_of_secret(document.body) if is_first else [_also_defined(document, place)]
        if kind is None:
            return self._pass_over(file, document, is_ours=is_ours)
        if place != (file, document.line):
            return self._duplicate(kind, file, document, place)
        return self._accept(kind, file, document, counts)

    def _take_secrets(self, places: dict[ObjectKey, tuple[str, int]]) -> None:
        """Reads the Secrets of the files; one with a problem stays as it was. A training that failed is tried again if
        its Secret has changed.
        """
        before, self._secrets = self._secrets, {}
        for name, file in self._files.read.items():
            for document in filter(is_secret, file.documents):
                key = document.key[1]
                if places.get(document.key) == (name, document.line):
                    body = document.body
                    self._secrets[key] = before.get(key, {}) if problems_of_secret(body) else keys_of(body)
        changed = {key for key, values in self._secrets.items() if before.get(key, {}) != values}
        for model in self._store.all(LINEAR_MODEL) if changed else ():
            training = parse_spec(model, LinearModelSpec).training
            if training and training.data.secret_name in changed:
                retry_failed(self._store, model)

    def _report_applied(self, applied: dict[str, "Counter[str]"]) -> None:
        if len(applied) > LISTED_FILES:
            applied = {f"{len(applied)} files": sum(applied.values(), Counter())}
        for name, counts in applied.items():
            self._notify(Line("applied", f"{name}: {', '.join(f'{n} {what}' for what, n in counts.items())}"))

    def _places(self, homes: dict[ObjectKey, str]) -> dict[ObjectKey, tuple[str, int]]:
        """File and line of the document that defines each object: the one in its previous file, otherwise the first."""
        found: dict[ObjectKey, tuple[str, int]] = {}
        for name, file in sorted(self._files.read.items()):
            for document in file.documents:
                if not (kind_of(document) or is_secret(document)) or not has_name(document.body):
                    continue
                known = found.get(document.key)
                if known is None or (homes.get(document.key) == name != known[0]):
                    found[document.key] = (name, document.line)
        return found

    def _duplicate(self, kind: Kind, file: str, document: Document, place: tuple[str, int]) -> list[tuple[str, str]]:
        """The problems of a second object of the same name: those as an update of the first one in the same file, or
        else that it is a duplicate.
        """
        stored = self._store.get(kind, document.key[1]) if file == place[0] else None
        problems = validate(kind, document.body, stored) if stored else []
        return problems or [_also_defined(document, place)]

    def _accept(self, kind: Kind, file: str, document: Document, counts: "Counter[str]") -> list[tuple[str, str]]:
        """Validates and stores one object; returns its problems as field and message."""
        stored = self._store.get(kind, document.key[1])
        if stored and self._accepted.get(document.key) == (document, uid_of(stored), meta(stored)["generation"]):
            return []
        self._accepted.pop(document.key, None)
        place = str(self._folder / file)
        wanted = as_stored(kind, document.body, place, stored) if is_simple(document.body) else {}
        if stored is None or content(wanted) != content(stored):  # the stored object was validated when it was accepted
            problems = validate(kind, document.body, stored)
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
        for text in ignored_fields(kind, document.body):
            self._note(Line("unused", f"{file}: {kind.kind} {name_of(after)}: {text}"))
        self._accepted[document.key] = (document, uid_of(after), meta(after)["generation"])
        return []

    def _pass_over(self, file: str, document: Document, *, is_ours: bool) -> list[tuple[str, str]]:
        """The problems of an object of another kind; if there is none, it is reported as ignored, once."""
        problems = problems_of_unaccepted(document.body)
        if not problems and is_ours and not has_name(document.body):
            return [("metadata.name", "Required value")]
        if not problems:
            body = document.body
            self._note(Line("unused", f"{file}: {body['apiVersion']} {body['kind']} has no effect in local mode"))
        return problems

    def _note(self, line: Line) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self._notify(line)

    # ---- objects that are in no file any more ----

    def _note_absent(self, homes: dict[ObjectKey, str], seen: Iterable[ObjectKey], doubted: set[str]) -> None:
        """Notes objects to delete if they are still absent after GONE_SECONDS; `doubted` files keep their objects."""
        kept = self._files.unsettled | doubted
        gone = {key for key, file in homes.items() if file not in kept} - set(seen)
        self._absent = {key: self._absent.get(key, self._clock()) for key in gone}

    def _delete_absent(self) -> None:
        due = [key for key, since in self._absent.items() if self._clock() - since >= GONE_SECONDS]
        for kind in reversed(ACCEPTED):
            for key in [key for key in due if key[0] == kind.kind]:
                body = self._store.get(kind, key[1])
                if body is not None:
                    self._delete(kind, body)
                del self._absent[key]

    def _delete(self, kind: Kind, body: Object) -> None:
        """Deletes an object. The server `default` is reset instead while there are routes, which would recreate it."""
        if kind is MODEL_SERVER and name_of(body) == names.DEFAULT_SERVER and self._store.all(MODEL_ROUTE):
            bare = {key: body[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": name_of(body)}}
            self._store.update(kind, body, {**bare, "spec": {}, "status": status_of(body)})
        else:
            self._retained.keep(kind, body)
            self._store.delete(kind, body)
        self._notify(Line("deleted", f"{kind.kind} {name_of(body)}"))

    def _retry(self, file: str) -> None:
        """Retries failed trainings of a file that was saved without a change."""
        for document in self._files.read[file].documents:
            model = self._store.get(LINEAR_MODEL, document.key[1]) if document.key[0] == LINEAR_MODEL.kind else None
            retry_failed(self._store, model)


def retry_failed(store: Store, model: Object | None) -> None:
    """Deletes the finished Jobs of a model without an artifact, so that they are created again."""
    if model is None or holds(status_of(model), ConditionType.TRAINED):
        return
    for job in store.owned(JOB, model):
        if has_ended(observe(Job, job)):
            store.delete(JOB, job)


def _also_defined(document: Document, place: tuple[str, int]) -> tuple[str, str]:
    kind_name = " ".join(document.key)
    return "metadata.name", f"{kind_name} is also defined in {place[0]}:{place[1]}, which takes precedence"


def _file_of(body: Object) -> str:
    """The name of the file that defines an object, empty if there is none."""
    return Path(annotation_of(body, names.ANNOTATION_MANIFEST)).name
