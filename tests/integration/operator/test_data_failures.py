"""Data that breaks off, or that a database refuses: the reason in `Trained`, and what served before goes on."""

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from integration.cluster.objects import version
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL
from postgresql import PASSWORD, Server

Object = dict[str, Any]
ROWS = b"x,y\n" + b"".join(b"%d,%d\n" % (i, i * i % 11) for i in range(2_000))
PACKED = gzip.compress(ROWS)
HOST = "127.0.0.1"
NUMBERS = "(select generate_series(1, 10000000) x) numbers"  # made while they are sent
REFUSED = "the database refused the query"


class Answers(http.server.BaseHTTPRequestHandler):
    """Two files: one whose end is missing, and one whose host goes away in the middle."""

    def do_GET(self) -> None:
        body = PACKED[: len(PACKED) // 2] if self.path == "/packed.csv.gz" else ROWS
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if body is not ROWS else body[:5_000])

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def files() -> Iterator[str]:
    """The address of a host with both."""
    with http.server.ThreadingHTTPServer((HOST, 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()


def queried(query: str) -> Object:
    return {"postgres": {"query": query, "secretName": "warehouse"}}


QUERIES = {
    "misspelt": ("select arae, 1 y from generate_series(1, 9) area", f"{REFUSED} (SQLSTATE 42703): a column does not"),
    "empty": ("select x, x y from generate_series(1, 0) x", "the query gives no rows"),
    "textual": (
        "select 'canary' as y, x from generate_series(1, 9) x",
        "columns of a type that is no number: y (text)",
    ),
    "slow": (
        f"select x, case when x > 9000 then pg_sleep(60)::text::int end y from {NUMBERS}",
        f"{REFUSED} (SQLSTATE 57014)",
    ),
    "gone": (
        f"select x, case when x = 9000 then pg_terminate_backend(pg_backend_pid())::int else x end y from {NUMBERS}",
        f"{REFUSED} (SQLSTATE 57P01)",
    ),
}
"""By model: a query, and how the message of `Trained` begins."""


@pytest.fixture
def reader(postgresql: Server) -> Iterator[dict[str, str]]:
    """The keys of a role whose queries may take two seconds."""
    postgresql.run(f"create role impatient login password '{PASSWORD}'")
    postgresql.run("alter role impatient set statement_timeout = '2s'")
    yield postgresql.credentials(user="impatient")
    postgresql.run("drop role impatient")


def test_failed_reading_is_said_in_trained_and_loses_nothing(own_site: Site, reader: dict[str, str]) -> None:
    site = own_site
    site.operator.stop()
    site.start_operator("--allowed-host", HOST)
    site.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "warehouse"}, "stringData": reader})
    site.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"a.csv": ROWS.decode()}}
    )
    trained = {"data": {"configMapKeyRef": {"name": "rows", "key": "a.csv"}}, "target": "y"}
    site.apply(version("v0", "empty", training=trained))
    site.comes_to(LINEAR_MODEL, "empty-v0", "Ready", "True")
    before = site.get(LINEAR_MODEL, "empty-v0")["status"]

    with files() as host:
        sources = {name: (queried(query), text) for name, (query, text) in QUERIES.items()}
        sources["packed"] = ({"uri": f"{host}/packed.csv.gz"}, "the gzip file is cut off: its end is missing")
        sources["away"] = ({"uri": f"{host}/rows.csv"}, f"the download broke off, {len(ROWS) - 5_000} bytes short")
        for name, (data, _) in sources.items():
            training = {"data": data, "target": "y", "job": {"backoffLimit": 0}}
            site.apply(version("v1", name, training=training))
        for name, (_, text) in sources.items():
            retried = name in ("slow", "gone", "away")
            reason = "TrainingFailed" if retried else "BadData"
            message = site.comes_to(LINEAR_MODEL, f"{name}-v1", "Trained", "False", reason, 90)
            assert text in message, (name, message)
            assert "canary" not in message

    assert site.get(LINEAR_MODEL, "empty-v0")["status"] == before
    assert site.get_or_none(CONFIG_MAP, before["artifact"])
    assert not site.tracebacks()
