"""Condition types and reasons, as users read them in `kubectl get` and `kubectl describe`.

A condition follows `metav1.Condition`: type, status (True, False, Unknown), reason, message, lastTransitionTime
(changes only with status), observedGeneration.
"""

from enum import StrEnum
from typing import Literal

import msgspec

Status = Literal["True", "False", "Unknown"]


class ConditionType(StrEnum):
    """What a condition is about."""

    TRAINED = "Trained"
    """LinearModel: an artifact exists. True for hand-written weights as soon as they were read."""
    VALIDATED = "Validated"
    """LinearModel: the artifact is sound (finite, of its digest, its check rows agree) and passes its gates."""
    READY = "Ready"
    """LinearModel: may be routed to unless frozen. ModelRoute: Accepted, Servable and Converged. ModelServer:
    Available and Converged.
    """
    WITHDRAWN = "Withdrawn"
    """LinearModel: frozen, and no replica can answer with it any more."""
    ACCEPTED = "Accepted"
    """ModelRoute: what the spec asks for is in effect. False keeps the last good traffic and says why."""
    SERVABLE = "Servable"
    """ModelRoute: every share of the traffic has a version that answers it."""
    CONVERGED = "Converged"
    """ModelRoute, ModelServer: every ready replica has loaded the current documents, at least one replica there is."""
    AVAILABLE = "Available"
    """ModelServer: at least one replica is ready."""


class Reason(StrEnum):
    """Why a condition is as it is."""

    INVALID_SPEC = "InvalidSpec"
    """The API server took the spec, and this operator cannot read it: one of the two is older. What serves goes on."""

    # LinearModel
    TRAINED = "Trained"
    """The training ended and its artifact is sealed."""
    WEIGHTS_READ = "WeightsRead"
    """The hand-written weights were read and copied."""
    TRAINING = "Training"
    """A Job is under way."""
    PENDING = "Pending"
    """The Job waits: for its pod to be made or started, or for the next try."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """A ResourceQuota of the namespace lets the Job make no pod."""
    POD_REFUSED = "PodRefused"
    """The API server lets the Job make no pod, for another cause; its own words are in the message."""
    UNSCHEDULABLE = "Unschedulable"
    """No node takes the pod."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """The trainer's image cannot be pulled."""
    BAD_DATA = "BadData"
    """The trainer refused the data; its own line is in the message."""
    RESULT_REFUSED = "ResultRefused"
    """The trainer was not allowed to hand its result back; its own line is in the message."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """The Job took longer than `activeDeadlineSeconds`."""
    OOM_KILLED = "OOMKilled"
    """The trainer needed more memory than its limit."""
    EVICTED = "Evicted"
    """The node put the pod out."""
    TRAINING_FAILED = "TrainingFailed"
    """The Job failed for another cause; the message says which."""
    DATA_UNSUPPORTED = "DataUnsupported"
    """This kind of training data cannot be read here (a claim in local mode, a file URI in a cluster)."""
    DATA_NOT_FOUND = "DataNotFound"
    """The ConfigMap, or the key in it, that holds the training data is not there."""
    TRAINING_CHANGED = "TrainingChanged"
    """The status was cleared and `training` is not what the artifact was made by: make a new version."""
    ARTIFACT_LOST = "ArtifactLost"
    """The artifact was deleted; routes go on, and a new training counts only with the same digest."""
    CONFIGMAP_NOT_FOUND = "ConfigMapNotFound"
    """The ConfigMap with the weights is not there."""
    KEY_NOT_FOUND = "KeyNotFound"
    """The ConfigMap has no such key."""
    INVALID_ARTIFACT = "InvalidArtifact"
    """The weights are not a valid artifact; the message says where and what."""
    DIGEST_MISMATCH = "DigestMismatch"
    """The artifact is not the one that `weights.digest` (or the status) names."""
    NAME_TAKEN = "NameTaken"
    """An object of somebody else has the name that a child needs; it was not touched."""
    CHILD_REFUSED = "ChildRefused"
    """The API server does not take a child as it is asked for: a rule, a quota, a right; its own words are in the
    message. What serves goes on.
    """
    VALIDATED = "Validated"
    """The artifact is sound and passes its gates."""
    ACCEPTANCE_MISSED = "AcceptanceMissed"
    """The artifact is sound, and misses a gate of `acceptance`."""
    NOT_TRAINED = "NotTrained"
    """There is no artifact to judge yet."""
    NOT_FROZEN = "NotFrozen"
    """The version is not frozen, so nothing has to be withdrawn."""
    FROZEN = "Frozen"
    """Frozen, and no replica can answer with it."""
    REPLICAS_BEHIND = "ReplicasBehind"
    """At least one replica has not confirmed it yet; the message names it."""

    # ModelRoute
    ACCEPTED = "Accepted"
    """The spec is in effect."""
    VERSION_NOT_FOUND = "VersionNotFound"
    """A version that the route names does not exist."""
    VERSION_FROZEN = "VersionFrozen"
    """A version that the route names is frozen."""
    VERSION_NOT_READY = "VersionNotReady"
    """A version that the route names is not Ready."""
    CANDIDATE_UNAVAILABLE = "CandidateUnavailable"
    """A candidate cannot serve; its share goes to the current version."""
    CURRENT_FROZEN = "CurrentFrozen"
    """The current version is frozen: its share answers 503 until the route is switched."""
    NEVER_SERVED = "NeverServed"
    """No version of this route has been Ready yet."""
    SERVER_NOT_FOUND = "ServerNotFound"
    """The ModelServer does not exist."""
    SERVER_UNSUPPORTED = "ServerUnsupported"
    """Local mode runs the ModelServer `default` alone."""
    NAME_RESERVED = "NameReserved"
    """`kubernetes` and `linplane-...` name Services that are not a route's to have."""
    ROUTING_FULL = "RoutingFull"
    """The routing ConfigMap has no room (1 MiB); no route that serves is evicted."""
    SERVING = "Serving"
    """Every share has a version that answers."""
    CONVERGED = "Converged"
    """Every ready replica has loaded it."""
    NO_REPLICAS = "NoReplicas"
    """No replica is ready."""
    REJECTED = "Rejected"
    """A replica refused the document; the message says why."""
    READY = "Ready"
    """Everything that this condition sums up holds."""

    # ModelServer
    REPLICAS_READY = "ReplicasReady"
    """At least one replica is ready."""
    NO_ROUTES = "NoRoutes"
    """No route names this server."""


class Condition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One `metav1.Condition`. Times are RFC 3339, UTC, to the second."""

    type: ConditionType
    status: Status
    reason: Reason
    message: str
    last_transition_time: str = ""
    observed_generation: int = 0
