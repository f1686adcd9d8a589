"""Downloads: only addresses that were checked are connected to, at every step; a body that breaks off is not data."""

import contextlib
import gzip
import http.server
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from hashlib import sha256

import pytest

from linplane_api.facts import data_hash
from linplane_api.names import MAX_CONFIGMAP_BYTES
from linplane_api.task import Task, UriData
from linplane_trainer.data import download as download_module
from linplane_trainer.data.download import Network, download
from linplane_trainer.data.uri_rules import rules_for
from linplane_trainer.errors import BadData, BadRowError, RefusedError, TrainingFailed
from linplane_trainer.train import train

ROWS = b"a,y\n1,2\n2,4.5\n3,6\n4,7\n"
CANARY = b"s3cr3t"


class Answers(http.server.BaseHTTPRequestHandler):
    """Raw answers by path; the requests' heads are kept."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        self.wfile.write(self.server.answers[self.path.partition("?")[0]])
        self.close_connection = True

    def log_message(self, *args):
        pass


def answer(body=ROWS, status=200, **headers):
    fields = {"Content-Length": len(body)} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"HTTP/1.1 {status} {CANARY.decode()}\r\n{head}\r\n".encode() + body


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        running.seen, running.answers = [], {"/rows.csv": answer()}
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def task(uri, **rules):
    data = UriData(uri, **({"allowed_hosts": ("127.0.0.1",)} | rules))
    return Task("m", "v1", data, target="y", holdout_percent=0)


@pytest.fixture
def learn(server, tmp_path):
    """learn(path, **rules): trains on what the server answers there."""

    def run(path, **rules):
        return train(task(f"http://127.0.0.1:{server.server_port}{path}", **rules), tmp_path).artifact

    return run


@pytest.fixture
def refused(learn):
    """refused(kind, path): the message, free of what the server said."""

    def run(kind, path, **rules):
        with pytest.raises(kind) as caught:
            learn(path, **rules)
        assert type(caught.value) is kind
        assert CANARY.decode() not in str(caught.value)
        return str(caught.value)

    return run


def test_download_is_trained_on(learn, server):
    """No proxy, no compression, one request; the query goes along."""
    assert learn("/rows.csv?token=1").training.samples == 4
    ((path, head),) = server.seen
    assert path == "/rows.csv?token=1"
    assert head["Host"] == f"127.0.0.1:{server.server_port}"
    assert head["Accept-Encoding"] == "identity"


def test_hash_of_rows_is_that_of_the_bytes_that_a_host_sent(server, tmp_path):
    """The same rule as for a file, also one that is named by a URI, and without a length."""
    file = tmp_path / "rows.csv"
    file.write_bytes(ROWS)
    server.answers["/open.csv"] = answer(Content_Length=None)
    host = f"http://127.0.0.1:{server.server_port}"
    rules = {"allowed_hosts": (), "allow_file": True}
    tasks = [task(f"{host}/rows.csv"), task(f"{host}/open.csv"), task(f"file://{file}", **rules)]
    assert {train(one, tmp_path).facts.data for one in tasks} == {data_hash(ROWS)}


def test_hash_of_rows_is_left_out_for_more_bytes_than_a_configmap_holds(server, tmp_path):
    head, row = b"a,y\n1,2\n", b"3,4.5\n"
    fits = head + row * ((MAX_CONFIGMAP_BYTES - len(head)) // len(row))
    server.answers |= {"/fits.csv": answer(fits), "/more.csv": answer(fits + row)}
    tasks = [task(f"http://127.0.0.1:{server.server_port}/{name}.csv") for name in ("fits", "more")]
    found = [train(one, tmp_path).facts for one in tasks]
    assert [one.data for one in found] == [data_hash(fits), None]
    assert [one.sha256 for one in found] == [sha256(data).hexdigest() for data in (fits, fits + row)]


def test_packed_file_is_unpacked(learn, refused, server):
    """It is the data; a host that packs its answer without a request is refused."""
    packed = gzip.compress(ROWS)
    server.answers |= {"/rows": answer(packed), "/encoded": answer(packed, Content_Encoding="gzip")}
    assert learn("/rows").digest == learn("/rows.csv").digest
    assert "compressed content" in refused(BadData, "/encoded")


def test_proxies_of_the_environment_are_not_used(learn, monkeypatch):
    """They would connect to addresses that were not checked."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert learn("/rows.csv").training.samples == 4


