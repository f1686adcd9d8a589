"""Condition types and reasons, as users read them in `kubectl get` and `kubectl describe`.

A condition follows `metav1.Condition`: type, status (True, False, Unknown), reason, message, lastTransitionTime
(changes only with status), observedGeneration.
"""

from enum import StrEnum
from typing import Literal

import msgspec

Status = Literal["True", "False", "Unknown"]


class ConditionType(StrEnum):
    """The types of conditions; `condition_table` explains each."""

    TRAINED = "Trained"
    VALIDATED = "Validated"
    READY = "Ready"
    WITHDRAWN = "Withdrawn"
    ACCEPTED = "Accepted"
    SERVABLE = "Servable"
    CONVERGED = "Converged"
    AVAILABLE = "Available"
    STALLED = "Stalled"
    RECONCILING = "Reconciling"


class Reason(StrEnum):
    """The reasons of conditions; `condition_table` explains each."""

    INVALID_SPEC = "InvalidSpec"
    DELETING = "Deleting"

    # LinearModel
    TRAINED = "Trained"
    WEIGHTS_READ = "WeightsRead"
    TRAINING = "Training"
    PENDING = "Pending"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REFUSED = "PodRefused"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    BAD_DATA = "BadData"
    RESULT_REFUSED = "ResultRefused"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    OOM_KILLED = "OOMKilled"
    EVICTED = "Evicted"
    TRAINING_FAILED = "TrainingFailed"
    DATA_UNSUPPORTED = "DataUnsupported"
    DATA_NOT_FOUND = "DataNotFound"
    TRAINING_CHANGED = "TrainingChanged"
    ARTIFACT_LOST = "ArtifactLost"
    CONFIGMAP_NOT_FOUND = "ConfigMapNotFound"
    KEY_NOT_FOUND = "KeyNotFound"
    INVALID_ARTIFACT = "InvalidArtifact"
    FORMAT_NOT_SUPPORTED = "FormatNotSupported"
    DIGEST_MISMATCH = "DigestMismatch"
    NAME_TAKEN = "NameTaken"
    CHILD_REFUSED = "ChildRefused"
    VALIDATED = "Validated"
    ACCEPTANCE_MISSED = "AcceptanceMissed"
    NOT_TRAINED = "NotTrained"
    NOT_FROZEN = "NotFrozen"
    FROZEN = "Frozen"
    REPLICAS_BEHIND = "ReplicasBehind"

    # ModelRoute
    ACCEPTED = "Accepted"
    VERSION_NOT_FOUND = "VersionNotFound"
    VERSION_FROZEN = "VersionFrozen"
    VERSION_NOT_READY = "VersionNotReady"
    CANDIDATE_UNAVAILABLE = "CandidateUnavailable"
    CURRENT_FROZEN = "CurrentFrozen"
    NEVER_SERVED = "NeverServed"
    SERVER_NOT_FOUND = "ServerNotFound"
    SERVER_UNSUPPORTED = "ServerUnsupported"
    NAME_RESERVED = "NameReserved"
    ROUTING_FULL = "RoutingFull"
    ROUTING_LOST = "RoutingLost"
    SERVING = "Serving"
    CONVERGED = "Converged"
    NO_REPLICAS = "NoReplicas"
    REJECTED = "Rejected"
    READY = "Ready"

    # ModelServer
    REPLICAS_READY = "ReplicasReady"
    NO_ROUTES = "NoRoutes"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"


class Cause(msgspec.Struct, frozen=True):
    """A reason for programs with a message for people."""

    reason: Reason
    message: str


class Condition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One `metav1.Condition`. Times are RFC 3339, UTC, to the second."""

    type: ConditionType
    status: Status
    reason: Reason
    message: str
    last_transition_time: str = ""
    observed_generation: int = 0

    @property
    def cause(self) -> Cause:
        """Reason and message."""
        return Cause(self.reason, self.message)
