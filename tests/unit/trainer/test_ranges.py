"""Parquet behind http: read in parts that are of one state of the file, or refused."""

import contextlib
import http.server
import io
import re
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.facts import data_hash
from linplane_api.task import FileData, Task, UriData
from linplane_trainer.data import parquet_table, ranges
from linplane_trainer.data.download import Network
from linplane_trainer.data.ranges import RangedFile
from linplane_trainer.data.uri_parts import UriBytes
from linplane_trainer.data.uri_rules import rules_for
from linplane_trainer.errors import BadData, BadRowError, RefusedError, TrainingFailed
from linplane_trainer.train import train

CANARY = "s3cr3t"
TAG = '"1"'


def parquet(rows=3000, groups=500, columns=8):
    values = np.random.default_rng(0).standard_normal((columns, rows))
    table = {f"x{number}": column for number, column in enumerate(values)} | {"y": values.sum(axis=0)}
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, row_group_size=groups)
    return file.getvalue()


class Files(http.server.BaseHTTPRequestHandler):
    """One file, served in parts too; `change` may alter status, head and body of each answer."""

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.seen.append(wanted)
        self.server.heads.append(dict(self.headers))
        data, head, status = server.data, {"ETag": TAG}, 200
        if wanted:
            start, end = map(int, re.fullmatch("bytes=([0-9]+)-([0-9]+)", wanted).groups())
            head["Content-Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
            data, status = data[start : end + 1], 206
        head["Content-Length"] = str(len(data))
        status, head, data = server.change(len(server.seen), status, head, data)
        self.send_response_only(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the first request of a Parquet file is broken off
            self.wfile.write(data)

    def log_message(self, *args):
        pass


def unchanged(number, status, head, data):
    return status, head, data


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as running:
        running.seen, running.heads, running.data, running.change = [], [], parquet(), unchanged
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def learn(server, tmp_path):
    """learn(**fields): trains on what the server has."""

    def run(**fields):
        data = UriData(f"http://127.0.0.1:{server.server_port}/rows", allowed_hosts=("127.0.0.1",))
        return train(Task("m", "v1", **({"data": data, "target": "y"} | fields)), tmp_path)

    return run


@pytest.fixture
def small_parts(monkeypatch):
    """Parts and pieces of a size that a small file has many of."""
    monkeypatch.setattr(ranges, "PART_BYTES", 20_000)


@pytest.fixture
def refused(learn, small_parts):
    """refused(kind): the message."""

    def run(kind, **fields):
        with pytest.raises(kind) as caught:
            learn(**fields)
        assert type(caught.value) is kind
        assert CANARY not in str(caught.value)
        return str(caught.value)

    return run


@pytest.mark.parametrize("limit", [1 << 25, 10_000], ids=["whole row groups", "pieces of columns"])
@pytest.mark.parametrize("part", [1 << 22, 20_000, 999])
def test_parquet_behind_http_is_that_of_a_file(server, learn, tmp_path, monkeypatch, limit, part):
    """One digest, holdout and all; every part is requested on condition that the file is the same."""
    monkeypatch.setattr(parquet_table, "REMOTE_BYTES", limit)
    monkeypatch.setattr(parquet_table, "BUFFER_BYTES", 1000)
    monkeypatch.setattr(ranges, "PART_BYTES", part)
    (tmp_path / "rows").write_bytes(server.data)
    trained = learn()
    file = learn(data=FileData("rows"))
    assert trained.artifact.digest == file.artifact.digest
    assert trained.facts.data == file.facts.data == data_hash(server.data)
    assert server.seen[0] is None
    assert all(head["If-Match"] == TAG for head in server.heads[1:])
    sizes = [int(end) - int(start) + 1 for start, end in (wanted[6:].split("-") for wanted in server.seen[1:])]
    assert max(sizes) <= part


def test_row_groups_are_read_at_once_if_they_are_small(server, learn, monkeypatch):
    """Seven requests: the first, the footer, and some for six row groups, which lie side by side."""
    monkeypatch.setattr(ranges, "PART_BYTES", 100_000)
    learn()
    assert len(server.seen) <= 2 + 1 + 6 + 4


def test_columns_that_are_not_used_are_not_requested(server, learn, small_parts):
    server.data = parquet(columns=60)  # more than is read for its hash
    learn(features=("x0", "x1"))
    asked = sum(int(end) - int(start) for start, end in (wanted[6:].split("-") for wanted in server.seen[1:]))
    assert asked < len(server.data) / 3


def test_host_that_serves_no_parts_is_an_error(server, refused):
    """It answers with the whole file, whatever is asked for."""
    server.change = lambda number, *_: (200, {"Content-Length": len(server.data)}, server.data)
    message = "the URI's host does not serve parts of a file, which Parquet needs: use a claim, s3, or CSV"
    assert refused(BadData) == message
    server.change = lambda number, status, head, data: (status, head | {"Content-Range": "bytes 0-1/*"}, data)
    assert refused(BadData) == message


CHANGES = {
    "412": lambda status, head, data: (412, {"Content-Length": 0}, b""),
    "416": lambda status, head, data: (416, {"Content-Length": 0}, b""),
    "tag": lambda status, head, data: (status, head | {"ETag": '"2"'}, data),
    "size": lambda status, head, data: (status, head | {"Content-Range": head["Content-Range"] + "0"}, data),
}


@pytest.mark.parametrize("first", [2, 3, 9, 20])
@pytest.mark.parametrize("change", CHANGES)
def test_file_that_changes_is_a_failure(server, refused, change, first):
    """At any request: rows of two states are no data. Trying again may help."""

    def answer(number, status, head, data):
        return (status, head, data) if number < first else CHANGES[change](status, head, data)

    server.change = answer
    assert refused(TrainingFailed) == "the file behind the URI changed while it was read"


@pytest.mark.parametrize("tag", ['W/"1"', None])
def test_weak_tag_is_compared_here(server, learn, refused, tag):
    """A host would refuse it in If-Match, always. Without a tag the date is compared."""

    def answer(state):
        head = {"Last-Modified": "Sat, 28 Nov 2026 10:00:0{} GMT"} if tag is None else {"ETag": tag}
        name, value = next(iter(head.items()))

        def change(number, status, old, data):
            old.pop("ETag")
            text = value.replace("{}", "0") if number < state else value.replace("1", "2").replace("{}", "1")
            return status, old | {name: text}, data

        return change

    server.change = answer(100)
    assert learn().artifact.training.samples > 0
    assert not any("If-Match" in head for head in server.heads)
    server.seen.clear()
    server.change = answer(4)
    assert refused(TrainingFailed) == "the file behind the URI changed while it was read"


def test_host_without_tag_and_date_is_trusted(server, learn, small_parts):
    """The size is all that can be compared."""
    server.change = lambda number, status, head, data: (status, {k: v for k, v in head.items() if k != "ETag"}, data)
    assert learn().artifact.training.samples > 0


def test_size_that_is_unknown_at_first_is_asked_for(server, learn, small_parts):
    def without_length(number, status, head, data):
        return status, ({} if status == 200 else head), data

    server.change = without_length
    assert learn().artifact.training.samples > 0
    assert server.seen[1] == "bytes=0-0"


@pytest.mark.parametrize("first", [2, 4])
def test_part_that_breaks_off_is_a_failure(server, refused, first):
    """A connection that ends, one that gives another part, and a host that fails."""

    def cut(number, status, head, data):
        return status, head, data if number < first else data[:-7]

    def other(number, status, head, data):
        start = {} if number < first else {"Content-Range": f"bytes 1-{len(data)}/{len(server.data)}"}
        return status, head | start, data

    for change, message in ((cut, "broke off"), (other, "another part than the one requested")):
        server.seen.clear()
        server.change = change
        assert message in refused(TrainingFailed)
    server.seen.clear()
    server.change = lambda number, *answer: answer if number < first else (503, {"X": CANARY}, CANARY.encode())
    assert refused(TrainingFailed) == "the URI's host answered with status 503"
    server.seen.clear()
    server.change = lambda number, *answer: answer if number < first else (404, {"X": CANARY}, CANARY.encode())
    assert refused(BadData) == "the URI's host answered with status 404"


def test_fewer_bytes_than_were_asked_for_are_no_error(server, learn, small_parts):
    """A host may serve a part of a part: RFC 9110, 15.3.7."""

    def half(number, status, head, data):
        if status == 206 and len(data) > 1:
            data = data[: (len(data) + 1) // 2]
            start = int(re.search("[0-9]+", head["Content-Range"])[0])
            head |= {"Content-Range": f"bytes {start}-{start + len(data) - 1}/{len(server.data)}"}
            head["Content-Length"] = str(len(data))
        return status, head, data

    server.change = half
    assert learn(features=("x0",)).artifact.training.samples > 0


def test_rules_hold_for_every_request(server, small_parts):
    """A name may resolve to another address, and a redirect lead elsewhere, at each."""
    addresses = iter([["93.184.215.14"]] * 3 + [["93.184.215.14", "169.254.169.254"]])

    def connect(address, port, timeout):
        return socket.create_connection(("127.0.0.1", server.server_port), timeout)

    network = Network(lambda host, _: next(addresses) if host == "data.example" else [host], connect)
    opened = UriBytes("http://data.example/rows", rules_for((), (), allow_file=False), network)
    file = opened.random_access()
    assert file.read(10) == server.data[:10]
    server.change = lambda *_: (302, {"Location": "http://127.0.0.1/rows", "Content-Length": 0}, b"")
    with pytest.raises(RefusedError, match="loopback"):
        file.read(10)
    server.change = unchanged
    with pytest.raises(RefusedError, match="link-local"):
        file.read(10)
    assert len(server.seen) == 3
    opened.close()


def test_damage_and_bad_values_are_named_as_those_of_a_file(server, refused):
    file = io.BytesIO()
    pq.write_table(pa.table({"x0": [1.0, 2.0, float("inf")], "y": [1.0, 2.0, 3.0]}), file, row_group_size=2)
    server.data = file.getvalue()
    assert refused(BadRowError) == "row group 2, row 1, column x0: is infinite, or too large for a double"
    server.data = server.data[:-9]
    assert refused(BadData) == "the Parquet file is damaged or cut off: its footer cannot be read"


def test_columns_of_a_file_without_the_target_are_not_repeated(server, refused):
    """It may not be the user's data at all."""
    file = io.BytesIO()
    pq.write_table(pa.table({CANARY: [1.0]}), file)
    server.data = file.getvalue()
    assert refused(BadData) == "no column y; there is 1 column"


@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.integers(0, 70), st.integers(-1, 70), st.sampled_from([io.SEEK_SET, io.SEEK_END]))),
    st.integers(1, 20),
)
def test_ranges_are_a_file(data, reads, part):
    """Reads and places are those of a file in memory; no part is longer than allowed, and each is within the file."""

    def fetch(start, length):
        assert 0 <= start <= start + length <= len(data)
        assert length <= part
        return data[start : start + length]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "PART_BYTES", part)
        file, expected = RangedFile(len(data), fetch), io.BytesIO(data)
        for offset, size, whence in reads:
            place = -min(offset, len(data)) if whence == io.SEEK_END else offset
            assert file.seek(place, whence) == expected.seek(place, whence)
            assert file.read(size) == expected.read(size)
            assert file.tell() == expected.tell()


def test_small_file_is_fetched_once():
    fetched = []
    file = RangedFile(100, lambda start, length: fetched.append((start, length)) or bytes(length))
    for place in (90, 0, 50):
        file.seek(place)
        assert file.read(10) == bytes(10)
    assert fetched == [(0, 100)]


def test_file_that_is_closed_fetches_nothing():
    """A thread of pyarrow's may come late."""
    file = RangedFile(100, raising)
    file.close()
    assert file.read(10) == b""


def raising(*_):
    raise AssertionError("nothing may be fetched")
