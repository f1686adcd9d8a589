"""The typed form of the four kinds: the CRDs next to this package, as frozen values.

The YAML is the source and has descriptions, defaults and bounds; a test walks both and fails if they differ. Objects
that come here were validated by the CRD's schema and rules (by the API server, or by `validation` in
local mode), so reading it is only a conversion.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from .artifact import Evaluation, Feature
from .canonical import convert
from .conditions import Condition
from .digests import stable_form
from .facts import MAX_LEFT_OUT, MAX_WARNINGS, LeftOutColumn, Software, TrainingWarning
from .names import MAX_FEATURES
from .routing import Digest, Label, VersionName

S = TypeVar("S", bound="Part")

Number = int | str
"""A decimal: a whole number or quoted text, since the API conventions forbid floats in a spec."""

ObjectName = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
ServerName = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
ConfigMapKey = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
LabelValues = Annotated[dict[str, Annotated[str, msgspec.Meta(max_length=63)]], msgspec.Meta(max_length=32)]
Annotations = Annotated[dict[str, Annotated[str, msgspec.Meta(max_length=4096)]], msgspec.Meta(max_length=32)]
Quantities = Annotated[dict[str, Number], msgspec.Meta(max_length=16)]
Network = Annotated[str, msgspec.Meta(min_length=1, max_length=43)]


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all parts: camelCase in JSON, unknown fields pruned as by an API server."""


def decimal(value: Number) -> float:
    """A spec's decimal as a float. Raises ValueError (decimal.InvalidOperation) for text that is none."""
    return float(Decimal(value))


# ---- LinearModel ----


class ConfigMapKeyRef(Part, frozen=True):
    """A key of a ConfigMap in the same namespace."""

    name: ObjectName
    key: ConfigMapKey


class Weights(Part, frozen=True):
    """Weights written by hand; `digest` pins the artifact."""

    config_map_key_ref: ConfigMapKeyRef
    digest: Digest | None = None


class Synthetic(Part, frozen=True):
    """Rows made from the seed."""

    samples: Annotated[int, msgspec.Meta(ge=2, le=100_000_000)]
    feature_count: Annotated[int, msgspec.Meta(ge=1, le=MAX_FEATURES)] = 3
    noise: Number = "0.1"


class ClaimRef(Part, frozen=True):
    """A file or a folder of files in a PersistentVolumeClaim."""

    claim_name: ObjectName
    path: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class S3Ref(Part, frozen=True):
    """A file, or all files under a prefix, of a bucket."""

    bucket: Annotated[str, msgspec.Meta(min_length=3, max_length=63)]
    path: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    region: Annotated[str, msgspec.Meta(min_length=1, max_length=63)] = "us-east-1"
    endpoint: Annotated[str, msgspec.Meta(min_length=1, max_length=300)] | None = None
    secret_name: ObjectName | None = None


class PostgresQuery(Part, frozen=True):
    """The rows of a query."""

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]
    secret_name: ObjectName


class Csv(Part, frozen=True):
    """How a CSV is written."""

    separator: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    null_values: (
        Annotated[
            tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=64)], ...],
            msgspec.Meta(min_length=1, max_length=32),
        ]
        | None
    ) = None


class Data(Part, frozen=True):
    """The source of the rows: exactly one; and how it is written, if that is a CSV."""

    synthetic: Synthetic | None = None
    config_map_key_ref: ConfigMapKeyRef | None = None
    uri: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)] | None = None
    persistent_volume_claim: ClaimRef | None = None
    s3: S3Ref | None = None
    postgres: PostgresQuery | None = None
    csv: Csv | None = None

    @property
    def secret_name(self) -> str | None:
        """The Secret that the rows are read with; None if without one."""
        given = self.s3 or self.postgres
        return given.secret_name if given else None


class Toleration(Part, frozen=True):
    """As in a Pod."""

    key: Annotated[str, msgspec.Meta(max_length=316)] | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: Annotated[str, msgspec.Meta(max_length=63)] | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)] | None = None


class ImagePullSecret(Part, frozen=True):
    """The name of a Secret in the same namespace."""

    name: ObjectName


Tolerations = Annotated[tuple[Toleration, ...], msgspec.Meta(max_length=32)]
ImagePullSecrets = Annotated[tuple[ImagePullSecret, ...], msgspec.Meta(max_length=16)]


