"""`metadata.jsonl`: one line per trained version, written once even after restarts."""

from pathlib import Path

from linplane_api import names
from linplane_api.artifact import parse_artifact
from linplane_api.canonical import FormatError
from linplane_api.training_log import append_metadata, has_line

from ..compile.objects import Object, data_of, label_of


class TrainingLog:
    """`note` collects sealed artifacts, `write` appends their lines."""

    def __init__(self, path: Path) -> None:
        """`path` is the file."""
        self._path = path
        self._noted: list[Object] = []

    def note(self, body: Object) -> None:
        """Remembers a ConfigMap if it is the sealed artifact of a version. Never fails."""
        if body.get("immutable") and label_of(body, names.LABEL_VERSION) and label_of(body, names.LABEL_MODEL):
            self._noted.append(body)

    def write(self) -> None:
        """Appends missing lines. Raises OSError; the next call continues."""
        while self._noted:
            body = self._noted[0]
            model, version = (label_of(body, label) for label in (names.LABEL_MODEL, names.LABEL_VERSION))
            try:
                file = parse_artifact(data_of(body).get(names.ARTIFACT_KEY) or "")
            except FormatError:  # a condition reports that
                file = None
            if file and file.artifact.training and not has_line(self._path, model, version, file.digest):
                append_metadata(self._path, file, model, version)
            del self._noted[0]
