"""How a pod finds the API server, and what it never sends anywhere else."""

import json
import ssl
from pathlib import Path

import pytest

from linplane_api.api_access import (
    UNREACHABLE,
    ApiAccess,
    ApiError,
    UnavailableError,
    api_access,
    collection_path,
    connection_error,
    object_path,
    response_error,
)
from linplane_api.kinds import CONFIG_MAP, MODEL_ROUTE

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account as it is mounted into a pod."""
    monkeypatch.setattr("linplane_api.api_access.SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "namespace").write_text("homes")
    (tmp_path / "token").write_text("one\n")
    return tmp_path


def test_access_of_a_pod_is_found_in_its_environment(mounted: Path) -> None:
    access = api_access(POD)
    assert access == ApiAccess("10.0.0.1", 6443, "homes", True, mounted / "ca.crt", mounted / "token")
    assert access.authority == "10.0.0.1:6443"
    assert api_access({"KUBERNETES_SERVICE_HOST": "fd00::1"}).authority == "[fd00::1]:443"
    assert api_access(POD, namespace="other").namespace == "other"


def test_token_is_read_each_time(mounted: Path) -> None:
    access = api_access(POD)
    assert access.authorization() == "Bearer one"
    (mounted / "token").write_text("two")
    assert access.authorization() == "Bearer two"
    for bad in ("", "a b", "a\r\nX: y", "\xe9"):
        (mounted / "token").write_text(bad, "latin-1")
        with pytest.raises(ApiError, match="token"):
            access.authorization()
    (mounted / "token").unlink()
    with pytest.raises(ApiError, match="cannot be read"):
        access.authorization()


def test_token_is_not_sent_to_another_api_server(mounted: Path) -> None:
    access = api_access(POD, url="https://elsewhere")
    assert (access.host, access.port, access.token_file, access.ca_file) == ("elsewhere", 443, None, None)
    assert access.authorization() == ""
    assert api_access({}, "https://[::1]:1", token_file=Path("t"), namespace="x").token_file == Path("t")


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"KUBERNETES_SERVICE_HOST": ""}, None),
        (POD, "http://10.0.0.1"),
        (POD, "ftp://x"),
        (POD, "https://u:p@x"),
        (POD, "https://x/path"),
        (POD, "x"),
    ],
)
def test_access_incomplete_or_unsafe_is_refused(mounted: Path, environment: dict[str, str], url: str | None) -> None:
    with pytest.raises(ValueError, match=r"URL|http"):
        api_access(environment, url)


def test_namespace_is_needed_without_a_service_account(mounted: Path) -> None:
    (mounted / "namespace").unlink()
    with pytest.raises(ValueError, match="namespace"):
        api_access(POD)


def test_certificates_are_read_when_they_are_needed(mounted: Path) -> None:
    access = api_access(POD)
    for text in (None, "", "no certificate"):
        if text is not None:
            (mounted / "ca.crt").write_text(text)
        with pytest.raises(ApiError, match="cannot be read"):
            access.tls_context()
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"):
        assert api_access({}, f"http://{host}:8001", namespace="x").tls_context() is None
    context = api_access({}, "https://x", namespace="x").tls_context()
    assert context is not None
    assert context.check_hostname


def test_name_stays_one_segment_of_a_path() -> None:
    assert collection_path(CONFIG_MAP, "homes") == "/api/v1/namespaces/homes/configmaps"
    assert object_path(MODEL_ROUTE, "homes", "a") == "/apis/linplane.dev/v1alpha1/namespaces/homes/modelroutes/a"
    assert object_path(CONFIG_MAP, "homes", "../a?b").endswith("/configmaps/..%2Fa%3Fb")
    for name in ("", ".", ".."):
        with pytest.raises(ValueError, match="name"):
            object_path(CONFIG_MAP, "homes", name)


def test_paths_of_all_namespaces_and_of_a_subresource() -> None:
    assert collection_path(CONFIG_MAP, None) == "/api/v1/configmaps"
    assert collection_path(MODEL_ROUTE, None) == "/apis/linplane.dev/v1alpha1/modelroutes"
    assert object_path(CONFIG_MAP, "homes", "a", "status") == "/api/v1/namespaces/homes/configmaps/a/status"


def test_error_has_the_message_of_the_api_server_only() -> None:
    said = response_error(403, b'{"kind":"Status","reason":"Forbidden","message":"you may not"}', "7")
    assert (said.status, said.reason, said.message, said.retry_after) == (403, "Forbidden", "you may not", 7)
    assert str(said) == "403 Forbidden: you may not"
    for body in (b"<html>secret", b"", b"[]", b'{"message":5}'):
        said = response_error(502, body, "soon")
        assert (str(said), said.reason, said.retry_after) == ("the API server answered 502", "502", 0)
    assert len(response_error(500, b'{"message":"%s"}' % (b"x" * 5000)).message) == 1024


def test_error_has_the_reasons_of_its_causes() -> None:
    """As the API server answers a create in a namespace that is being deleted."""
    cause = {"reason": "NamespaceTerminating", "message": "it is being terminated", "field": "metadata.namespace"}
    body = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "forbidden"}
    details = {"name": "a", "kind": "configmaps", "causes": [cause]}
    assert response_error(403, json.dumps({**body, "details": details}).encode()).causes == ("NamespaceTerminating",)
    for details in (None, {}, {"causes": None}, {"causes": [{}]}):
        plain = response_error(403, json.dumps({**body, "details": details}).encode())
        assert (plain.reason, set(plain.causes) <= {""}) == ("Forbidden", True)


def test_unavailable_errors_are_the_transient_ones() -> None:
    """As every OSError: the operator's queue then tries again soon."""
    for status in (429, 500, 503, 504):
        assert isinstance(response_error(status, b""), UnavailableError)
    for status in (302, 400, 401, 403, 404, 409, 410, 422):
        assert not isinstance(response_error(status, b""), OSError)
    for error in (TimeoutError(), ConnectionRefusedError(111, "Connection refused"), ssl.SSLError("bad")):
        assert isinstance(connection_error(error), UnavailableError)
        assert isinstance(connection_error(error), OSError)
    refused = ConnectionRefusedError(111, "Connection refused")
    assert str(connection_error(refused)) == f"{UNREACHABLE}Connection refused"
    assert str(connection_error(TimeoutError())) == f"{UNREACHABLE}TimeoutError"


@pytest.mark.parametrize(
    "details", ['{"causes":[{"reason":null}]}', '{"causes":[null]}', '"x"', '{"causes":{}}', "null", '{"causes":null}']
)
def test_details_in_another_form_leave_the_message(details: str) -> None:
    error = response_error(422, f'{{"message":"m","reason":"Invalid","details":{details}}}'.encode())
    assert (error.reason, error.message, error.causes) == ("Invalid", "m", ())


@pytest.mark.parametrize("body", [b"<html>", b'{"message":"\xff"}', b'{"details":' + b"[" * 100_000, b"\xff\xfe"])
def test_answered_body_that_is_not_json_is_not_shown(body: bytes) -> None:
    error = response_error(502, body)
    assert isinstance(error, UnavailableError)
    assert str(error) == "the API server answered 502"
