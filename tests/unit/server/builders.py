"""Documents, routes and servers for tests, with defaults for all that a test does not care about."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import later
from linplane_api.artifact import Artifact, with_checks
from linplane_api.canonical import canonical_bytes, digest_of
from linplane_api.routing import (
    Candidate,
    RateLimit,
    RouteDocument,
    RoutingMap,
    ServedVersion,
    SplitKey,
    Unavailable,
    make_entry,
)
from linplane_server.errors import Refusal
from linplane_server.interfaces.native import NATIVE
from linplane_server.predict.client_identity import ClientIdentity
from linplane_server.predict.interface import Call, Interface, Target
from linplane_server.predict.predictor import Predictor
from linplane_server.routing.file_report import no_report
from linplane_server.routing.updater import RoutingUpdater
from linplane_server.state.counters import Counters
from linplane_server.state.serving import Serving, new_serving
from linplane_server.state.snapshot import Route


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: int = 1_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def served(coefficients: Mapping[str, float], intercept: float = 0.0) -> ServedVersion:
    """The weights of one version."""
    artifact = with_checks(Artifact(tuple(coefficients), tuple(coefficients.values()), intercept))
    return ServedVersion(artifact.digest, artifact.features, artifact.coefficients, artifact.intercept, artifact.checks)


V1 = {"area": 2.0, "rooms": 10.0}
V2 = {"area": 3.0, "rooms": 20.0}


def document(
    route: str = "homes",
    current: str | None = "v1",
    split: Sequence[tuple[str, int]] = (),
    versions: Mapping[str, Mapping[str, float]] | None = None,
    header: str | None = None,
    limit: RateLimit | None = None,
    unavailable: Unavailable | None = None,
    named: Mapping[str, tuple[str, ...]] | None = None,
) -> RouteDocument:
    """A routing document; `split` in hundredths of a percent."""
    weights = {name: served(c, 1.0) for name, c in ({"v1": V1, "v2": V2} if versions is None else versions).items()}
    return RouteDocument(
        route=route,
        model=route,
        current=current,
        split=tuple(Candidate(version, share) for version, share in split),
        split_key=SplitKey(route, header),
        versions=weights,
        features_by_version={name: version.features for name, version in weights.items()} | dict(named or {}),
        rate_limit=limit,
        unavailable=unavailable,
    )


def later_format(route: str) -> str:
    """An entry of a format that this release does not support."""
    body = json.loads(make_entry(document(route), 1).to_bytes())
    body["document"] |= {"format": later.FORMAT, "current": {"version": "v1"}}
    return json.dumps({**body, "revision": digest_of(canonical_bytes(body["document"]))})


def compiled(doc: RouteDocument | None = None, counters: Counters | None = None) -> Route:
    """A compiled route."""
    return Route(make_entry(doc or document(), 1), counters or Counters())


def routing(*documents: RouteDocument, sequence: int = 1, uid: str = "uid-1", **raw: str) -> RoutingMap:
    """A routing map; `raw` are routes whose text is given."""
    good = {doc.route: make_entry(doc, sequence).to_bytes().decode() for doc in documents}
    return RoutingMap(uid, sequence, good | raw)


async def serving(*documents: RouteDocument, clock: Clock | None = None) -> Serving:
    """The state of a server that has loaded these documents."""
    result = new_serving(clock or Clock())
    await RoutingUpdater(result, no_report, Clock()).apply(routing(*documents))
    return result


def refusal_types(base: type[Refusal]) -> set[type[Refusal]]:
    """A type of refusal and all types below it."""
    return {base}.union(*map(refusal_types, base.__subclasses__()))


class Client:
    """Sends requests to a Predictor, without a network."""

    def __init__(self, loaded: Serving, *, single_route: bool = True, trusted: Sequence[Any] = ()) -> None:
        self.predictor = Predictor(loaded, ClientIdentity(trusted), Clock(), "id", single_route=single_route)

    def ask(
        self,
        data: Any,
        name: str | None = None,
        peer: str = "192.0.2.1",
        method: str = "POST",
        *,
        version: str | None = None,
        interface: Interface = NATIVE,
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; a header's underscores are hyphens."""
        fields = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
        call = Call(method, fields, dict(fields), peer, data)
        status, out, content = self.predictor.respond(Target(interface, name, version), call)
        return status, {key.decode(): value.decode() for key, value in out}, content