class ResourceRequirements(Part, frozen=True):
    """Requests and limits by resource name, as in a container."""

    requests: Quantities | None = None
    limits: Quantities | None = None


class PodSettings(Part, frozen=True):
    """A user's settings for pods that the operator makes."""

    resources: ResourceRequirements | None = None
    node_selector: LabelValues | None = None
    tolerations: Tolerations | None = None
    image_pull_secrets: ImagePullSecrets | None = None
    priority_class_name: ObjectName | None = None
    labels: LabelValues | None = None
    annotations: Annotations | None = None


class JobSettings(PodSettings, frozen=True):
    """The training Job and its pod: never part of what decides the artifact."""

    backoff_limit: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    active_deadline_seconds: Annotated[int, msgspec.Meta(ge=1, le=604_800)] = 3600


class TrainingSpec(Part, frozen=True):
    """How the operator trains this version."""

    data: Data
    features: Annotated[tuple[Feature, ...], msgspec.Meta(min_length=1, max_length=MAX_FEATURES)] | None = None
    target: Feature | None = None
    fit_intercept: bool = True
    ridge: Number = "0"
    holdout_percent: Annotated[int, msgspec.Meta(ge=0, le=90)] = 20
    seed: Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)] = 0
    job: JobSettings | None = None
    holdout_key: Feature | None = None


class Acceptance(Part, frozen=True, rename={"max_mse": "maxMSE", "min_r2": "minR2", "max_vif": "maxVIF"}):
    """Gates: a version that misses one is trained but never Ready."""

    max_mse: Number | None = None
    min_r2: Number | None = None
    max_vif: Number | None = None


class LinearModelSpec(Part, frozen=True):
    """One version of one model: exactly one of `weights` and `training`."""

    model: Label
    version: VersionName
    frozen: bool = False
    weights: Weights | None = None
    training: TrainingSpec | None = None
    acceptance: Acceptance | None = None

    @property
    def source_ref(self) -> ConfigMapKeyRef | None:
        """The ConfigMap key that this version reads, for its weights or its training data; None if it reads none."""
        if self.weights:
            return self.weights.config_map_key_ref
        return self.training.data.config_map_key_ref if self.training else None


class Coefficient(Part, frozen=True):
    """One coefficient with its feature's name."""

    feature: str
    value: float


class LinearModelStatus(Part, frozen=True):
    """The result of training and validation. `coefficients` and `left_out` are the first 32."""

    observed_generation: int | None = None
    conditions: tuple[Condition, ...] | None = None
    trained_at: str | None = None
    samples: int | None = None
    dropped_rows: int | None = None
    noise: float | None = None
    intercept: float | None = None
    coefficients: tuple[Coefficient, ...] | None = None
    coefficient_count: int | None = None
    evaluation: Evaluation | None = None
    mse_summary: Annotated[str, msgspec.Meta(max_length=16)] | None = None
    r2_summary: Annotated[str, msgspec.Meta(max_length=16)] | None = None
    warnings: Annotated[tuple[TrainingWarning, ...], msgspec.Meta(max_length=MAX_WARNINGS)] | None = None
    left_out: Annotated[tuple[LeftOutColumn, ...], msgspec.Meta(max_length=MAX_LEFT_OUT)] | None = None
    left_out_count: int | None = None
    warning_summary: str | None = None
    software: Software | None = None
    digest: str | None = None
    artifact: str | None = None
    job: str | None = None
    serving_in: tuple[str, ...] | None = None


# ---- ModelRoute ----


class SplitEntry(Part, frozen=True):
    """One candidate. `percent` is a whole number, or text with at most two decimals."""

    version: VersionName
    percent: Number

    @property
    def share(self) -> int:
        """Hundredths of a percent, exactly."""
        return int(Decimal(self.percent) * 100)


class SplitKeySpec(Part, frozen=True):
    """Who a user is. `salt` None: the route's name."""

    header: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    salt: Annotated[str, msgspec.Meta(min_length=1, max_length=253)] | None = None


class RateLimitSpec(Part, frozen=True):
    """A token bucket; `burst` None: one second's worth, at least 1."""

    requests_per_second: Number
    burst: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    per: Literal["Client", "Route"] = "Client"


