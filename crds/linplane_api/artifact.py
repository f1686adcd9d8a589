"""A model that was trained or written by hand: one canonical JSON document with its own digest.

The file is `{"artifact": {...}, "digest": "sha256:...", "trainedAt": "...", "facts": {...}}`; the digest is that of the
canonical bytes (RFC 8785) of `artifact` as it is written, so date and facts are outside of it. Readers accept and
keep unknown fields; an optional field that is unset is not written. By hand, `{"coefficients": {"area": 12.3},
"intercept": 7}` is enough, and unknown fields are refused.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import mul
from typing import Annotated, Any, Literal

import msgspec

from .canonical import (
    Format,
    FormatError,
    canonical_bytes,
    check_format,
    check_format_of,
    convert,
    digest_of,
    json_of,
    parse_json,
)
from .facts import ColumnStatistics, Facts
from .names import MAX_FEATURE_NAME, MAX_FEATURES
from .timing import is_rfc3339

CHECK_TOLERANCE = 1e-12  # relative; the sum is exact, so only a foreign libm or a damaged number comes near it
MAX_CHECKS = 16

Feature = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_FEATURE_NAME)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]  # exact in every JSON reader


class PredictionError(ArithmeticError):
    """The prediction is not a finite number."""


class RowError(PredictionError):
    """The prediction of row `row` of a block, counted from 0, is not a finite number."""

    def __init__(self, row: int) -> None:
        """The message has the number of the row, and no value."""
        super().__init__(f"the prediction of row {row} is not a finite number")
        self.row = row


FORMATS = (1,)
"""The formats of artifacts that this release reads."""


class _Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class ResidualQuantile(_Part, frozen=True):
    """A size, in units of the target, that `percent` of 100 absolute residuals do not exceed."""

    percent: Annotated[int, msgspec.Meta(ge=1, le=99)]
    value: float


class Evaluation(_Part, frozen=True):
    """The model's error on rows: `mse` in squared units of the target; `r2` is 1 - RSS / TSS with TSS about the
    mean of these rows, None if their target is constant. See `ArtifactFile.r2` for artifacts of earlier trainers.

    `rows` is "sha256:" and 64 hexadecimal digits, equal if two evaluations are of the same rows: the hash of
    count, sum, sum of squares, least and greatest of their target. None: by an earlier trainer, or of more than 512
    features. `residual_quantiles`, of rows held out only: of at most 10,000 of them, n, the `ceil((n + 1) percent /
    100)`-th smallest absolute residual for 50, 80, 90, 95 and 99 percent, without those for which n is too small.
    """

    on: Literal["Holdout", "Training"]
    samples: Count
    mse: float
    r2: float | None = None
    rows: Annotated[str, msgspec.Meta(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    residual_quantiles: Annotated[tuple[ResidualQuantile, ...], msgspec.Meta(max_length=16)] | None = None


class Training(_Part, frozen=True):
    """The record of a training. Lists follow the features' order.

    `noise` is the residual standard deviation, sqrt(RSS / (n - p)), in units of the target. It and the standard
    errors are None if n = p. `variance_inflation`: for each feature 1 / (1 - R2) of its fit by the others (D. W.
    Marquardt, Technometrics 12, 1970); None with ridge, for more than 512 features, and by an earlier trainer.
    `software` names what decides the last digits: {"fit": "exact-1"} if nothing but the
    rows does, else versions of what computed them.
    """

    samples: Count
    dropped_rows: Count
    noise: float | None
    evaluation: Evaluation
    fit_intercept: bool
    ridge: float
    holdout_percent: int
    seed: int
    standard_errors: tuple[float, ...] | None
    intercept_standard_error: float | None
    feature_statistics: tuple[ColumnStatistics, ...]
    software: dict[str, str]
    holdout_key: Feature | None = None
    variance_inflation: tuple[float, ...] | None = None


class Check(_Part, frozen=True):
    """A made-up row, in the features' order, and the prediction that every server must reproduce."""

    features: tuple[float, ...]
    prediction: float


class Artifact(_Part, frozen=True):
    """One linear model: prediction = intercept + sum of coefficients times features."""

    features: Annotated[tuple[Feature, ...], msgspec.Meta(min_length=1, max_length=MAX_FEATURES)]
    coefficients: tuple[float, ...]
    intercept: float
    checks: Annotated[tuple[Check, ...], msgspec.Meta(max_length=MAX_CHECKS)] = ()
    target: Feature | None = None
    training: Training | None = None
    format: Format = 1

    def __post_init__(self) -> None:
        """Checks the format, lengths, unique names, that every number is finite, and the check rows."""
        check_format(self.format, FORMATS)
        if len(self.coefficients) != len(self.features):
            raise ValueError("as many coefficients as features are needed")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features: duplicate name")
        if not all(map(math.isfinite, (*self.coefficients, self.intercept))):
            raise ValueError("coefficients and intercept must be finite")
        verify_checks(self.coefficients, self.intercept, self.checks)

    @property
    def digest(self) -> str:
        """The digest of the artifact as this release writes it. For one that was read, see
        `ArtifactFile`.
        """
        return digest_of(canonical_bytes(json_of(self)))

    def to_file(self, trained_at: str | None, facts: Facts | None = None) -> bytes:
        """The canonical file. `trained_at` is RFC 3339, None for weights written by hand, and so are `facts`."""
        body = {"artifact": json_of(self), "digest": self.digest}
        body |= {"trainedAt": trained_at} if trained_at else {}
        return canonical_bytes(body | ({"facts": msgspec.to_builtins(facts)} if facts is not None else {}))


