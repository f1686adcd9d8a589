"""The input and output of a training Job: the operator writes a Task, the trainer a result.

A result is either an artifact file (key `model.json`) or a Failure (key `error.json`).
"""

from typing import Annotated, Literal

import msgspec

from .artifact import Artifact, Feature
from .canonical import canonical_bytes, convert, parse_json
from .digests import stable_form
from .display import display_names
from .names import MAX_FEATURES

ARGUMENT_CHARACTERS = 32_000
"""The characters of a task in one argument: UTF-8 takes up to 4 bytes for each, and Linux at most 128 KiB for an
argument (MAX_ARG_STRLEN, execve(2)).
"""

EXIT_BAD_DATA = 3  # permanent: the Job fails at once
EXIT_FAILED = 1  # transient
EXIT_UNREACHABLE = 5  # transient: the API server could not be reached
EXIT_UNREPORTED = 4  # neither result nor failure could be written: the last line of the log says why


class _Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class SyntheticData(_Part, frozen=True, tag="synthetic", tag_field="from"):
    """Rows made from the seed: features `x1`..`xN` standard normal, known coefficients, normal noise of deviation
    `noise`.
    """

    samples: Annotated[int, msgspec.Meta(ge=1)]
    feature_count: Annotated[int, msgspec.Meta(ge=1, le=MAX_FEATURES)]
    noise: Annotated[float, msgspec.Meta(ge=0)]


SEPARATORS = "\t !#$%&'()*,/:;<=>?@[\\]^_`{|}~"
"""The characters that may separate the values of a CSV: none that is a part of a number, of a word or of quotes."""


class CsvOptions(_Part, frozen=True):
    """How a CSV is written. `null_values`: words for a gap, in addition to those that always are one."""

    separator: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    null_values: tuple[str, ...] = ()


class FileData(_Part, frozen=True, tag="file", tag_field="from"):
    """A CSV with a header or a Parquet file, or a folder of such files, at a path relative to the data folder (or
    absolute). `csv` None: a CSV is written as usual.
    """

    path: str
    csv: CsvOptions | None = None


class UriData(_Part, frozen=True, tag="uri", tag_field="from"):
    """The same behind http or https (or file, if `allow_file`). If `allowed_hosts` is not empty, no other host is
    allowed.
    """

    uri: str
    allowed_hosts: tuple[str, ...] = ()
    denied_addresses: tuple[str, ...] = ()
    allow_file: bool = False
    csv: CsvOptions | None = None


class S3Data(_Part, frozen=True, tag="s3", tag_field="from"):
    """An object of a bucket, or with a final `/` in `path` all objects whose keys begin so.

    `region` None: as the AWS SDK finds it. `endpoint` None: AWS's own. `secret`: the name of the Secret that the
    credentials come from, for messages; never a credential. Without one access is anonymous, or by what the AWS SDK
    finds in the environment if `ambient`. If `allowed_hosts` is not empty, no other host is allowed; an endpoint's has
    to be named there in any case.
    """

    bucket: str
    path: str
    region: str | None = None
    endpoint: str | None = None
    secret: str | None = None
    ambient: bool = False
    allowed_hosts: tuple[str, ...] = ()
    csv: CsvOptions | None = None


class PostgresData(_Part, frozen=True, tag="postgres", tag_field="from"):
    """The rows of a query. `secret`: the name of the Secret that host, database and credentials come from, for
    messages; None if these are of the environment. `allow_socket`: the host may be the folder of a Unix socket.
    """

    query: str
    secret: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    denied_addresses: tuple[str, ...] = ()
    allow_socket: bool = False


TaskData = SyntheticData | FileData | UriData | S3Data | PostgresData


class Task(_Part, frozen=True):
    """One training. `features` None: every numeric column but the target and those of `exclude`. `target` None only for
    synthetic data. `holdout_key`: the column by which rows are held out, which is no feature.
    """

    model: str
    version: str
    data: TaskData
    features: Annotated[tuple[Feature, ...], msgspec.Meta(min_length=1, max_length=MAX_FEATURES)] | None = None
    target: Feature | None = None
    fit_intercept: bool = True
    ridge: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    holdout_percent: Annotated[int, msgspec.Meta(ge=0, le=90)] = 20
    seed: Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)] = 0
    exclude: tuple[Feature, ...] = ()
    holdout_key: Feature | None = None

    def to_text(self) -> str:
        """Canonical JSON: equal tasks give equal text."""
        return canonical_bytes(stable_form(self)).decode()

    def to_arguments(self) -> tuple[str, ...]:
        """The text as arguments of the trainer, in parts that it joins. A dollar sign is written as a JSON
        escape, for a pod's `args` expand `$(NAME)` and `$$`.
        """
        text = self.to_text().replace("$", "\\u0024")
        starts = range(ARGUMENT_CHARACTERS, len(text), ARGUMENT_CHARACTERS)
        more = (f"--task={text[start : start + ARGUMENT_CHARACTERS]}" for start in starts)  # it may begin with a dash
        return ("--task", text[:ARGUMENT_CHARACTERS], *more)


class Failure(_Part, frozen=True):
    """Why a training failed, in one line that names columns and lines and never a cell."""

    reason: Literal["BadData", "TrainingFailed"]
    message: Annotated[str, msgspec.Meta(max_length=1024)]


def parse_task(text: str) -> Task:
    """Raises FormatError."""
    return convert(parse_json(text), Task, "")


def parse_failure(data: bytes | str) -> Failure:
    """Raises FormatError."""
    return convert(parse_json(data), Failure, "")


def missed_gates(
    artifact: Artifact, max_mse: float | None, min_r2: float | None, max_vif: float | None = None
) -> list[str]:
    """One sentence for each gate that the artifact's evaluation misses; a gate without a figure is missed."""
    evaluation = artifact.training.evaluation if artifact.training else None
    gates = [
        ("maxMSE", max_mse, evaluation.mse if evaluation else None, 1),
        ("minR2", min_r2, evaluation.r2 if evaluation else None, -1),
    ]
    missed = []
    for name, limit, value, sign in gates:
        if limit is None:
            continue
        if value is None or evaluation is None:
            missed.append(f"{name} {_format_shortest(limit)}: the training has no such figure")
        elif sign * value > sign * limit:
            figure = _format_beyond(value, limit, sign)
            missed.append(f"{name} {_format_shortest(limit)}: the {evaluation.on.lower()} rows give {figure}")
    return [*missed, *_missed_inflation(artifact, max_vif)]


def _missed_inflation(artifact: Artifact, limit: float | None) -> list[str]:
    factors = artifact.training.variance_inflation if artifact.training else None
    if limit is None:
        return []
    if not factors:
        return [f"maxVIF {_format_shortest(limit)}: the training has no such figure"]
    over = [name for name, factor in zip(artifact.features, factors, strict=False) if factor > limit]
    if not over:
        return []
    largest = _format_beyond(max(factors), limit, 1)
    verb = "have variance inflation factors" if len(over) > 1 else "has a variance inflation factor"
    return [f"maxVIF {_format_shortest(limit)}: {display_names(over)} {verb} of up to {largest}"]


def _format_shortest(number: float) -> str:
    """Six digits, or as many as the number needs to be read back exactly."""
    return next(text for digits in range(6, 18) if float(text := f"{number:.{digits}g}") == number)


def _format_beyond(value: float, limit: float, sign: int) -> str:
    """Six digits, or as many as the text needs to miss the limit too. `sign`: 1 if the limit is a maximum."""
    return next(text for digits in range(6, 18) if sign * float(text := f"{value:.{digits}g}") > sign * limit)
