"""Objects of AWS S3, or of a server with its protocol, by pyarrow's client.

That client resolves names itself and follows redirects, so an address cannot be judged when connecting, as for URIs:
it is used only for AWS's own hosts and for endpoints that `allowed_hosts` names. Its messages quote the server, so none
is repeated.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from linplane_api.display import escaped
from linplane_api.task import S3Data

from ..errors import BadData, RefusedError, TrainerError, TrainingFailed
from .credentials import required
from .ranges import RangedFile
from .source import Folder, Source
from .uri_rules import Rules, canonical_host

ATTEMPTS = 3
CONNECT_SECONDS = 10.0
AHEAD_BYTES = 4 << 20
SETTING = "the chart's trainer.allowedHosts, or --allowed-host"
CHANGED = "the file has changed in the bucket while it was read"
CODE = re.compile(r"AWS Error ([A-Z0-9_]+)(?: \(HTTP status (\d{3})\))?")
CURL = re.compile(r"curlCode: (\d+)")
ABSENCES = {
    "NO_SUCH_KEY": "the bucket has no such file",
    "RESOURCE_NOT_FOUND": "the bucket has no such file",
    "NO_SUCH_BUCKET": "there is no such bucket",
}
DENIALS = {
    "ACCESS_DENIED": "no right to read this in the bucket, or there is no such file",
    "INVALID_ACCESS_KEY_ID": "the server does not know the access key",
    "SIGNATURE_DOES_NOT_MATCH": "the secret access key is not that of the access key",
}
"""What is wrong, by pyarrow's name of the error (cpp/src/arrow/filesystem/s3_internal.h)."""
CURL_REASONS = {
    "6": "its name does not resolve",
    "7": "it refuses the connection",
    "28": "it takes too long",
    "35": "it speaks no TLS",
    "60": "its certificate is not trusted",
}
"""Why there is no connection, by number of libcurl-errors(3)."""


class Bucket:
    """One bucket, as its objects are opened and listed."""

    def __init__(self, data: S3Data, credentials: Mapping[str, str], timeout: float) -> None:
        """`timeout`: seconds that the server may be silent for. Raises RefusedError for a host that is not allowed, and
        TrainingFailed if the Secret lacks a key. Nothing is fetched yet.
        """
        check_host(data)
        self._data = data
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # else the client asks the node's metadata service for a role
        self._files = fs.S3FileSystem(
            **_keys(data, credentials),
            **_place(data),
            region=data.region,
            connect_timeout=min(CONNECT_SECONDS, timeout),
            request_timeout=timeout,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        )

    def source(self, key: str, name: str) -> Source:
        """The object of a key; `name` is for messages."""
        return ObjectSource(self, key, name)

    def folder(self) -> Folder:
        """The objects whose keys begin with the task's path. Raises BadData if there is none, or TrainingFailed."""
        prefix = self._path(self._data.path)
        found: list[str] = []
        try:
            infos = self._files.get_file_info(fs.FileSelector(prefix.removesuffix("/"), recursive=True))
            found = [info.path for info in infos if info.type is fs.FileType.File]
        except FileNotFoundError:
            pass  # said below
        except (pa.ArrowException, OSError) as error:
            raise self._failure(error) from None
        paths = [path.removeprefix(prefix) for path in found]
        return Folder.of(self._data.path, {path: self.source(self._data.path + path, path) for path in paths})

    def open(self, key: str) -> Any:
        """The object of a key as pyarrow's file. Raises BadData, or TrainingFailed."""
        try:
            return self._files.open_input_file(self._path(key))
        except (pa.ArrowException, OSError) as error:
            raise self._failure(self._explained(error, key)) from None

    def _path(self, key: str) -> str:
        return f"{self._data.bucket}/{key}"

    def _explained(self, error: Exception, key: str) -> Exception:
        """The answer to HEAD has no body, so not its cause either; that to a listing has. This one lists what is in a
        folder of that name: usually nothing.
        """
        if "NETWORK_CONNECTION" in str(error):
            return error
        try:
            self._files.get_file_info(fs.FileSelector(self._path(key)))
        except (pa.ArrowException, OSError) as explained:
            match = CODE.search(str(explained))
            return explained if match and match[1] not in ("ACCESS_DENIED", "UNKNOWN") else error
        return error

    def _failure(self, error: Exception) -> TrainerError:
        return failure_of(error, self._data)


class ObjectSource:
    """An object of a bucket."""

    remote = True

    def __init__(self, bucket: Bucket, key: str, name: str) -> None:
        """`name` is that in messages. Nothing is opened yet."""
        self._bucket, self._key, self._name = bucket, key, name

    def open(self) -> "ObjectBytes":
        """Asks for the object's size. Raises BadData, or TrainingFailed."""
        return ObjectBytes(lambda: self._bucket.open(self._key))


