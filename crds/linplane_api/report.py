"""The acknowledgement of one replica: the documents that it has loaded. Conditions are made from these."""

import msgspec

MAX_LISTED = 8


class Rejected(msgspec.Struct, frozen=True, rename="camel"):
    """A route whose document this replica refused; `reason` at most 256 characters."""

    route: str
    reason: str


class Lacking(msgspec.Struct, frozen=True, rename="camel"):
    """The number of requests since the process started that lacked `feature`, which `version` of `route` needs."""

    route: str
    version: str
    feature: str
    count: int


class Report(
    msgspec.Struct,
    frozen=True,
    rename={
        "server_name": "serverName",
        "pod_uid": "podUID",
        "started_at": "startedAt",
        "config_map_uid": "configMapUID",
        "rejected_count": "rejectedCount",
    },
):
    """`report` of a ReplicaReport. `sequence` is that of the routing ConfigMap (of `config_map_uid`) last applied."""

    server_name: str
    pod_uid: str
    started_at: str
    config_map_uid: str
    sequence: int
    routes: int
    rejected_count: int = 0
    rejected: tuple[Rejected, ...] = ()
    formats: tuple[int, ...] = (1,)
    """The formats of routing documents that the replica reads."""
    lacking: tuple[Lacking, ...] | msgspec.UnsetType = msgspec.UNSET
    """Those with the highest counts. Left out if there is none: an older CRD does not have it."""
