"""The sequences: nasty things that users and clusters do; how often in `make test`, and how often at full size."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from integration.sequences import outages, releases, remakes, switches
from integration.sequences.judging import NO_ANSWER, NO_SERVER
from integration.sequences.stage import Stage

ANY = math.inf


@dataclass(frozen=True)
class Sequence:
    """`play` repeats it so many times (seconds, for one). `failures`: how many requests may fail each time, by
    status, if the sequence itself removes the servers that answer; no other may.
    """

    play: Callable[[Stage, int], None]
    short: int
    full: int
    failures: Mapping[int, float] = field(default_factory=dict)
    proxied: bool = False


SEQUENCES = {
    "a version is frozen while the route switches away": Sequence(
        switches.frozen_while_switched_away, 3, 25, {503: 10}
    ),
    "two admins switch": Sequence(switches.two_admins, 60, 120),
    "one route is patched without a pause": Sequence(switches.many_patches, 40, 200),
    "the version that is promoted is deleted": Sequence(switches.promoted_is_deleted, 2, 15),
    "a served version is deleted and made again": Sequence(remakes.deleted_and_made_again, 1, 3),
    "a served version is replaced by force": Sequence(remakes.replaced_by_force, 1, 3),
    "one name is made and deleted without waiting": Sequence(remakes.one_name_without_waiting, 1, 6),
    "everything is applied in the wrong order": Sequence(
        remakes.wrong_order, 3, 10, {NO_SERVER: ANY, 404: ANY, 503: ANY}
    ),
    "the server is deleted under its routes": Sequence(remakes.server_is_deleted, 1, 3, {NO_SERVER: ANY}),
    "a route changes its model": Sequence(remakes.route_changes_its_model, 3, 10, {404: 60}),
    "the operator is killed": Sequence(outages.operator_is_killed, 2, 8),
    "servers are killed": Sequence(outages.servers_are_killed, 2, 8, {NO_ANSWER: 5, NO_SERVER: ANY}),
    "a later release writes documents": Sequence(releases.later_release_writes, 1, 5),
    "the API server is away": Sequence(outages.api_server_is_away, 4, 14, proxied=True),
}
