"""The rules for URIs and addresses, checked on texts only."""

import pytest

from linplane_trainer.data.uri_rules import (
    Endpoint,
    address_problem,
    check_addresses,
    endpoint_of,
    file_path,
    redirected,
    rules_for,
)
from linplane_trainer.errors import RefusedError

ANY = rules_for((), (), allow_file=False)


@pytest.mark.parametrize(
    ("local", "setting"),
    [(False, "unless the chart's trainer.allowedHosts names"), (True, "unless --allowed-host names")],
)
def test_refused_address_names_the_setting_that_allows_it(local, setting):
    """By the name that the setting has in each mode."""
    with pytest.raises(RefusedError, match=f"the host's address is loopback: .* {setting} the host$"):
        check_addresses("localhost", ["127.0.0.1"], rules_for((), (), allow_file=local))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.3.4", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:7f00:1", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("::ffff:239.1.1.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("localhost", "not an address"),
    ],
)
def test_addresses_that_are_forbidden(address, kind):
    """Each in every way that it can be written into an IPv6 address."""
    assert kind in address_problem(address)


@pytest.mark.parametrize(
    "address", ["10.0.0.7", "192.168.1.1", "172.20.3.4", "93.184.215.14", "2606:2800:21f::1", "fd12::1"]
)
def test_addresses_that_are_allowed(address):
    """For a data store in the cluster or near it."""
    assert address_problem(address) is None


@pytest.mark.parametrize(
    ("denied", "address"),
    [
        ("10.96.0.1", "10.96.0.1"),
        ("10.96.0.1", "::ffff:10.96.0.1"),
        ("::ffff:10.96.0.1", "10.96.0.1"),
        ("10.96.0.0/16", "10.96.7.8"),
        ("fd00::1", "fd00:0:0::1"),
    ],
)
def test_api_server_is_denied(denied, address):
    """However it is written, by the operator or by a resolver."""
    rules = rules_for((), (denied,), allow_file=False)
    assert address_problem(address, rules.denied)
    assert address_problem("10.97.0.1", rules.denied) is None


def test_host_with_a_forbidden_address_among_several_is_refused():
    """A name that resolves to both is a trick."""
    with pytest.raises(RefusedError, match="loopback"):
        check_addresses("data.example", ["93.184.215.14", "127.0.0.1"], ANY)


def test_host_that_is_named_is_trusted_wherever_it_resolves():
    """That is what naming it is for; its case and final dot do not matter."""
    rules = rules_for(["Data.Internal", "[::1]"], ["10.96.0.1"], allow_file=False)
    check_addresses("data.internal.", ["127.0.0.1", "10.96.0.1"], rules)
    check_addresses("::1", ["::1"], rules)
    assert endpoint_of("http://DATA.internal/x", rules).host == "data.internal"


@pytest.mark.parametrize(
    "uri", ["http://other.example/", "http://data.internal.evil.example/", "http://evil@data.internal/"]
)
def test_list_of_hosts_is_all_that_is_allowed(uri):
    """Nothing that looks like one of them is."""
    with pytest.raises(RefusedError):
        endpoint_of(uri, rules_for(["data.internal"], (), allow_file=False))


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("ftp://h/x", "scheme"),
        ("gopher://h/x", "scheme"),
        ("//h/x", "scheme"),
        ("rows.csv", "scheme"),
        ("http:///x", "malformed"),
        ("http://[::1/x", "malformed"),
        ("http://h/a b", "malformed"),
        ("http://h/a\r\nX: y", "malformed"),
        ("http://user:pass@h/x", "password"),
        ("http://h:99999/x", "port"),
        ("http://h/ü", "percent-encoded"),
        ("file:///etc/passwd", "not allowed"),
    ],
)
def test_uris_that_are_refused(uri, why):
    """In words that do not repeat them: a URI may hold a token."""
    with pytest.raises(RefusedError, match=why) as caught:
        file_path(uri, ANY) or endpoint_of(uri, ANY)
    assert "pass@" not in str(caught.value)


def test_endpoints_of_uris():
    """Port by scheme, path with its query, no fragment."""
    assert endpoint_of("HTTPS://H.example?q=1#x", ANY) == Endpoint("https", "h.example", 443, "/?q=1")
    assert endpoint_of("http://[fd12::1]:81/a", ANY) == Endpoint("http", "fd12::1", 81, "/a")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///data/rows.csv", "/data/rows.csv"),
        ("file://localhost/a", "/a"),
        ("file:///a%20b%25.csv", "/a b%.csv"),
        ("FILE:/a", "/a"),
    ],
)
def test_file_uris(uri, path):
    """An absolute path, percent-decoded; only if they are allowed at all."""
    assert file_path(uri, rules_for((), (), allow_file=True)) == path
    with pytest.raises(RefusedError, match="not allowed"):
        file_path(uri, ANY)


@pytest.mark.parametrize("uri", ["file://server/share", "file:rows.csv", "file:///a%00b", "file:///a?x"])
def test_file_uris_that_are_refused(uri):
    """A host, a relative path, a zero byte."""
    with pytest.raises(RefusedError, match="absolute path"):
        file_path(uri, rules_for((), (), allow_file=True))


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("file:///etc/passwd", "scheme"),
        ("http://[broken", "malformed"),
        ("ftp://h/", "scheme"),
        ("http://data.example/x", "from https to http"),
        ("//evil@h/", "password"),
    ],
)
def test_redirects_that_are_refused(location, why):
    """Also file, where a file URI itself would be allowed; the location is not repeated."""
    rules = rules_for((), (), allow_file=True)
    with pytest.raises(RefusedError, match=why) as caught:
        redirected(endpoint_of("https://data.example/a/b", rules), location, rules)
    assert location not in str(caught.value)


def test_redirect_may_be_relative():
    """To the place that answered."""
    assert redirected(endpoint_of("http://h:81/a/b?x", ANY), "../c", ANY) == Endpoint("http", "h", 81, "/c")


def test_denied_address_must_be_one():
    """A typing error must not open what it was to close."""
    with pytest.raises(RefusedError, match="deniedAddresses"):
        rules_for((), ["kubernetes.default"], allow_file=False)
