"""An API server of a few lines that knows names, controllers and versions, and a KubeClient over it."""

from typing import Any

from linplane_api.api_access import APPLY_PATCH, MERGE_PATCH, ApiError, object_path
from linplane_api.kinds import BY_KIND, Kind
from linplane_operator.compile.objects import Object, child, meta
from linplane_operator.kube.cluster import KubeClient
from linplane_operator.kube.http import HttpClient
from linplane_operator.kube.informer import Informer
from linplane_operator.observe.cache import ObjectCache

OWNER: Object = {
    "apiVersion": "linplane.dev/v1alpha1",
    "kind": "ModelServer",
    "metadata": {"name": "default", "namespace": "n", "uid": "u-owner"},
}


class Api(HttpClient):
    """Objects by path; `calls` are those that were made."""

    def __init__(self) -> None:
        self.always: Object = {}  # what an admission webhook sets in each spec
        self.refuses = 0  # with which status it answers each write
        self.refused = (MERGE_PATCH, APPLY_PATCH)  # what of it
        self.causes: tuple[str, ...] = ()  # why
        self.objects: dict[str, Object] = {}
        self.calls: list[str] = []
        self.version = 10

    def put(self, body: Object) -> None:
        """Another client's write."""
        self.version += 1
        kind = BY_KIND[body["apiVersion"], body["kind"]]
        metadata = {"uid": f"u-{self.version}", **meta(body), "resourceVersion": str(self.version)}
        self.objects[object_path(kind, "n", metadata["name"])] = {**body, "metadata": metadata}

    async def call(self, method: str, path: str, **given: Any) -> Object:
        self.calls.append(method)
        found = self.objects.get(path)
        if method == "GET":
            if found is None:
                raise ApiError(404, "NotFound", "")
            return found
        assert method == "PATCH"
        body = given["body"]
        if self.refuses and given["content_type"] in self.refused:
            raise ApiError(self.refuses, "Invalid", "requests above limits", causes=self.causes)
        path = path.removesuffix("/status")
        if given["content_type"] == MERGE_PATCH:
            assert found or self.objects[path]
            self.put(_merged(self.objects[path], body))
        elif meta(body).get("resourceVersion") == "1":
            if found:
                raise ApiError(409, "Conflict", "exists")
            self.put(body)
        else:
            found = self.objects.get(path)
            if found is None or meta(body).get("uid") not in (None, meta(found)["uid"]):
                raise ApiError(409, "Conflict", "uid mismatch")
            self.put(_applied(found, body))
        if self.always:
            self.objects[path]["spec"] = {**self.objects[path]["spec"], **self.always}
        return self.objects[path]


def _merged(found: Object, patch: Object) -> Object:
    """RFC 7386."""
    result = dict(found)
    for key, value in patch.items():
        inner = result.get(key)
        result[key] = _merged(inner if isinstance(inner, dict) else {}, value) if isinstance(value, dict) else value
    return {key: value for key, value in result.items() if value is not None}


def _applied(found: Object, asked: Object) -> Object:
    """Server-side apply: items of others stay in a list, behind ours."""
    result = dict(found)
    for key, value in asked.items():
        inner = result.get(key)
        if isinstance(value, dict) and isinstance(inner, dict):
            result[key] = _applied(inner, value)
        elif isinstance(value, list) and isinstance(inner, list):
            named = {item["name"] for item in value if "name" in item}
            result[key] = value + [item for item in inner if item.get("name", "") not in {"", *named}]
        else:
            result[key] = value
    return result


class Setup:
    """A cluster over that."""

    def __init__(self) -> None:
        self.api, self.cache = Api(), ObjectCache()
        self.informer = Informer(self.cache, lambda _: None)
        self.time = 1000.0
        self.cluster = KubeClient(self.api, self.cache, lambda *_: None, self.informer, lambda: self.time)

    async def apply(self, body: Object) -> list[str]:
        """The calls that it took."""
        self.api.calls.clear()
        await self.cluster.apply(body)
        return list(self.api.calls)


def made(kind: Kind, **fields: Any) -> Object:
    return {**child(kind, "linplane-x", OWNER, "server"), **fields}
