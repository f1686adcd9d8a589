"""Builders of objects, versions and documents for the operator's tests."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from linplane_api import names
from linplane_api.artifact import Artifact, Evaluation, Training, parse_artifact, with_checks
from linplane_api.conditions import Cause, Reason
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, parse_spec
from linplane_api.routing import Candidate, RouteDocument, ServedVersion, SplitKey, Unavailable
from linplane_operator.compile.acknowledgements import Replica, make_replicas
from linplane_operator.compile.artifacts import Verdict, Version
from linplane_operator.compile.observed import ConfigMap, Observed, Pod, ReplicaReport, observe

Object = dict[str, Any]
T = TypeVar("T", bound=Observed | ConfigMap)
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@lru_cache
def artifact(slope: float = 2.0, feature: str = "area", mse: float | None = 1.0, r2: float | None = 0.9) -> Artifact:
    """A model of one feature; `mse` None: written by hand."""
    training = None
    if mse is not None:
        evaluation = Evaluation("Holdout", 20, mse, r2)
        training = Training(100, 3, 0.5, evaluation, True, 0.0, 20, 0, (0.1,), 0.1, (), {"linplane": "1"})
    return with_checks(Artifact((feature,), (slope,), 1.0, training=training))


@lru_cache
def text(slope: float = 2.0, **fields: Any) -> str:
    """An artifact file."""
    return artifact(slope, **fields).to_file("2026-03-01T11:00:00Z").decode()


@lru_cache
def ready(name: str, slope: float = 2.0, feature: str = "area") -> Version:
    """A version that may be routed to."""
    return Version(name, False, Verdict(parse_artifact(text(slope, feature=feature)), Cause(Reason.VALIDATED, "sound")))


def frozen(name: str, slope: float = 2.0) -> Version:
    """The same, frozen."""
    return Version(name, True, ready(name, slope).verdict)


def pending(name: str, reason: Reason = Reason.NOT_TRAINED) -> Version:
    """A version without an artifact."""
    return Version(name, False, Verdict(None, Cause(reason, f"{name} is not trained yet")))


@lru_cache
def missed(name: str, slope: float = 2.0, feature: str = "area") -> Version:
    """A version that is trained and misses a gate."""
    file = parse_artifact(text(slope, feature=feature))
    return Version(name, False, Verdict(file, Cause(Reason.ACCEPTANCE_MISSED, "minR2"), ("minR2",), "x"))


def versions(*given: Version) -> dict[str, Version]:
    """The versions by name."""
    return {version.version: version for version in given}


def route_spec(version: str = "v1", split: Sequence[tuple[str, Any]] = (), **fields: Any) -> ModelRouteSpec:
    """A route's typed spec; `split` in percent."""
    entries = [{"version": v, "percent": p} for v, p in split]
    return parse_spec({"spec": {"model": "homes", "version": version, "split": entries, **fields}}, ModelRouteSpec)


@lru_cache
def served(slope: float = 2.0, feature: str = "area") -> ServedVersion:
    """The weights of a version as a document has them."""
    one = artifact(slope, feature)
    return ServedVersion(one.digest, one.features, one.coefficients, one.intercept, one.checks)


def _long(size: int) -> tuple[str, ...]:
    return tuple(f"{place:04}".ljust(min(200, size - place), "x") for place in range(0, size, 200))


def document(
    current: str | None = "v1",
    split: Sequence[tuple[str, int]] = (),
    weights: Mapping[str, float] | None = None,
    route: str = "homes",
    previous: str | None = None,
    unavailable: Unavailable | None = None,
    padding: int = 0,
) -> RouteDocument:
    """A routing document; `split` in hundredths, `weights` slopes by version, `padding` bytes more."""
    slopes = {"v1": 2.0} if weights is None else weights
    return RouteDocument(
        route=route,
        model="homes",
        current=current,
        split=tuple(Candidate(v, s) for v, s in split),
        split_key=SplitKey(route),
        versions={v: served(s) for v, s in slopes.items()},
        features_by_version=dict.fromkeys(slopes, ("area",)) | ({"pad": _long(padding)} if padding else {}),
        previous=previous,
        unavailable=unavailable,
    )


def linear_model(version: str = "v1", model: str = "homes", **spec: Any) -> Object:
    """A LinearModel manifest; synthetic training by default."""
    if "weights" not in spec:
        spec.setdefault("training", {"data": {"synthetic": {"samples": 50}}})
    return {
        "apiVersion": names.API_VERSION,
        "kind": "LinearModel",
        "metadata": {"name": f"{model}-{version}", "namespace": "default"},
        "spec": {"model": model, "version": version, **spec},
    }


def weights_from(name: str = "handmade", **fields: Any) -> Object:
    """`spec.weights` from a ConfigMap."""
    return {"configMapKeyRef": {"name": name, "key": "model.json"}, **fields}


def csv_training(**fields: Any) -> Object:
    """`spec.training` on a ConfigMap's table."""
    return {"data": {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}, "target": "y", **fields}


def config_map(name: str, data: Mapping[str, str]) -> Object:
    """A user's ConfigMap."""
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def handmade(slope: float = 2.0) -> Object:
    """Weights written by hand."""
    return config_map("handmade", {"model.json": json.dumps({"coefficients": {"area": slope}, "intercept": 1})})


def model_route(version: str = "v1", name: str = "homes", split: Sequence[tuple[str, Any]] = (), **spec: Any) -> Object:
    """A ModelRoute manifest."""
    body = {"model": "homes", "version": version, **spec}
    if split:
        body["split"] = [{"version": v, "percent": p} for v, p in split]
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": names.API_VERSION, "kind": "ModelRoute", "metadata": metadata, "spec": body}


def with_meta(body: Object, **fields: Any) -> Object:
    """The object with metadata fields set."""
    return {**body, "metadata": {**body["metadata"], **fields}}


def typed(body: Object) -> LinearModelSpec:
    """A LinearModel's typed spec."""
    return parse_spec(body, LinearModelSpec)


def pod(name: str = "p1", *, ready: bool = True, uid: str = "", server: str = "default", **status: Any) -> Object:
    """A server's pod."""
    labels = {names.LABEL_SERVER: server, names.LABEL_NAME: "linplane", names.LABEL_COMPONENT: "server"}
    container = {"name": "server", "state": {"running": {"startedAt": "2026-03-01T10:00:00Z"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": uid or f"uid-{name}", "labels": labels},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container],
            **status,
        },
    }


def report(name: str = "p1", sequence: int = 5, uid: str = "map", **fields: Any) -> Object:
    """A pod's own report."""
    body = {
        "serverName": "default",
        "podUID": f"uid-{name}",
        "startedAt": "2026-03-01T10:00:01Z",
        "configMapUID": uid,
        "sequence": sequence,
        "routes": 1,
        **fields,
    }
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": names.API_VERSION, "kind": "ReplicaReport", "metadata": metadata, "report": body}


def replicas(pods: Iterable[Object], reports: Iterable[Object]) -> list[Replica]:
    """The replicas of these pods and reports."""
    return make_replicas(observed(Pod, *pods), observed(ReplicaReport, *reports))


def observed(kind: type[T], *bodies: Object) -> list[T]:
    """The typed objects that the pure decisions receive."""
    return [observe(kind, body) for body in bodies]


def status_condition(body: Object, kind: str) -> Object:
    """Returns a condition of an object; empty if the object has none of that type."""
    found = [c for c in (body.get("status") or {}).get("conditions") or () if c["type"] == kind]
    return found[0] if found else {}


def status_and_reason(body: Object, kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    found = status_condition(body, kind)
    return found.get("status", ""), found.get("reason", "")