class ServiceSettings(Part, frozen=True):
    """Labels and annotations for the route's Service."""

    labels: LabelValues | None = None
    annotations: Annotations | None = None


class ModelRouteSpec(Part, frozen=True):
    """Which version serves, and the A/B split."""

    model: Label
    version: VersionName
    split: Annotated[tuple[SplitEntry, ...], msgspec.Meta(max_length=2)] = ()
    split_key: SplitKeySpec | None = None
    rate_limit: RateLimitSpec | None = None
    service: ServiceSettings | None = None
    server_name: ServerName = "default"

    def versions_named(self) -> tuple[str, ...]:
        """Every version that the spec names: the one to serve, then the candidates; each once."""
        return tuple(dict.fromkeys((self.version, *(entry.version for entry in self.split))))


class Share(Part, frozen=True):
    """A version and its share, as text of a percent: `90`, `0.25`."""

    version: str
    percent: str


class TrafficShare(Share, frozen=True):
    """The share that a version actually gets, and the digest of the weights in use, or last in use."""

    digest: str | None = None


class Switch(Part, frozen=True, rename={"from_version": "from", "to_version": "to"}):
    """One change of the current version, and the field manager that made it; or a version that was recreated
    under its name, with the `reason`.
    """

    to_version: str
    at: str
    from_version: str | None = None
    manager: str | None = None
    reason: str | None = None


class Undo(Part, frozen=True):
    """The `spec.version` and `spec.split` before the last change of either took effect, `at` that time."""

    version: str
    at: str
    split: tuple[Share, ...] | None = None


class ModelRouteStatus(Part, frozen=True):
    """The state in effect, which may differ from the spec."""

    observed_generation: int | None = None
    conditions: tuple[Condition, ...] | None = None
    version: str | None = None
    previous_version: str | None = None
    split: tuple[Share, ...] | None = None
    traffic: tuple[TrafficShare, ...] | None = None
    traffic_summary: str | None = None
    revision: str | None = None
    sequence: int | None = None
    url: str | None = None
    loaded_summary: str | None = None
    switches: tuple[Switch, ...] | None = None
    undo: Undo | None = None


# ---- ModelServer ----


MIN_BODY_BYTES = 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Bounds on the limit of a body: one row should fit, and a server holds no more than the upper one of all bodies."""


class ModelServerSpec(PodSettings, frozen=True):
    """The pods that answer for many routes."""

    replicas: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 2
    trusted_proxies: Annotated[tuple[Network, ...], msgspec.Meta(max_length=32)] | None = None
    root_path: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    max_body_bytes: Annotated[int, msgspec.Meta(ge=MIN_BODY_BYTES, le=MAX_BODY_BYTES)] | None = None
    grpc: Annotated[dict[str, Annotated[str, msgspec.Meta(max_length=63)]], msgspec.Meta(max_length=0)] | None = None
    image: Annotated[str, msgspec.Meta(min_length=1, max_length=512)] | None = None


class ModelServerStatus(Part, frozen=True):
    """The state of the pods."""

    observed_generation: int | None = None
    conditions: tuple[Condition, ...] | None = None
    replicas: int | None = None
    loaded_replicas: int | None = None
    selector: str | None = None
    routes: int | None = None
    sequence: int | None = None


def parse_spec(body: Mapping[str, Any], spec: type[S]) -> S:
    """The typed spec of an object. Raises FormatError with the path."""
    return convert(body.get("spec") or {}, spec, "spec")


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """A status as an object for the API: fields that are None left out, at every level."""
    result: dict[str, Any] = _without_none(msgspec.to_builtins(value))
    return result


def stable(value: msgspec.Struct) -> dict[str, Any]:
    """A part of a spec for a hash or a child: `plain`, without the fields that `stable_form` leaves out."""
    result: dict[str, Any] = _without_none(stable_form(value))
    return result


_NESTED = (dict, list, tuple)


def _without_none(value: Any) -> Any:
    """Called for containers only: a status is mostly text and numbers."""
    if isinstance(value, dict):
        found = value.items()
        return {k: _without_none(item) if isinstance(item, _NESTED) else item for k, item in found if item is not None}
    return [_without_none(item) if isinstance(item, _NESTED) else item for item in value]
