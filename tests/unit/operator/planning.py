"""A LinearModel and the objects that it owns, for tests of its plan."""

from collections.abc import Iterable
from typing import Any

from linplane_api import names
from linplane_api.canonical import canonical_bytes
from linplane_operator.compile.artifacts import OwnedObjects
from linplane_operator.compile.data_sources import plan_data
from linplane_operator.compile.model_plan import ModelInputs, ModelPlan, plan_model
from linplane_operator.compile.observed import ConfigMap, Job, Pod
from linplane_operator.compile.settings import Settings
from linplane_operator.compile.training import make_job, make_result
from unit.operator.builders import NOW, Object, csv_training, linear_model, observed, text, typed, with_meta

SETTINGS = Settings()
COMPLETE = {"type": "Complete", "status": "True"}
FAILED = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}
ROWS = {"metadata": {"name": "rows"}, "data": {"rows.csv": "x,y\n1,2\n"}}


def model(version: str = "v1", uid: str = "u1", digest: str | None = None, **spec: Any) -> Object:
    """A LinearModel as the API server returns it, with `digest` in its status."""
    body = with_meta(linear_model(version, **spec), uid=uid, generation=2)
    return {**body, "status": {"digest": digest, "samples": 100, "artifact": "old"}} if digest else body


def csv_model(**fields: Any) -> Object:
    """A LinearModel that is trained on the ConfigMap `rows`."""
    return model(training=csv_training(), **fields)


def job(owner: Object, *conditions: Object, source: Object | None = None, **status: Any) -> Object:
    """The Job of a LinearModel."""
    spec = typed(owner)
    body = make_job(owner, spec, plan_data(spec, SETTINGS, config_map_of(source)), SETTINGS)
    return {**with_meta(body, uid="job"), "status": {"conditions": list(conditions), **status}}


def result(owner: Object, data: dict[str, str] | None = None, *, sealed: bool = False) -> Object:
    """The result ConfigMap of a LinearModel."""
    body = with_meta(make_result(owner, typed(owner)), uid="result", resourceVersion="7")
    return {**body, "data": data or {}, **({"immutable": True} if sealed else {})}


def artifact_in(owner: Object, *, sealed: bool = True, **fields: Any) -> Object:
    """A result that holds an artifact."""
    return result(owner, {names.ARTIFACT_KEY: text(**fields)}, sealed=sealed)


def error(reason: str = "BadData", message: str = "line 3: y: not a number") -> dict[str, str]:
    """The result data that a failed trainer writes."""
    return {names.ERROR_KEY: canonical_bytes({"reason": reason, "message": message}).decode()}


def plan(owner: Object, settings: Settings = SETTINGS, **around: Any) -> ModelPlan:
    """The plan, given what exists."""
    return plan_model(ModelInputs(owner, typed(owner), owned_objects(**around)), settings, NOW)


def owned_objects(
    jobs: Iterable[Object] = (),
    pods: Iterable[Object] = (),
    artifacts: Iterable[Object] = (),
    source: Object | None = None,
    **around: Any,
) -> OwnedObjects:
    """The objects that a LinearModel owns, and its source."""
    return OwnedObjects(
        artifacts=observed(ConfigMap, *artifacts),
        jobs=observed(Job, *jobs),
        pods=observed(Pod, *pods),
        source=config_map_of(source),
        **around,
    )


def config_map_of(body: Object | None) -> ConfigMap | None:
    """The typed ConfigMap."""
    return None if body is None else ConfigMap.of(body)


def created(made: ModelPlan) -> list[str]:
    """The kinds of the objects to create, in order."""
    return [body["kind"] for body in made.create]


def deleted(made: ModelPlan) -> list[str]:
    """The kinds of the objects to delete, in order."""
    return [kind.kind for kind, _ in made.delete]