class ArtifactFile(msgspec.Struct, frozen=True):
    """A parsed artifact file. `digest` is that of the JSON that was read. `facts` None: weights written by hand, or a
    trainer that did not write them yet.
    """

    artifact: Artifact
    digest: str
    trained_at: str | None
    facts: Facts | None = None

    @property
    def r2(self) -> float | None:
        """R2 about the mean, comparable between versions; None if there is none.

        A trainer that wrote no facts took it about zero if it fitted no intercept. Gates judge by what is recorded.
        """
        training = self.artifact.training
        if training is None or (self.facts is None and not training.fit_intercept):
            return None
        return training.evaluation.r2


def predict(coefficients: Sequence[float], intercept: float, values: Iterable[float]) -> float:
    """`intercept + coefficients . values`, each product rounded once, their sum exact (Shewchuk's algorithm).

    So it depends on neither the order of the features, the machine nor the release. Raises PredictionError if it is not
    finite.
    """
    try:
        result = math.fsum([intercept, *map(mul, coefficients, values)])  # a list is made faster than a tuple
    except (OverflowError, ValueError) as error:
        raise PredictionError("the prediction is not a finite number") from error
    if not math.isfinite(result):
        raise PredictionError("the prediction is not a finite number")
    return result


def verify_checks(coefficients: Sequence[float], intercept: float, checks: Iterable[Check]) -> None:
    """Raises ValueError if a check row does not give its stored prediction."""
    for number, check in enumerate(checks):
        if len(check.features) != len(coefficients):
            raise ValueError(f"checks[{number}]: has not one value for each feature")
        try:
            answer = predict(coefficients, intercept, check.features)
        except PredictionError as error:
            raise ValueError(f"checks[{number}]: the answer is not finite") from error
        scale = max(
            abs(check.prediction),
            abs(intercept),
            *(abs(c * v) for c, v in zip(coefficients, check.features, strict=True)),
        )
        if not abs(answer - check.prediction) <= CHECK_TOLERANCE * scale:
            raise ValueError(f"checks[{number}]: the answer differs from the stored one")


def with_checks(artifact: Artifact) -> Artifact:
    """The same model with check rows made from its statistics, if it has any, else from fixed numbers.

    They contain no row of the training data: they are zeros, the rounded means, and the means moved by a deviation up
    and down in turn.
    """
    statistics = artifact.training.feature_statistics if artifact.training else None
    centre = [_rounded(s.mean) for s in statistics] if statistics else [1.0] * len(artifact.features)
    spread = [_rounded(s.standard_deviation) for s in statistics] if statistics else [0.5] * len(artifact.features)
    moved = [c + (d if i % 2 else -d) for i, (c, d) in enumerate(zip(centre, spread, strict=True))]
    rows = [[0.0] * len(centre), centre, moved]
    checks = []
    for row in rows:
        try:
            checks.append(Check(tuple(row), predict(artifact.coefficients, artifact.intercept, row)))
        except PredictionError:
            continue  # a model of enormous coefficients: zeros still give a prediction
    return msgspec.structs.replace(artifact, checks=tuple(checks))


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def parse_artifact(data: bytes | str) -> ArtifactFile:
    """Reads an artifact file, or weights written by hand. Raises FormatError, with place and problem and no
    value; FormatNotSupportedError: of a format that this release does not read.
    """
    body = parse_json(data)
    if not isinstance(body, dict):
        raise FormatError("", f"an artifact is a JSON object; {_LIKE}")
    if "artifact" not in body:
        artifact = _by_hand(body)
        return ArtifactFile(artifact, artifact.digest, None)
    digest = digest_of(canonical_bytes(body["artifact"]))
    if body.get("digest") == digest:  # else it is damaged, whatever its format seems to be
        check_format_of(body["artifact"], FORMATS, "artifact")
    artifact = convert(body["artifact"], Artifact, "artifact")
    trained_at = body.get("trainedAt")
    if trained_at is not None and not (isinstance(trained_at, str) and is_rfc3339(trained_at)):
        raise FormatError("trainedAt", "a date and time by RFC 3339 is needed")
    if body.get("digest") != digest:
        raise FormatError("digest", "is not that of the artifact")
    facts = convert(body["facts"], Facts, "facts") if "facts" in body else None
    return ArtifactFile(artifact, digest, trained_at, facts)


def copied_file(data: str) -> bytes:
    """The file for a copy of weights that a user gave, which `parse_artifact` accepts: as they were read, without a
    date of training.
    """
    body = parse_json(data)
    if "artifact" not in body:
        return _by_hand(body).to_file(None)
    return canonical_bytes({key: value for key, value in body.items() if key != "trainedAt"})


_LIKE = 'write them like {"coefficients": {"area": 12.3, "rooms": -20}, "intercept": 150}'


def _by_hand(body: Mapping[str, Any]) -> Artifact:
    unknown = sorted(set(body) - {"coefficients", "intercept"})
    if unknown:
        raise FormatError("", f"weights by hand have coefficients and intercept, and nothing else; {_LIKE}")
    for name in ("coefficients", "intercept"):
        if name not in body:
            raise FormatError(name, f"is missing; {_LIKE}")
    if not isinstance(body["coefficients"], dict):
        raise FormatError("coefficients", f"an object with a number for each feature's name is needed; {_LIKE}")
    named = convert(body["coefficients"], dict[Feature, Any], "coefficients")
    coefficients = {name: convert(value, float, f"coefficients.{name}") for name, value in named.items()}
    intercept = convert(body["intercept"], float, "intercept")
    return with_checks(
        convert(
            {"features": list(coefficients), "coefficients": list(coefficients.values()), "intercept": intercept},
            Artifact,
            "",
        )
    )
