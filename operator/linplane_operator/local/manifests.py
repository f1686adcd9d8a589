"""A folder of manifests as `kubectl apply` and `kubectl delete`: saving a file applies it, deleting it deletes.

Nothing is lost to a bad file: what it held stays as it was accepted last, and the problem names file, line and field.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linplane_api import names
from linplane_api.kinds import BY_KIND, CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.manifest import MAX_BYTES, SUFFIXES, Document, ManifestError, read_documents
from linplane_api.validation import load_schemas

from ..cluster import ConflictError
from ..compile.objects import Object, meta, name_of, spec_of
from .store import Store

TAKEN = (CONFIG_MAP, LINEAR_MODEL, MODEL_SERVER, MODEL_ROUTE)
SETTLE_SECONDS = 0.04  # a file that was written this recently may not be whole yet
GONE_SECONDS = 0.5  # editors replace a file by deleting it first

Signature = tuple[int, int, int, int]


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong in a manifest. `field` is empty where it is the whole file or object."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """`route.yaml:12: spec.version: what is wrong`."""
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


@dataclass
class _File:
    signature: Signature
    documents: list[Document] = field(default_factory=list)
    problem: Problem | None = None


class Manifests:
    """Watches one folder (not those below it) by looking at it."""

    def __init__(self, folder: Path, store: Store, tell: Callable[[str], None]) -> None:
        """`tell` gets each problem once, when it appears, and one line when a file is fine again."""
        self._folder = folder
        self._store = store
        self._tell = tell
        self._files: dict[str, _File] = {}
        self._gone: dict[str, float] = {}
        self._noted: set[str] = set()
        self.problems: list[Problem] = []

    def look(self) -> bool:
        """Takes up what changed; returns whether the problems did. Cheap where nothing changed."""
        changed = self._read_changed()
        if not changed:
            return False
        before = self.problems
        self.problems = sorted({*self._apply(), *(f.problem for f in self._files.values() if f.problem)})
        for problem in self.problems:
            if problem not in before:
                self._tell(f"refused: {problem}")
        for file in sorted({p.file for p in before} - {p.file for p in self.problems}):
            self._tell(f"accepted: {file}")
        return self.problems != before

    def _read_changed(self) -> bool:
        try:
            found = dict(self._scan())
        except OSError as error:
            return self._folder_problem(f"cannot be read: {error.strerror}")
        changed = self._files.pop("", None) is not None
        now = time.time()
        for name, signature in found.items():
            known = self._files.get(name)
            if known and known.signature == signature:
                continue
            if abs(now - signature[1] / 1e9) < SETTLE_SECONDS:
                continue
            self._files[name] = self._read(name, signature, known)
            changed = True
        return self._forget(found, time.monotonic()) or changed

    def _folder_problem(self, text: str) -> bool:
        if "" in self._files:
            return False
        self._files[""] = _File((0, 0, 0, 0), [], Problem(str(self._folder), 1, "", text))
        return True

    def _forget(self, found: dict[str, Signature], now: float) -> bool:
        forgotten = False
        for name in list(self._files):
            if name in found:
                self._gone.pop(name, None)
            elif now - self._gone.setdefault(name, now) >= GONE_SECONDS:
                del self._files[name], self._gone[name]
                forgotten = True
        return forgotten

    def _scan(self) -> Iterator[tuple[str, Signature]]:
        for path in sorted(self._folder.iterdir()):
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                if path.is_file():
                    yield path.name, (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)

    def _read(self, name: str, signature: Signature, known: _File | None) -> _File:
        kept = known.documents if known else []
        try:
            if signature[3] > MAX_BYTES:
                return _File(signature, kept, Problem(name, 1, "", f"is larger than {MAX_BYTES >> 20} MiB"))
            text = (self._folder / name).read_bytes().decode("utf-8")
            return _File(signature, read_documents(text))
        except ManifestError as error:
            return _File(signature, kept, Problem(name, error.line, error.field, error.message))
        except UnicodeDecodeError as error:
            return _File(signature, kept, Problem(name, 1, "", f"not UTF-8 (byte {error.start})"))
        except OSError as error:
            return _File(signature, kept, Problem(name, 1, "", f"cannot be read: {error.strerror}"))

    def _apply(self) -> Iterator[Problem]:
        seen: dict[tuple[str, str], str] = {}
        for name, file in sorted(self._files.items()):
            for document in file.documents:
                kind = BY_KIND.get((str(document.body.get("apiVersion")), str(document.body.get("kind"))))
                key = (str(document.body.get("kind")), name_of(document.body))
                if key in seen:
                    text = f"{key[0]} {key[1]} stands in {seen[key]} as well; that one counts"
                    yield Problem(name, document.line, "metadata.name", text)
                    continue
                seen[key] = name
                yield from self._accept(name, document, kind)
        broken = {name for name, file in self._files.items() if file.problem}
        if "" not in broken:
            self._delete_absent(seen, broken)

    def _accept(self, file: str, document: Document, kind: Kind | None) -> Iterator[Problem]:
        body = document.body
        problems: list[tuple[str, str]]
        if kind not in TAKEN:
            problems = []
            shown = f"{body.get('apiVersion')} {body.get('kind')}"
            if not body.get("kind") or not body.get("apiVersion"):
                problems = [("", "an object with apiVersion, kind and metadata is needed")]
            elif str(body.get("apiVersion")).startswith(names.GROUP):
                problems = [
                    ("kind", f"{shown} is not a kind that is applied; there are LinearModel, ModelRoute, ModelServer")
                ]
            else:
                self._note(f"unused: {file}: {shown} means nothing in local mode")
        else:
            problems = self._judge(kind, body)
            if not problems:
                try:
                    self._store_accepted(kind, file, body)
                except ConflictError as error:
                    problems = [("data", str(error))]
        for place, message in problems:
            yield Problem(file, document.line_of(place), place, message)

    def _judge(self, kind: Kind, body: Object) -> list[tuple[str, str]]:
        if not isinstance(body.get("metadata"), dict) or not isinstance(meta(body).get("name"), str):
            return [("metadata.name", "Required value: a name is needed")]
        if kind is CONFIG_MAP:
            return _judge_config_map(body)
        before = self._store.get(kind, name_of(body))
        schemas = load_schemas()
        new = schemas.with_defaults({k: v for k, v in body.items() if k != "status"})
        old = {**before, "metadata": {"name": name_of(before)}} if before else None
        if before and "status" in before:
            new["status"] = before["status"]
        return [(p.field, p.message) for p in schemas.judge(new, old)]

    def _store_accepted(self, kind: Kind, file: str, body: Object) -> None:
        manifest = {names.ANNOTATION_MANIFEST: str((self._folder / file).resolve())}
        given = meta(body)
        metadata: dict[str, Any] = {
            "name": name_of(body),
            "labels": given.get("labels") or {},
            "annotations": {**(given.get("annotations") or {}), **manifest},
        }
        content = {k: v for k, v in body.items() if k not in ("metadata", "status")}
        if kind is not CONFIG_MAP:
            content = load_schemas().with_defaults(content | {"metadata": {"name": name_of(body)}})
            self._name_unused(kind, file, content)
        before = self._store.get(kind, name_of(body))
        status = {"status": before["status"]} if before and "status" in before else {}
        after = {**content, "metadata": metadata, **status}
        if before:
            self._store.update(kind, before, after)
        else:
            self._store.create(kind, after)

    def _name_unused(self, kind: Kind, file: str, body: Object) -> None:
        """Pod settings change neither data nor traffic here: they are taken, and named once."""
        spec = spec_of(body)
        unused: list[str] = []
        if kind is MODEL_SERVER:
            unused = [f"spec.{name}" for name in sorted(spec) if name != "trustedProxies"]
            if spec.get("replicas") == load_schemas().with_defaults({**body, "spec": {}})["spec"].get("replicas"):
                unused = [name for name in unused if name != "spec.replicas"]
        if kind is LINEAR_MODEL:
            job = (spec.get("training") or {}).get("job") or {}
            used = ("backoffLimit", "activeDeadlineSeconds")
            unused = [f"spec.training.job.{name}" for name in sorted(job) if name not in used]
        for place in unused:
            self._note(f"unused: {file}: {kind.kind} {name_of(body)}: {place} means nothing in local mode")

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._tell(text)

    def _delete_absent(self, seen: dict[tuple[str, str], str], broken: set[str]) -> None:
        for kind in reversed(TAKEN):
            for body in self._store.all(kind):
                manifest = (meta(body).get("annotations") or {}).get(names.ANNOTATION_MANIFEST)
                if manifest is None or (kind.kind, name_of(body)) in seen:
                    continue
                if Path(manifest).name not in broken:
                    self._store.delete(kind, body)


def _judge_config_map(body: Object) -> list[tuple[str, str]]:
    name = name_of(body)
    if name.startswith("linplane-"):
        return [("metadata.name", "names that start with linplane- are kept for what linplane makes")]
    unknown = sorted(set(body) - {"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"})
    if unknown:
        return [(unknown[0], f'unknown field "{unknown[0]}"')]
    data = body.get("data") or {}
    if not isinstance(data, dict):
        return [("data", "a mapping of text is needed")]
    return [(f"data.{key}", "text is needed: quote it") for key, value in data.items() if not isinstance(value, str)]
