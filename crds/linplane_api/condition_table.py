"""Every reason that a condition may give, as data: with which types and status, what it means, what to do about it,
and whether a person has to act (`Stalled`) or waiting is enough (`Reconciling`), in the terms of kstatus.

A condition is built from its type and reason alone, so no other triple of type, status and reason is ever written.
`docs/conditions.md` is generated from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from .conditions import ConditionType, Reason, Status


class Progress(Enum):
    """Whether waiting helps while an object is not Ready for a reason."""

    STALLED = "Stalled"
    """Waiting does not help: a person has to change something."""
    RECONCILING = "Reconciling"
    """The operator, or the cluster, is at work."""
    INHERITED = "Inherited"
    """As what the reason waits for: a version, the training that replaces an artifact, the pods of a ModelServer."""
    NONE = ""
    """Neither is claimed: another object may come at any time, or never."""


@dataclass(frozen=True)
class Row:
    """One reason. `statuses`: the types that may give it, each with the status that it then has. `warns`: a change to
    it is a Warning in the Events, not Normal.
    """

    reason: Reason
    statuses: Mapping[ConditionType, Status]
    meaning: str
    action: str
    progress: Progress = Progress.NONE
    warns: bool = False


TRAINED, VALIDATED, READY, WITHDRAWN = (
    ConditionType.TRAINED,
    ConditionType.VALIDATED,
    ConditionType.READY,
    ConditionType.WITHDRAWN,
)
ACCEPTED, SERVABLE, CONVERGED, AVAILABLE = (
    ConditionType.ACCEPTED,
    ConditionType.SERVABLE,
    ConditionType.CONVERGED,
    ConditionType.AVAILABLE,
)

TYPES: Mapping[ConditionType, str] = {
    READY: (
        "LinearModel: routes may use it unless it is frozen. ModelRoute: Accepted, Servable and Converged. "
        "ModelServer: Available and Converged, and every pod is up to date and ready."
    ),
    TRAINED: "LinearModel: there is an artifact. True for hand-written weights as soon as they were read.",
    VALIDATED: "LinearModel: the artifact is valid (finite, of its digest, its check rows agree) and passes its gates.",
    WITHDRAWN: "LinearModel: it is frozen, and no replica can answer with it any more.",
    ACCEPTED: "ModelRoute: the spec is in effect. If False, the last good traffic goes on.",
    SERVABLE: "ModelRoute: every share of the traffic has a version that answers it.",
    CONVERGED: "ModelRoute, ModelServer: there is a ready replica, and each has loaded the current documents.",
    AVAILABLE: "ModelServer: at least one replica is ready.",
    ConditionType.STALLED: "True while only a person can make the object Ready; absent otherwise.",
    ConditionType.RECONCILING: "True while the object may become Ready by itself; absent otherwise.",
}


def _true(*types: ConditionType) -> dict[ConditionType, Status]:
    return dict.fromkeys(types, "True")


def _false(*types: ConditionType) -> dict[ConditionType, Status]:
    return dict.fromkeys(types, "False")


NOT_TRAINED = _false(TRAINED, READY)
NOT_USABLE = _false(TRAINED, VALIDATED, READY)
CHILDREN = _false(TRAINED, VALIDATED, ACCEPTED, CONVERGED, READY)
ROUTE = _false(ACCEPTED, READY)
TRAFFIC = _false(ACCEPTED, SERVABLE, READY)

STALLED, RECONCILING, INHERITED = Progress.STALLED, Progress.RECONCILING, Progress.INHERITED
WAIT = "Nothing: wait."
NOTHING = "Nothing."

# fmt: off
ROWS: tuple[Row, ...] = (
    # every kind
    Row(Reason.READY, _true(READY), "Everything that this condition sums up holds.", NOTHING),
    Row(
        Reason.INVALID_SPEC, _false(ACCEPTED, CONVERGED, READY),
        "The API server accepted the spec and this operator cannot read it: one of them is older. Serving continues.",
        "Upgrade the operator, or the CRDs, so that both are of one release.", STALLED, warns=True,
    ),
    Row(
        Reason.FORMAT_NOT_SUPPORTED,
        {**_false(TRAINED, VALIDATED, ACCEPTED, READY), SERVABLE: "Unknown", CONVERGED: "Unknown"},
        "A later release wrote the document or artifact in a format that this operator does not read, or a ready "
        "replica does not read the format that it writes. Traffic stays as it is.",
        "Wait until the rollout is complete, or upgrade what the message names.", warns=True,
    ),
    Row(
        Reason.DELETING, _false(ACCEPTED, SERVABLE, CONVERGED, AVAILABLE, READY),
        "It is being deleted, once the controllers of the finalizers that the message names have removed them.",
        "Wait, or fix the controller that sets them.",
    ),
    Row(
        Reason.NAME_TAKEN, CHILDREN,
        "An object that does not belong to this one has the name that a child needs; it was not touched.",
        "Rename this object, or delete the one that the message names.", STALLED, warns=True,
    ),
    Row(
        Reason.CHILD_REFUSED, CHILDREN,
        "The API server refuses a child (a policy, a quota, a permission), as the message says. Serving continues.",
        "Change what the message names; the operator tries again by itself.", warns=True,
    ),

    # LinearModel
    Row(Reason.TRAINED, _true(TRAINED), "The training ended and its artifact is sealed.", NOTHING),
    Row(Reason.WEIGHTS_READ, _true(TRAINED), "The hand-written weights were read and copied.", NOTHING),
    Row(Reason.TRAINING, NOT_TRAINED, "A training Job is running, or about to.", WAIT, RECONCILING),
    Row(
        Reason.PENDING, NOT_TRAINED, "The Job waits for its pod to start, or for its next try.",
        "Wait; if the Job is suspended, resume it.", RECONCILING,
    ),
    Row(
        Reason.QUOTA_EXCEEDED, NOT_TRAINED, "A ResourceQuota of the namespace does not allow the pod.",
        "Wait until the quota has room, raise it, or request less.", RECONCILING, warns=True,
    ),
    Row(
        Reason.POD_REFUSED, NOT_TRAINED, "The API server refuses the pod for another cause; the message quotes it.",
        "Change what the message names; it goes on once the pod is allowed.", RECONCILING, warns=True,
    ),
    Row(
        Reason.UNSCHEDULABLE, NOT_TRAINED, "No node takes the pod.",
        "Wait until a node has room, request less, or select other nodes.", RECONCILING, warns=True,
    ),
    Row(
        Reason.IMAGE_PULL_FAILED, NOT_TRAINED, "The image cannot be pulled.",
        "Make the image available, or name another; see also imagePullSecrets.", RECONCILING, warns=True,
    ),
    Row(
        Reason.BAD_DATA, NOT_TRAINED, "The trainer refused the data; the message has its line.",
        "Correct the data or `training`; both start a new training.", STALLED, warns=True,
    ),
    Row(
        Reason.RESULT_REFUSED, NOT_TRAINED,
        "The trainer could not store its result; the message has its line.",
        "Allow linplane-trainer to reach the API server and to patch the ConfigMap that the message names; delete the "
        "Job to try again.", STALLED, warns=True,
    ),
    Row(
        Reason.DEADLINE_EXCEEDED, NOT_TRAINED, "The Job took longer than `activeDeadlineSeconds`.",
        "Raise `training.job.activeDeadlineSeconds`.", STALLED, warns=True,
    ),
    Row(
        Reason.OOM_KILLED, NOT_TRAINED, "The trainer needed more memory than its limit.",
        "Raise `training.job.resources.limits.memory`.", STALLED, warns=True,
    ),
    Row(
        Reason.EVICTED, NOT_TRAINED, "The node evicted the pod.", "Raise what `training.job.resources` requests.",
        STALLED, warns=True,
    ),
    Row(
        Reason.TRAINING_FAILED, NOT_TRAINED, "The Job failed for another cause; the message says which.",
        "Delete the Job to try again, or change `training`, its data or `training.job`.", STALLED, warns=True,
    ),
    Row(
        Reason.DATA_UNSUPPORTED, NOT_TRAINED,
        "This kind of training data cannot be read here: a claim in local mode, a file URI in a cluster, a Secret if "
        "the chart's `trainer.credentials` is off.",
        "Use another kind of `training.data`.", STALLED, warns=True,
    ),
    Row(
        Reason.DATA_NOT_FOUND, NOT_TRAINED,
        "The ConfigMap with the training data, or the key in it, does not exist.", "Create it.", warns=True,
    ),
    Row(
        Reason.TRAINING_CHANGED, NOT_USABLE,
        "`training` or `weights` are not those that the artifact was made from. A version never changes its meaning.",
        "Make a new version, or undo the change.", STALLED, warns=True,
    ),
    Row(
        Reason.ARTIFACT_LOST, NOT_USABLE,
        "The artifact was deleted. A new training counts only if it gives the same digest; the message has its state.",
        "Wait; if the message says that the new training failed, follow its advice.", INHERITED, warns=True,
    ),
    Row(
        Reason.CONFIGMAP_NOT_FOUND, NOT_USABLE, "The ConfigMap with the weights does not exist.", "Create it.",
        warns=True,
    ),
    Row(Reason.KEY_NOT_FOUND, NOT_USABLE, "The ConfigMap has no such key.", "Add the key.", warns=True),
    Row(
        Reason.INVALID_ARTIFACT, NOT_USABLE,
        "The weights are not a valid artifact; the message says where and why.", "Correct them.", STALLED, warns=True,
    ),
    Row(
        Reason.DIGEST_MISMATCH, NOT_USABLE,
        "The artifact is not the one that `weights.digest` (or the status) names.",
        "Bring back the artifact of that digest, or make a new version.", STALLED, warns=True,
    ),
    Row(
        Reason.VALIDATED, _true(VALIDATED, READY), "The artifact is valid and passes its gates.", NOTHING,
    ),
    Row(
        Reason.ACCEPTANCE_MISSED, _false(VALIDATED, READY), "The artifact is valid and misses a gate of `acceptance`.",
        "Change `acceptance`, or make another version.", STALLED, warns=True,
    ),
    Row(Reason.NOT_TRAINED, {VALIDATED: "Unknown"}, "There is no artifact yet.", "See Trained.", RECONCILING),
    Row(Reason.NOT_FROZEN, _false(WITHDRAWN), "The version is not frozen, so nothing is withdrawn.", NOTHING),
    Row(Reason.FROZEN, _true(WITHDRAWN), "The version is frozen, and no replica can answer with it.", NOTHING),

    # ModelRoute
    Row(Reason.ACCEPTED, _true(ACCEPTED), "The spec is in effect, or about to be.", NOTHING),
    Row(
        Reason.VERSION_NOT_FOUND, TRAFFIC, "A version that the route names does not exist.",
        "Create the version, or name another.", warns=True,
    ),
    Row(
        Reason.VERSION_FROZEN, ROUTE, "The version that `spec.version` names is frozen; the last good traffic goes on.",
        "Unfreeze the version, or name another.", STALLED, warns=True,
    ),
    Row(
        Reason.VERSION_NOT_READY, TRAFFIC, "A version that the route names is not Ready.",
        "See the conditions of that LinearModel.", INHERITED, warns=True,
    ),
    Row(
        Reason.CANDIDATE_UNAVAILABLE, ROUTE, "A candidate cannot serve; its share goes to the current version.",
        "See the conditions of that LinearModel.", INHERITED, warns=True,
    ),
    Row(
        Reason.CURRENT_FROZEN, TRAFFIC, "The current version is frozen: its share is answered 503.",
        "Switch to another version, or unfreeze this one.", STALLED, warns=True,
    ),
    Row(Reason.NEVER_SERVED, _false(SERVABLE, READY), "No version of this route has been Ready yet.", "See Accepted."),
    Row(
        Reason.SERVER_NOT_FOUND, TRAFFIC, "The ModelServer does not exist.",
        "Create it, or make a route that names another.", warns=True,
    ),
    Row(
        Reason.SERVER_UNSUPPORTED, ROUTE, "Local mode runs no ModelServer but `default`.",
        "Name `default`.", STALLED, warns=True,
    ),
    Row(
        Reason.NAME_RESERVED, ROUTE, "`kubernetes` and `linplane-...` name Services that a route cannot have.",
        "Make a route of another name.", STALLED, warns=True,
    ),
    Row(
        Reason.ROUTING_FULL, ROUTE, "The routing ConfigMap has no room (1 MiB). No route that serves is evicted.",
        "Use another ModelServer.", STALLED, warns=True,
    ),
    Row(
        Reason.ROUTING_LOST, {SERVABLE: "Unknown", READY: "False"},
        "The routing ConfigMap is gone, and a version that served is not Ready: the servers go on with the documents "
        "that they have.",
        "Nothing: it is made again once that version is Ready, or after a minute.", RECONCILING, warns=True,
    ),
    Row(Reason.SERVING, _true(SERVABLE), "Every share of the traffic has a version that answers.", NOTHING),

    # ModelRoute and ModelServer
    Row(Reason.CONVERGED, _true(CONVERGED), "Every ready replica has loaded the current documents.", NOTHING),
    Row(
        Reason.REPLICAS_BEHIND, _false(CONVERGED, WITHDRAWN, READY),
        "At least one replica is not up to date yet; the message names it.", WAIT, RECONCILING,
    ),
    Row(
        Reason.NO_REPLICAS, _false(AVAILABLE, CONVERGED, READY),
        "No replica is ready; the message says why, if it is known.",
        "Wait; with `replicas: 0`, set more. See the conditions of the ModelServer.", INHERITED,
    ),
    Row(
        Reason.REJECTED, _false(CONVERGED, READY), "A replica refused the document; the message says why.",
        "Use servers and an operator of one release.", warns=True,
    ),

    # ModelServer
    Row(Reason.REPLICAS_READY, _true(AVAILABLE), "At least one replica is ready.", NOTHING),
    Row(Reason.NO_ROUTES, _true(CONVERGED), "No route names this server.", NOTHING),
    Row(
        Reason.PROGRESS_DEADLINE_EXCEEDED, _false(READY),
        "The Deployment made no progress for ten minutes; the message says why. Earlier pods go on serving.",
        "Change what the message names; the rollout goes on by itself.", STALLED, warns=True,
    ),
)
# fmt: on

TABLE: Mapping[str, Row] = {row.reason: row for row in ROWS}


def status_of(kind: ConditionType, reason: Reason) -> Status:
    """The status that a condition of this type and reason has. Raises ValueError if the type does not give it."""
    if not gives(kind, reason):
        raise ValueError(f"a condition {kind} has no reason {reason}")
    return TABLE[reason].statuses.get(kind, "True")


def gives(kind: ConditionType, reason: Reason) -> bool:
    """True if a condition of this type may have this reason."""
    row = TABLE[reason]
    if kind in (ConditionType.STALLED, ConditionType.RECONCILING):
        return row.progress in (Progress(kind.value), Progress.INHERITED)
    return kind in row.statuses