class ObjectBytes:
    """An object's bytes, all of one state: each request could be answered by another one."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        """Opens pyarrow's file, and owns it. Raises as `opened` does."""
        self._opened, self._file = opened, opened()
        self.size: int | None = self._file.size()
        self._position, self._ahead = 0, b""
        self._ranged: RangedFile | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes. Raises TrainingFailed, at the end if the object has changed since the beginning."""
        if not self._ahead:
            self._ahead = self._fetch(self._position, min(AHEAD_BYTES, (self.size or 0) - self._position))
            self._position += len(self._ahead)
            if self._position == self.size:
                self._check_unchanged()
        part, self._ahead = self._ahead[:size], self._ahead[size:]
        return part

    def random_access(self) -> Any:
        """A file whose parts are fetched as they are needed."""
        self._ranged = RangedFile(self.size or 0, self._fetch)
        return self._ranged

    def _fetch(self, start: int, length: int) -> bytes:
        try:
            data: bytes = self._file.read_at(length, start) if length else b""
        except (pa.ArrowException, OSError) as error:
            raise TrainingFailed(f"reading from the bucket broke off ({_cause(error)})") from None
        if len(data) < length:
            raise TrainingFailed(f"reading from the bucket broke off, {length - len(data)} bytes short")
        return data

    def _check_unchanged(self) -> None:
        with self._opened() as now:
            if _tag(now) != _tag(self._file):
                raise TrainingFailed(CHANGED)

    def close(self) -> None:
        """Closes the file. Raises TrainingFailed if it was read in parts and has changed since the beginning."""
        if self._file.closed:
            return
        try:
            if self._ranged is not None:
                self._ranged.close()
                self._check_unchanged()
        finally:
            self._file.close()


def _tag(file: Any) -> bytes | None:
    """What S3 changes with each state of an object."""
    fields: dict[str, bytes] = file.metadata() or {}
    return fields.get("ETag") or fields.get("Last-Modified")


def s3_place(data: S3Data, credentials: Mapping[str, str], timeout: float) -> Source | Folder:
    """An object, or all objects of a folder. Raises TrainerError."""
    bucket = Bucket(data, credentials, timeout)
    return bucket.folder() if data.path.endswith("/") else bucket.source(data.path, data.path)


def check_host(data: S3Data) -> None:
    """Raises RefusedError for a host that is not allowed: an endpoint that is not named, or AWS's own if others are."""
    rules = Rules(frozenset(map(canonical_host, data.allowed_hosts)))
    if data.endpoint is not None:
        host = urlsplit(data.endpoint).hostname
        if host is None or not rules.trusts(host):
            raise RefusedError(f"the endpoint's host is not one of the allowed hosts ({SETTING})")
        return
    host = aws_host(data.region)
    if rules.allowed_hosts and not (rules.trusts(host) or rules.trusts(f"{data.bucket}.{host}")):
        raise RefusedError(f"{host} is not one of the allowed hosts ({SETTING})")


def aws_host(region: str | None) -> str:
    """AWS's host for a region (AWS General Reference, "Amazon S3 endpoints")."""
    end = ".cn" if (region or "").startswith("cn-") else ""
    return f"s3.{region}.amazonaws.com{end}" if region else "s3.amazonaws.com"


def _place(data: S3Data) -> dict[str, Any]:
    """Where pyarrow connects to: named, so that no variable of the environment decides it; but for the region, if that
    is the SDK's to find.
    """
    if data.endpoint is not None:
        place = urlsplit(data.endpoint)
        return {"scheme": place.scheme, "endpoint_override": place.netloc}
    if data.region is None:
        return {}
    is_label = "." not in data.bucket  # else no certificate of AWS has the name
    return {"scheme": "https", "endpoint_override": aws_host(data.region), "force_virtual_addressing": is_label}


def _keys(data: S3Data, credentials: Mapping[str, str]) -> dict[str, Any]:
    if data.secret is not None:
        return {
            "access_key": required(credentials, "accessKeyId", data.secret),
            "secret_key": required(credentials, "secretAccessKey", data.secret),
            "session_token": credentials.get("sessionToken") or None,
        }
    return {} if data.ambient else {"anonymous": True}


def failure_of(error: Exception, data: S3Data) -> TrainerError:
    """The error for one of pyarrow's. What another content of the Secret, or time, may mend is worth a retry."""
    match = CODE.search(str(error))
    code, status = (match[1], match[2]) if match else ("", None)
    if isinstance(error, FileNotFoundError):
        return BadData(ABSENCES["NO_SUCH_KEY"])
    if code in ABSENCES:
        return BadData(ABSENCES[code])
    if status in ("301", "307"):
        return BadData("the bucket is in another region, or at another endpoint")
    if code in DENIALS:
        return _denial(code, data)
    if code == "NETWORK_CONNECTION":
        return TrainingFailed(f"no connection to the S3 server: {_cause(error)}")
    return TrainingFailed(f"the S3 server refused the request ({_cause(error)})")


def _denial(code: str, data: S3Data) -> TrainerError:
    if data.secret is not None:
        return TrainingFailed(f"Secret '{escaped(data.secret)}': {DENIALS[code]}")
    whose = "the credentials" if data.ambient else "anonymous access"
    return BadData(f"{whose}: {DENIALS[code]}")


def _cause(error: Exception) -> str:
    """In words of our own."""
    if curl := CURL.search(str(error)):
        return CURL_REASONS.get(curl[1], f"curl error {curl[1]}")
    match = CODE.search(str(error))
    return (f"HTTP status {match[2]}" if match[2] else match[1]) if match else type(error).__name__
