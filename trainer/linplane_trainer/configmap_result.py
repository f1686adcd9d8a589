"""Writes the result to the Job's own ConfigMap, by merge patches: its Role allows nothing else."""

import http.client
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from linplane_api.api_access import MERGE_PATCH, ApiAccess, ApiError, connection_error, object_path, response_error
from linplane_api.artifact import parse_artifact
from linplane_api.canonical import FormatError
from linplane_api.kinds import CONFIG_MAP
from linplane_api.names import ARTIFACT_KEY, ERROR_KEY, MAX_CONFIGMAP_BYTES
from linplane_api.task import Failure
from linplane_api.timing import Backoff

from .errors import ResultLostError, TooLargeError, UnreachableError
from .result import failure_file

BACKOFF = Backoff(0.5, 8.0, (1.0, 1.5))
RETRIES = 6
"""Of all writes together."""
MAX_FILE = MAX_CONFIGMAP_BYTES - (4 << 10)
"""The most bytes of an artifact file: a ConfigMap has a little overhead."""
SECONDS = 10.0
"""The timeout of one request."""
MAX_RESPONSE = 16 << 20

_RETRYABLE = {0, 401, 403, 409, 429}  # 403: a Role that was just written takes a moment

log = logging.getLogger(__name__)


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] | None = None
    immutable: bool = False


class ConfigMapResult:
    """See `ResultWriter`. The ConfigMap exists before the Job; a sealed one (immutable) is not changed any more."""

    def __init__(self, access: ApiAccess, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Nothing is written yet."""
        self._access = access
        self._name = name
        self._path = object_path(CONFIG_MAP, access.namespace, name)
        self._sleep = sleep
        self._failures = 0

    def write_artifact(self, artifact_file: bytes) -> None:
        """Writes the artifact, replacing any earlier result. If the ConfigMap is sealed with the same artifact, that is
        success.

        Raises TooLargeError, or ResultLostError.
        """
        if len(artifact_file) > MAX_FILE:
            raise TooLargeError(
                f"the artifact has {len(artifact_file)} bytes and is too large for a ConfigMap ({MAX_FILE}): "
                "train on fewer features, or give them shorter names"
            )
        sealed = self._write({ARTIFACT_KEY: artifact_file.decode(), ERROR_KEY: None})
        if sealed is not None and _digest(sealed) != parse_artifact(artifact_file).digest:
            raise ResultLostError("the result is sealed already, and holds another artifact")

    def write_failure(self, failure: Failure) -> None:
        """Writes the failure, replacing any earlier result. Raises ResultLostError."""
        if self._write({ERROR_KEY: failure_file(failure).decode(), ARTIFACT_KEY: None}) is not None:
            raise ResultLostError("the result is sealed already: an earlier run has written an artifact")

    def _write(self, data: dict[str, str | None]) -> _ConfigMap | None:
        """Returns None once it is written, else the sealed ConfigMap. Raises ResultLostError."""
        try:
            self._patch({"data": data})
        except ApiError as error:
            found = self._read() if error.status == 422 else None
            if found is not None and found.immutable:
                return found
            if not error.status:
                raise UnreachableError(error.message) from error
            raise ResultLostError(f"the result cannot be written: {error.message}") from error
        written = [key for key, text in data.items() if text is not None]
        log.debug("patched ConfigMap", extra={"object": self._name, "keys": written})
        return None

    def _read(self) -> _ConfigMap | None:
        """Reads by a patch that changes nothing, because the Role has no `get`. None if that fails."""
        try:
            return msgspec.json.decode(self._patch({}), type=_ConfigMap)
        except (ApiError, msgspec.MsgspecError):
            return None

    def _patch(self, body: dict[str, Any]) -> bytes:
        """Patches, with retries, and returns the ConfigMap. Raises ApiError."""
        while True:
            try:
                return self._request(msgspec.json.encode(body))
            except ApiError as error:
                is_retryable = error.status in _RETRYABLE or error.status >= 500
                if not is_retryable or self._failures == RETRIES:
                    raise
                self._failures += 1
                log.debug("retrying", extra={"status": error.status, "failures": self._failures})
                self._sleep(max(BACKOFF.delay(self._failures), error.retry_after))

    def _request(self, body: bytes) -> bytes:
        access = self._access
        headers = {"Content-Type": MERGE_PATCH, "Accept": "application/json", "User-Agent": "linplane-trainer"}
        authorization = access.authorization()
        if authorization:
            headers["Authorization"] = authorization
        connection = _connection(access)
        try:
            connection.request("PATCH", f"{self._path}?fieldManager=linplane-trainer", body, headers)
            response = connection.getresponse()
            data = response.read(MAX_RESPONSE)
        except (OSError, http.client.HTTPException) as error:
            raise connection_error(error) from error
        finally:
            connection.close()
        if response.status // 100 != 2:
            raise response_error(response.status, data, response.getheader("Retry-After", ""))
        return data


def _connection(access: ApiAccess) -> http.client.HTTPConnection:
    context = access.tls_context()
    if context is None:
        return http.client.HTTPConnection(access.host, access.port, timeout=SECONDS)
    return http.client.HTTPSConnection(access.host, access.port, timeout=SECONDS, context=context)


def _digest(found: _ConfigMap) -> str:
    """The digest of the artifact in it; empty if there is none."""
    try:
        return parse_artifact((found.data or {}).get(ARTIFACT_KEY, "")).digest
    except FormatError:
        return ""
