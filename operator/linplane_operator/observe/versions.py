"""LinearModels in the cache, each with the objects that it owns. No I/O, no clock."""

from collections.abc import Iterable

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.kinds import LINEAR_MODEL
from linplane_api.resources import LinearModelSpec, parse_spec

from ..compile.artifacts import OwnedObjects, Version, judge, sealed_artifacts
from ..compile.objects import Object, namespace_of, uid_of
from ..compile.observed import ConfigMap, Job, Pod
from .cache import ObjectCache


def owned_objects(cache: ObjectCache, model: Object, spec: LinearModelSpec) -> OwnedObjects:
    """The objects that belong to one LinearModel."""
    namespace, jobs, ref = namespace_of(model), owned_jobs(cache, model), spec.source_ref
    pods = [(job, pod) for job in jobs for pod in cache.find_typed(Pod, namespace, f"job={job.name}")]
    return OwnedObjects(
        artifacts=owned_artifacts(cache, model),
        jobs=jobs,
        pods=[pod for job, pod in pods if pod.controller_uid == job.uid],
        source=cache.typed(ConfigMap, namespace, ref.name) if ref else None,
    )


def owned_jobs(cache: ObjectCache, model: Object) -> list[Job]:
    """The Jobs that belong to a LinearModel."""
    return cache.find_typed(Job, namespace_of(model), f"owner={uid_of(model)}")


def owned_artifacts(cache: ObjectCache, model: Object) -> list[ConfigMap]:
    """The ConfigMaps that belong to a LinearModel: its artifact, or the result of its training."""
    return cache.find_typed(ConfigMap, namespace_of(model), f"owner={uid_of(model)}")


def has_sealed_artifact(cache: ObjectCache, model: Object) -> bool:
    """Nothing that the cache may lack could change what is known of the version."""
    return bool(sealed_artifacts(model, owned_artifacts(cache, model)))


def judge_versions(cache: ObjectCache, namespace: str, model: str, wanted: Iterable[str]) -> dict[str, Version]:
    """Versions of a model, judged. One that cannot be read is as one that is not there."""
    result = {}
    for version in wanted:
        body = cache.get(LINEAR_MODEL, namespace, names.model_object_name(model, version))
        if body is not None and (judged := _judged(cache, body)):
            result[version] = judged
    return result


def _judged(cache: ObjectCache, body: Object) -> Version | None:
    try:
        spec = parse_spec(body, LinearModelSpec)
    except FormatError:
        return None
    return Version(spec.version, spec.frozen, judge(body, spec, owned_artifacts(cache, body)))
