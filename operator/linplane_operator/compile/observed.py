"""Typed objects of other controllers and of the replicas, and ConfigMaps: decoded once, when they enter the cache.

The fields are those of the Kubernetes API that something here reads, with its defaults; all others are ignored. Null
counts as absent, for Go writes times that are not set so.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar, cast

import msgspec

from linplane_api.canonical import FormatError, convert
from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, JOB, POD, REPLICA_REPORT, Kind
from linplane_api.report import Report

from .objects import Object, annotation_of, controller_uid, data_of, label_of, name_of, namespace_of, part, uid_of


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of an object."""


class OwnerReference(_Part, frozen=True):
    """An owner; one of them at most is the controller."""

    uid: str = ""
    controller: bool = False


class Meta(_Part, frozen=True):
    """`metadata`. Times are RFC 3339, None if they are not set."""

    name: str = ""
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()


class ObservedCondition(_Part, frozen=True):
    """A condition as it was written, perhaps by a later release: any type, any reason."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class StatusCondition(ObservedCondition, frozen=True):
    """A condition of one of our kinds, as `metav1.Condition` has it."""

    observed_generation: int | None = None


class Waiting(_Part, frozen=True):
    """Why a container does not run."""

    reason: str = ""
    message: str = ""


class Running(_Part, frozen=True):
    """Since when a container runs."""

    started_at: str | None = None


class Terminated(_Part, frozen=True):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""


class ContainerState(_Part, frozen=True):
    """At most one of these; none while that is not known."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Part, frozen=True):
    """`last_state`: how the run before the last restart ended."""

    name: str = ""
    image: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(_Part, frozen=True):
    """`reason` and `message`: why the whole pod ended, such as Evicted."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[ObservedCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class JobSpec(_Part, frozen=True):
    """The field that queueing systems set."""

    suspend: bool = False


class JobStatus(_Part, frozen=True):
    """`active`: how many pods have not ended."""

    active: int = 0
    completion_time: str | None = None
    conditions: tuple[ObservedCondition, ...] = ()


class DeploymentSpec(_Part, frozen=True):
    """How many pods there are to be."""

    replicas: int = 1


class DeploymentStatus(_Part, frozen=True):
    """The counts of the Deployment's controller, of the spec of `observed_generation`."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    conditions: tuple[ObservedCondition, ...] = ()


UNKNOWN = "unknown"
"""A time that cannot be read."""
UNKNOWN_COUNT = -1
"""A number of pods that cannot be read."""


class Observed(_Part, frozen=True):
    """An object. `KIND`: of which kind."""

    KIND: ClassVar[Kind]

    metadata: Meta = Meta()

    @classmethod
    def of(cls, body: Object) -> Self:
        """The typed object."""
        try:
            return decode(cls, body)
        except FormatError:
            return cls.unreadable(body)

    @classmethod
    def unreadable(cls, body: Object) -> Self:
        """An object that cannot be decoded, which no API server gives: only what identifies it is known."""
        return cls(Meta(name_of(body), namespace_of(body), uid_of(body)))

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.metadata.name

    @property
    def uid(self) -> str:
        """metadata.uid."""
        return self.metadata.uid

    @property
    def is_deleting(self) -> bool:
        """metadata.deletionTimestamp is set."""
        return bool(self.metadata.deletion_timestamp)

    @property
    def controller_uid(self) -> str:
        """The UID of the controlling owner, empty if there is none."""
        return next((owner.uid for owner in self.metadata.owner_references if owner.controller), "")

    def reference(self) -> Object:
        """The part of it that `ClusterClient.delete` needs."""
        meta = self.metadata
        same = {"uid": meta.uid, "resourceVersion": meta.resource_version}
        metadata = {"name": meta.name, "namespace": meta.namespace, **same}
        return {"apiVersion": self.KIND.api_version, "kind": self.KIND.kind, "metadata": metadata}


class Pod(Observed, frozen=True):
    """A pod of a server or a training."""

    KIND: ClassVar[Kind] = POD

    status: PodStatus = PodStatus()

    @classmethod
    def unreadable(cls, body: Object) -> Self:
        """One that is not ready and may still answer: it counts as terminating."""
        meta = super().unreadable(body).metadata
        return cls(msgspec.structs.replace(meta, deletion_timestamp=UNKNOWN))


class Job(Observed, frozen=True):
    """A training."""

    KIND: ClassVar[Kind] = JOB

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    @classmethod
    def unreadable(cls, body: Object) -> Self:
        """One that is left alone: it counts as running, and is not replaced."""
        return cls(super().unreadable(body).metadata, status=JobStatus(active=UNKNOWN_COUNT))

    @property
    def is_readable(self) -> bool:
        """It could be decoded."""
        return self.status.active != UNKNOWN_COUNT


class Deployment(Observed, frozen=True):
    """The pods of a ModelServer."""

    KIND: ClassVar[Kind] = DEPLOYMENT

    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class ReplicaReport(Observed, frozen=True):
    """The report of the pod of its name, None if it cannot be read."""

    KIND: ClassVar[Kind] = REPLICA_REPORT

    report: Report | None = None


class ConfigMap(msgspec.Struct, frozen=True):
    """A ConfigMap: an artifact, a result, a routing ConfigMap, or a user's. Nothing in it is a copy: there is one for
    each version, and their texts are long.
    """

    KIND: ClassVar[Kind] = CONFIG_MAP

    name: str
    uid: str
    controller_uid: str
    is_immutable: bool
    data: Mapping[str, str]
    body: Object

    @classmethod
    def of(cls, body: Object) -> Self:
        """The typed ConfigMap."""
        is_immutable = bool(body.get("immutable"))
        return cls(name_of(body), uid_of(body), controller_uid(body), is_immutable, data_of(body), body)

    def label(self, label: str) -> str:
        """A label's value, empty if there is none."""
        return label_of(self.body, label)

    def annotation(self, annotation: str) -> str:
        """An annotation's value, empty if there is none."""
        return annotation_of(self.body, annotation)

    def has_binary(self, key: str) -> bool:
        """The key's value is not UTF-8 text."""
        return key in part(self.body, "binaryData")


OBSERVED: Mapping[Kind, type[Observed | ConfigMap]] = {
    one.KIND: one for one in (Pod, Job, Deployment, ReplicaReport, ConfigMap)
}

D = TypeVar("D", bound=Observed)
T = TypeVar("T", bound=Observed | ConfigMap)


def decode(kind: type[D], body: Mapping[str, Any]) -> D:
    """The typed object. Raises FormatError if a field that is read has another type than in the API."""
    parts = {part: body[part] for part in kind.__struct_encode_fields__ if part in body}
    return convert(_without_null(parts), kind, kind.KIND.kind)


def observe(kind: type[T], body: Object) -> T:
    """The typed object."""
    return cast("T", kind.of(body))


def find_condition(
    conditions: Iterable[ObservedCondition], kind: str, status: str = "True"
) -> ObservedCondition | None:
    """The condition of a type that has a status, None if there is none."""
    return next((found for found in conditions if found.type == kind and found.status == status), None)


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value
