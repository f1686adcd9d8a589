"""A version judged: is there an artifact, is it sound, does it pass its gates. Read from what exists, never from a
condition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from linplane_api import names
from linplane_api.artifact import Artifact, ArtifactFile, copied_file, parse_artifact
from linplane_api.canonical import FormatError, FormatNotSupportedError
from linplane_api.conditions import Cause, Reason
from linplane_api.resources import Acceptance, ConfigMapKeyRef, LinearModelSpec, decimal
from linplane_api.task import missed_gates

from .objects import Object, name_of, status_of, uid_of
from .observed import ConfigMap, Job, Pod
from .training import recipe, result_name


@dataclass(frozen=True)
class Verdict:
    """The verdict on a version's artifact. `file` None: there is none, for this cause."""

    file: ArtifactFile | None
    cause: Cause
    missed: tuple[str, ...] = ()
    name: str = ""  # of the sealed ConfigMap

    @property
    def artifact(self) -> Artifact | None:
        """The artifact of a version that is ready."""
        return self.file.artifact if self.file and not self.missed else None


@dataclass(frozen=True)
class Version:
    """One version as a route sees it."""

    version: str
    frozen: bool
    verdict: Verdict


@dataclass(frozen=True)
class OwnedObjects:
    """The objects that one LinearModel controls, by UID, and its source."""

    artifacts: Sequence[ConfigMap] = ()
    jobs: Sequence[Job] = ()
    pods: Sequence[Pod] = ()
    source: ConfigMap | None = None  # the user's ConfigMap that weights or data come from, if it exists
    refusal: str = ""  # the API server's message why the Job gets no pod


def sealed_artifacts(model: Object, artifacts: Sequence[ConfigMap]) -> list[ConfigMap]:
    """Those of this very LinearModel that can never change again."""
    mine = uid_of(model)
    return [a for a in artifacts if a.is_immutable and a.controller_uid == mine and names.ARTIFACT_KEY in a.data]


def artifact_name(model: Object, spec: LinearModelSpec, digest: str) -> str:
    """The ConfigMap that weights by hand are copied to."""
    return names.child_name(name_of(model), f"{uid_of(model)}/{recipe(spec)}/{digest}")


def _made_by(model: Object, spec: LinearModelSpec, sealed: Sequence[ConfigMap]) -> ConfigMap | None:
    """The sealed artifact of the current recipe. The name proves it, and cannot be edited as a label can."""
    if spec.training:
        name = result_name(model, spec)
        return next((a for a in sealed if a.name == name), None)
    for one in sealed:
        try:
            if one.name == artifact_name(model, spec, _parse(one.data[names.ARTIFACT_KEY]).digest):
                return one
        except FormatNotSupportedError:  # a later release's digest is not known: `check` says so
            return one
        except FormatError:
            continue
    return None


def judge(model: Object, spec: LinearModelSpec, artifacts: Sequence[ConfigMap]) -> Verdict:
    """The verdict on the sealed artifact. Without one ARTIFACT_LOST if the status names one, else NOT_TRAINED."""
    sealed = sealed_artifacts(model, artifacts)
    digest = status_of(model).get("digest")
    kept = _made_by(model, spec, sealed)
    if kept is None:
        if sealed:
            return Verdict(None, Cause(Reason.TRAINING_CHANGED, _changed(sealed[0], spec)))
        if digest:
            return Verdict(None, Cause(Reason.ARTIFACT_LOST, f"the artifact {digest} is gone"))
        return not_trained(spec)
    return check(kept.data[names.ARTIFACT_KEY], spec, digest, kept.name)


def not_trained(spec: LinearModelSpec) -> Verdict:
    """The verdict on a version without an artifact."""
    return Verdict(None, Cause(Reason.NOT_TRAINED, f"{spec.version} is not trained yet"))


def _features(file: ArtifactFile) -> str:
    count = len(file.artifact.features)
    return f"{count} feature{'' if count == 1 else 's'}"


_parse = lru_cache(maxsize=16384)(parse_artifact)  # read by every route repeatedly: never fewer entries than versions


def software_of(text: str) -> dict[str, str]:
    """What decided the last digits of a readable artifact; empty for weights written by hand."""
    training = _parse(text).artifact.training
    return training.software if training else {}


def _changed(artifact: ConfigMap, spec: LinearModelSpec) -> str:
    """The message that the artifact was made by another recipe. Its label may have been edited since."""
    now = recipe(spec)
    made_by = artifact.label(names.LABEL_RECIPE)
    by = f"recipe {made_by}" if made_by not in ("", now) else "another recipe"
    return (
        f"training or weights were changed: the artifact was made by {by}, and the spec is now recipe {now}; "
        "a version never changes its meaning: undo the change, or make a new version"
    )


def check(text: str, spec: LinearModelSpec, digest: str | None, name: str) -> Verdict:
    """The verdict on an artifact's text: readable, of the digest that is pinned or known, past its gates."""
    try:
        file = _parse(text)
    except FormatNotSupportedError as error:
        return Verdict(None, Cause(Reason.FORMAT_NOT_SUPPORTED, f"{name}: {error}"))
    except FormatError as error:
        return Verdict(None, Cause(Reason.INVALID_ARTIFACT, f"{name}: {error}"))
    pinned = spec.weights.digest if spec.weights else None
    for expected in (pinned, digest):
        if expected and file.digest != expected:
            text = f"{name} has {file.digest}, expected is {expected}"
            return Verdict(None, Cause(Reason.DIGEST_MISMATCH, text))
    acceptance = spec.acceptance or Acceptance()
    gates = (acceptance.max_mse, acceptance.min_r2, acceptance.max_vif)
    missed = tuple(missed_gates(file.artifact, *(None if gate is None else decimal(gate) for gate in gates)))
    if missed:
        text = f"{'; '.join(missed)} (change acceptance, or make another version)"
        return Verdict(file, Cause(Reason.ACCEPTANCE_MISSED, text), missed, name)
    return Verdict(file, Cause(Reason.VALIDATED, f"valid: {_features(file)}"), (), name)


def read_source(spec: LinearModelSpec, source: ConfigMap | None, digest: str | None) -> Verdict:
    """The verdict on weights written by hand, read from the user's ConfigMap."""
    assert spec.weights is not None
    ref = spec.weights.config_map_key_ref
    if absent := find_key(ref, source):
        return Verdict(None, absent)
    assert source is not None
    return check(source.data[ref.key], spec, digest, source_name(spec))


def source_name(spec: LinearModelSpec) -> str:
    """How messages call the ConfigMap key that a version reads; empty if it reads none."""
    return f"ConfigMap {ref.name} key {ref.key}" if (ref := spec.source_ref) else ""


def source_copy(spec: LinearModelSpec, source: ConfigMap) -> bytes:
    """The file of the copy of weights that `read_source` found valid. Raises FormatError if a field that is not known
    has no canonical form.
    """
    assert spec.weights is not None
    return copied_file(source.data[spec.weights.config_map_key_ref.key])


def find_key(ref: ConfigMapKeyRef, source: ConfigMap | None) -> Cause | None:
    """Why a ConfigMap or its key cannot be read, None if both are there."""
    if source is None:
        return Cause(Reason.CONFIGMAP_NOT_FOUND, f"there is no ConfigMap {ref.name}")
    if source.has_binary(ref.key):
        return Cause(Reason.KEY_NOT_FOUND, f"ConfigMap {ref.name}: key {ref.key} is binary (not UTF-8 text)")
    if ref.key not in source.data:
        return Cause(Reason.KEY_NOT_FOUND, f"ConfigMap {ref.name} has no key {ref.key}")
    return None