def test_loopback_is_refused_unless_named(refused, server):
    """By its address; no request is sent."""
    assert "loopback" in refused(RefusedError, "/rows.csv", allowed_hosts=())
    assert "not one of the allowed hosts" in refused(RefusedError, "/rows.csv", allowed_hosts=("data.example",))
    assert server.seen == []


def never(*_):
    raise AssertionError("nothing may be connected to")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.96.0.1", "0.0.0.0"])
def test_host_that_resolves_to_a_forbidden_address_is_refused(address):
    """Is refused before anything is connected to."""
    rules = rules_for((), ("10.96.0.1",), allow_file=False)
    with pytest.raises(RefusedError):
        download("http://data.example/x", rules, Network(lambda *_: [address], never))


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "0", "[::1]", "[::ffff:127.0.0.1]"])
def test_loopback_in_other_spellings_is_refused(host):
    """As the machine's own resolver understands them."""
    try:
        download_module.resolve(host.strip("[]"), 80)
    except OSError:
        pytest.skip("not a name to this resolver")
    with pytest.raises(RefusedError):
        download(f"http://{host}/x", rules_for((), (), allow_file=False), Network(connect=never))


def test_address_that_was_checked_is_the_one_connected_to(server):
    """The name is resolved once: a second answer (DNS rebinding) is never requested."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    connected = []

    def connect(address, port, timeout):
        connected.append((address, port))
        return socket.create_connection(("127.0.0.1", server.server_port), timeout)

    network = Network(lambda *_: next(answers), connect)
    body = download("http://data.example/rows.csv", rules_for((), (), allow_file=False), network)
    assert body.read(1000) == ROWS
    body.close()
    assert connected == [("93.184.215.14", 80)]
    assert server.seen[0][1]["Host"] == "data.example"


def test_addresses_are_tried_in_order(server):
    """If the first does not answer."""

    def connect(address, port, timeout):
        if address == "93.184.215.1":
            raise TimeoutError
        return socket.create_connection(("127.0.0.1", server.server_port), timeout)

    network = Network(lambda *_: ["93.184.215.1", "93.184.215.2"], connect)
    download("http://data.example/rows.csv", rules_for((), (), allow_file=False), network).close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(learn, server, status):
    """Relative ones too."""
    server.answers["/old"] = answer(CANARY, status, Location="rows.csv")
    assert learn("/old").training.samples == 4


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://169.254.169.254/latest/meta-data/", "not one of the allowed hosts"),
        ("http://localhost:{port}/rows.csv", "not one of the allowed hosts"),
        ("file:///etc/passwd", "scheme"),
        ("/loop", "more than 5 redirects"),
    ],
)
def test_redirects_that_are_not_followed(refused, server, location, why):
    """With a list of hosts, the list holds for each step."""
    server.answers["/loop"] = answer(b"", 302, Location=location.format(port=server.server_port))
    assert why in refused(RefusedError, "/loop", allow_file=True)
    assert len(server.seen) <= 6


def test_redirect_to_the_metadata_service_is_refused(server):
    """Checked again, address by address, if every host is allowed."""
    server.answers["/rows.csv"] = answer(b"", 302, Location="http://169.254.169.254/latest/")
    connected = []

    def connect(address, port, timeout):
        connected.append(address)
        return socket.create_connection(("127.0.0.1", server.server_port), timeout)

    network = Network(lambda host, _: ["93.184.215.14"] if host == "data.example" else [host], connect)
    with pytest.raises(RefusedError, match="link-local"):
        download("http://data.example/rows.csv", rules_for((), (), allow_file=False), network)
    assert connected == ["93.184.215.14"]


@pytest.mark.parametrize(("status", "kind"), [(404, BadData), (403, BadData), (204, BadData), (304, BadData)])
def test_responses_that_are_permanent_are_bad_data(refused, server, status, kind):
    """Trying again does not help."""
    server.answers["/rows.csv"] = answer(CANARY, status)
    assert refused(kind, "/rows.csv") == f"the URI's host answered with status {status}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_responses_that_are_transient_are_failures(refused, server, status):
    """Trying again may help."""
    server.answers["/rows.csv"] = answer(CANARY, status)
    assert f"status {status}" in refused(TrainingFailed, "/rows.csv")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        CANARY + b"\r\n\r\n",
        b"HTTP/1.1 " + CANARY + b" x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_response_that_is_not_http_is_a_failure(refused, server, raw):
    """Is reported by its kind, not by its text."""
    server.answers["/rows.csv"] = raw
    assert "no HTTP answer" in refused(TrainingFailed, "/rows.csv")


@pytest.mark.parametrize(
    "raw",
    [
        answer(Content_Length=len(ROWS) + 1),
        answer(b"4\r\na,y\n\r\n8\r\n1,2", Content_Length=None, Transfer_Encoding="chunked"),
        answer(ROWS + b"1,2\n" * 500_000, Content_Length=9_000_000),
    ],
)
def test_body_that_breaks_off_is_a_failure(refused, server, raw):
    """Half of the rows would be another model."""
    server.answers["/rows.csv"] = raw
    assert "broke off" in refused(TrainingFailed, "/rows.csv")


def test_body_in_chunks_or_of_unknown_length_is_read(learn, server):
    """Are read to their end."""
    chunk = f"{len(ROWS):x}\r\n".encode() + ROWS + b"\r\n0\r\n\r\n"
    server.answers["/rows.csv"] = answer(chunk, Content_Length=None, Transfer_Encoding="chunked")
    assert learn("/rows.csv").training.samples == 4
    server.answers["/rows.csv"] = answer(Content_Length=None)
    assert learn("/rows.csv").training.samples == 4


def test_compressed_content_is_refused(refused, server):
    """It was not requested, and would be read as garbage."""
    server.answers["/rows.csv"] = answer(Content_Encoding="gzip")
    assert "compressed" in refused(BadData, "/rows.csv")


@pytest.mark.parametrize("body", [b"<html>" + CANARY + b"</html>", CANARY + b"," + CANARY + b"\n1,2\n", CANARY])
def test_response_that_is_no_data_is_not_repeated(refused, server, body):
    """Else a training would be a way to read what only the cluster can."""
    server.answers["/rows.csv"] = answer(body)
    assert re.search("no column y; there (is 1|are 2) column|HTML page", refused(BadData, "/rows.csv"))


def test_bad_cell_of_a_download_is_named_by_its_data_row(refused, server):
    """The lines of what came once cannot be counted again."""
    server.answers["/rows.csv"] = answer(ROWS + b"\n5," + CANARY + b"\n")
    assert refused(BadRowError, "/rows.csv") == "data row 5, column y: is not a number"
    server.answers["/rows.csv"] = answer(ROWS + b"\n5," + CANARY + b",1\n")
    assert refused(BadRowError, "/rows.csv") == "data row 5: 3 values, but the header has 2 names"


def test_host_without_a_listener_is_a_failure(tmp_path):
    """A name that does not resolve, and a port without a listener."""
    with pytest.raises(TrainingFailed, match="resolve"):
        train(task("http://h.example/", allowed_hosts=()), tmp_path, network=Network(resolve=raising(socket.gaierror)))
    with pytest.raises(TrainingFailed, match="no connection"):
        train(task("http://127.0.0.1:1/"), tmp_path)


def raising(kind):
    def fail(*_):
        raise kind

    return fail


def test_host_that_does_not_answer_is_a_failure(tmp_path):
    """Ends by the timeout."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(TrainingFailed, match="no HTTP answer"):
            train(task(uri), tmp_path, network=Network(timeout=0.1))


def test_tls_is_verified_by_the_name_of_the_uri(tmp_path):
    """Not by the address that is connected to, and never switched off."""
    names = []

    class Context:
        def wrap_socket(self, sock, server_hostname):
            names.append(server_hostname)
            raise ssl.SSLCertVerificationError(1, "s3cr3t")

    near, far = socket.socketpair()
    network = Network(lambda *_: ["93.184.215.14"], lambda *_: near, Context)
    with far, pytest.raises(TrainingFailed, match="no certificate that is trusted"):
        train(task("https://data.example/x", allowed_hosts=()), tmp_path, network=network)
    assert names == ["data.example"]
    assert near.fileno() == -1
    context = Network().tls()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_file_uris_are_read_if_they_are_allowed(tmp_path):
    """With lines, as any file."""
    (tmp_path / "my rows.csv").write_bytes(ROWS + b"x,2\n")
    data = UriData((tmp_path / "my rows.csv").as_uri(), allow_file=True)
    with pytest.raises(BadData, match="line 6, column a"):
        train(Task("m", "v1", data, features=("a",), target="y"), tmp_path)
