"""Queries to a real PostgreSQL: what is trained on, what is refused and how, and what is never said."""

import csv
import io
import logging
import os
import signal
import threading
import traceback

import numpy as np
import pytest

from linplane_api.task import FileData, PostgresData, Task
from linplane_trainer.data import postgres
from linplane_trainer.data.download import Network
from linplane_trainer.data.postgres_options import login_of
from linplane_trainer.data.uri_rules import rules_for
from linplane_trainer.errors import BadData, RefusedError, TrainingFailed
from linplane_trainer.train import train
from postgresql import PASSWORD

CELL = "canary-cell-77c1"
WRITES = "(SQLSTATE 25006): it writes, and training only reads"
USED = "area, rooms, furnished, price"
ROWS = [(i, 20 + i / 7, 1 + i % 5, i % 3 == 0, 300 + 9.99 * i + (i * i) % 17, CELL) for i in range(400)]


@pytest.fixture(scope="session")
def flats(postgresql):
    """The server, with the table `flats` of ROWS; `price` is `numeric`."""
    values = ", ".join(
        f"({i}, {area!r}, {rooms}, {let}, {price!r}, '{name}')" for i, area, rooms, let, price, name in ROWS
    )
    postgresql.run(
        "create table flats (id bigint, area float8, rooms int2, furnished bool, price numeric, name text)",
        f"insert into flats values {values}",
    )
    return postgresql


@pytest.fixture
def learn(flats, tmp_path, caplog):
    """learn(query, target="price", keys={...}, hosts=..., **task): trains on a query, and sees that nothing is logged
    that may not be.
    """

    def run(query, target="price", keys=None, hosts=("127.0.0.1",), network=None, **task):
        fields = {"model": "m", "version": "v1", "target": target, "holdout_percent": 0} | task
        data = PostgresData(query, "warehouse", tuple(hosts))
        credentials = flats.credentials(**(keys or {}))
        with caplog.at_level(logging.DEBUG):
            trained = train(Task(data=data, **fields), tmp_path, network=network, credentials=credentials)
        assert_no_canary(caplog.text + repr(trained))
        return trained

    return run


@pytest.fixture
def refused(learn):
    """refused(kind, query, **as learn): the message of a training that fails."""

    def run(kind, query, **how):
        with pytest.raises(kind) as caught:
            learn(query, **how)
        assert type(caught.value) is kind
        assert_no_canary("".join(traceback.format_exception(caught.value)))
        return str(caught.value)

    return run


def series(rows):
    """Whole numbers from 1, which the server makes while it sends them."""
    return f"(select generate_series(1, {rows}) i) numbers"


def assert_no_canary(text):
    assert not [canary for canary in (CELL, PASSWORD) if canary in text]


def as_csv(rows=ROWS):
    text = io.StringIO()
    csv.writer(text).writerows([("id", "area", "rooms", "furnished", "price", "name"), *rows])
    return text.getvalue()


@pytest.fixture
def from_csv(tmp_path):
    def run(text, **task):
        (tmp_path / "rows.csv").write_text(text)
        fields = {"model": "m", "version": "v1", "target": "price", "holdout_percent": 0} | task
        return train(Task(data=FileData("rows.csv"), **fields), tmp_path)

    return run


@pytest.mark.parametrize("order", ["id", "-id", "md5(id::text)"])
def test_rows_give_the_digest_of_the_same_csv(learn, from_csv, order):
    """In any order, of whole numbers, doubles, booleans and decimals."""
    trained = learn(f"select {USED} from flats order by {order};\n")
    assert trained.artifact.digest == from_csv(as_csv(), exclude=("id",)).artifact.digest
    assert trained.artifact.training.samples == 400


def test_rows_by_a_holdout_key_give_the_digest_of_the_same_csv(learn, from_csv):
    how = {"holdout_percent": 30, "holdout_key": "id"}
    expected = from_csv(as_csv(), **how).artifact
    for order, key in (("id", "id"), ("area desc", "id"), ("id", "id::text as id"), ("id", "id::int4 as id")):
        artifact = learn(f"select {key}, {USED} from flats order by flats.{order}", **how).artifact
        assert artifact.digest == expected.digest
    assert artifact.training.evaluation.on == "Holdout"


def test_rows_in_order_are_held_out_as_those_of_a_csv(learn, from_csv):
    trained = learn(f"select {USED} from flats order by id", holdout_percent=25, seed=3)
    assert trained.artifact.digest == from_csv(as_csv(), exclude=("id",), holdout_percent=25, seed=3).artifact.digest


def test_default_features_are_the_columns_of_numeric_types(learn):
    """Money, dates and object numbers are none, though the driver gives whole numbers for them."""
    trained = learn(
        "select *, price::money cost, now() seen, oid(id) number, 1+1, '{1}'::int[] many from flats", exclude=("id",)
    )
    assert trained.artifact.features == ("area", "rooms", "furnished")
    assert [one.column for one in trained.facts.left_out] == ["name", "cost", "seen", "number", "column 10", "many"]


@pytest.mark.parametrize(
    "value", ["null", "'NaN'::numeric", "'NaN'::float8", "'NaN'::float4", "null::bool", "null::numeric"]
)
def test_gap_drops_its_row(learn, value):
    kind = value.partition("::")[2] or "float8"
    query = f"select price, case when id % 4 = 1 then {value} else rooms::int::{kind} end rooms from flats"
    training = learn(query.replace("rooms::int::bool", "furnished")).artifact.training
    assert (training.samples, training.dropped_rows) == (300, 100)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("9007199254740993", "is a whole number that a double does not hold exactly"),
        ("'infinity'::float8", "is infinite, or too large for a double"),
        ("'-infinity'::float4", "is infinite, or too large for a double"),
        ("'infinity'::numeric", "is infinite, or too large for a double"),
        ("1e400::numeric", "is infinite, or too large for a double"),
    ],
)
def test_value_that_is_no_double_is_named_by_its_row_and_column(refused, value, problem):
    """Also behind the first batches."""
    kind = value.partition("::")[2] or "int8"
    query = f"select i::float8 y, case when i = 90000 then {value} else i::{kind} end x from {series(100_000)}"
    assert refused(BadData, query, target="y") == f"row 90000, column x: {problem}"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("select nope from flats", "(SQLSTATE 42703): a column does not exist"),
        (f"select '{CELL}'::int", "(SQLSTATE 22P02)"),
        ("select * from nope", "(SQLSTATE 42P01): a table does not exist"),
        ("select price / (id - id) as price, area from flats", "(SQLSTATE 22012): it divides by zero"),
        (f"selec '{CELL}'", "(SQLSTATE 42601): its syntax is wrong, or it is more than one select"),
        ("select 1; select 2", "(SQLSTATE 42601): its syntax is wrong, or it is more than one select"),
        ("insert into flats (id, price) values (-1, 1) returning id, price", WRITES),
        ("with new as (delete from flats returning *) select id, price from new", WRITES),
    ],
)
def test_query_that_the_database_refuses(refused, query, problem):
    assert refused(BadData, query) == f"the database refused the query {problem}"


@pytest.mark.parametrize(
    "query",
    [
        "create table made (id int)",
        "commit",
        "set transaction read write",
        "copy flats to stdout",
        "-- nothing",
        "do 'begin end'",
        "notify a",
    ],
)
def test_statement_without_columns_is_not_run(refused, query):
    assert refused(BadData, query) == "the query gives no columns: one select is needed"


def test_nothing_is_written(flats, learn, refused):
    """Not by a function either, nor behind a semicolon."""
    flats.run("create function spoil() returns float8 language sql as 'delete from flats returning 1.0::float8'")
    assert "25006" in refused(BadData, "select price, spoil() from flats")
    assert "42601" in refused(BadData, f"select {USED} from flats; commit; delete from flats")
    assert learn(f"select {USED} from flats").artifact.training.samples == 400


def test_query_without_rows(refused):
    assert refused(BadData, f"select {USED} from flats where id < 0") == "the query gives no rows"


def test_query_that_gives_text(refused):
    assert refused(BadData, "select name, price from flats") == "no column but the target is numeric: name (text)"
    message = refused(BadData, "select name, price from flats", features=("name",))
    assert message == "columns of a type that is no number: name (text)"
    message = refused(BadData, "select name price, area from flats")
    assert message == "columns of a type that is no number: price (text)"


def test_query_without_the_target(refused):
    assert refused(BadData, "select area, rooms from flats") == "no column price; there are area and rooms"


def test_error_behind_the_first_rows_is_named(refused):
    query = f"select 1.0 / (i - 90000) price, i from {series(100_000)}"
    assert refused(BadData, query) == "the database refused the query (SQLSTATE 22012): it divides by zero"


def test_server_that_ends_the_connection_is_worth_a_retry(refused):
    ended = "case when i = 90000 then pg_terminate_backend(pg_backend_pid())::int else i end"
    query = f"select {ended} price, i from {series(10_000_000)}"
    assert refused(TrainingFailed, query) == "the database refused the query (SQLSTATE 57P01)"


@pytest.fixture
def role(flats, request):
    """A role that reads `flats`, and the keys of its Secret."""
    name = f"reader_{abs(hash(request.node.name))}"
    flats.run(f"create role {name} login password '{PASSWORD}'", f"grant select on flats to {name}")
    yield {"user": name}
    flats.run(f"drop owned by {name}", f"drop role {name}")


def test_role_that_may_only_select_is_enough(flats, role, learn, refused):
    flats.run("create table secrets (price int)")
    assert learn(f"select {USED} from flats", keys=role).artifact.training.samples == 400
    message = refused(BadData, "select price, 1 one from secrets", keys=role)
    assert message == "the database refused the query (SQLSTATE 42501): the user may not read what it names"


def test_query_that_takes_longer_than_its_role_may(flats, role, refused):
    """The bound of the role holds; one is set only if there is none."""
    flats.run(f"alter role {role['user']} set statement_timeout = '200ms'")
    message = refused(TrainingFailed, "select price, area, pg_sleep(60) from flats", keys=role)
    assert message.startswith("the database refused the query (SQLSTATE 57014): it was cancelled, or took longer")


def test_query_is_bounded(flats):
    """So that one whose training has ended does not run for ever."""
    names = "'statement_timeout', 'client_connection_check_interval', 'transaction_read_only'"
    query = opened(flats, f"select name, setting from pg_settings where name in ({names}) order by 1")
    values = dict(zip(*next(iter(query.batches())).to_pydict().values(), strict=True))
    query.close()
    week = str(7 * 86_400_000)
    assert values == {
        "client_connection_check_interval": "10000",
        "statement_timeout": week,
        "transaction_read_only": "on",
    }


def opened(server, text, **keys):
    rules = rules_for(["127.0.0.1"], [], False)
    return postgres.Query(text, login_of(server.credentials(**keys), None), rules, Network())


def test_query_may_be_ended_before_its_last_row(flats):
    query = opened(flats, f"select i from {series(100_000_000)}")
    assert next(query.batches()).num_rows > 1000
    query.close()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"password": "wrong"}, "the database refused the user or the password"),
        ({"user": "stranger"}, "the database refused the user or the password"),
        ({"database": "nope"}, "the database refused: it has no database or user of that name"),
        ({"sslMode": "require"}, "the database offers no TLS, which sslMode demands"),
        ({"sslMode": ""}, "the database offers no TLS, which sslMode demands"),
        ({"port": "1"}, "no connection to the database: its host refused it"),
        ({"password": ""}, "the database demands a password"),
        ({"database": ""}, "key 'database' of Secret 'warehouse' holds no text"),
        ({"port": "x"}, "key 'port' of Secret 'warehouse' is not a number from 1 to 65535"),
    ],
)
def test_login_that_fails_is_worth_a_retry(refused, keys, message):
    """The Secret may be put right."""
    assert refused(TrainingFailed, "select 1", keys=keys) == message


def test_host_is_judged_as_that_of_a_uri(refused):
    network = Network(resolve=lambda *_: ["192.0.2.7", "169.254.169.254"])
    at = {"keys": {"host": "db.example"}, "network": network}
    message = refused(RefusedError, "select 1", hosts=(), **at)
    assert message.startswith("the database's host's address is link-local: training may not connect there unless ")
    assert refused(RefusedError, "select 1", hosts=["a.example"], **at).startswith("the database's host is not one of")
    assert refused(RefusedError, "select 1", hosts=()).startswith("the database's host's address is loopback")


def test_host_that_does_not_resolve_is_worth_a_retry(refused):
    def resolve(host, port):
        raise OSError

    message = refused(
        TrainingFailed, "select 1", keys={"host": "db.example"}, hosts=(), network=Network(resolve=resolve)
    )
    assert message == "the database's host's name does not resolve"


def test_address_that_was_judged_is_connected_to(learn):
    """In their order; libpq asks no resolver."""
    network = Network(resolve=lambda *_: ["127.0.0.9", "127.0.0.1"])
    trained = learn(f"select {USED} from flats", keys={"host": "db.example"}, hosts=["db.example"], network=network)
    assert trained.artifact.training.samples == 400


def test_socket_is_refused_in_a_cluster(flats, refused):
    message = refused(RefusedError, "select 1", keys={"host": str(flats.folder)}, hosts=())
    assert message == "the database's host is the path of a socket, and training connects to hosts only"


def test_setting_that_allows_a_host_is_that_of_the_installation(flats):
    """The chart's, or in local mode the command's."""
    for allow_socket, setting in ((False, "the chart's trainer.allowedHosts"), (True, "--allowed-host")):
        data = PostgresData("select 1", "warehouse", ("db.example",), allow_socket=allow_socket)
        with pytest.raises(RefusedError, match=f"is not one of the allowed hosts .{setting}"):
            postgres.open_query(data, Network(), flats.credentials())


def test_socket_is_connected_to_if_that_is_allowed(flats):
    data = PostgresData("select 1 x", "warehouse", allow_socket=True)
    query = postgres.open_query(data, Network(), flats.credentials(host=str(flats.folder)))
    assert query.schema.names == ["x"]
    query.close()


def test_environment_of_libpq_is_not_read(learn, monkeypatch, tmp_path):
    """Nothing of it is used, and all of it is there afterwards."""
    (tmp_path / "pass").write_text("*:*:*:*:wrong\n")
    (tmp_path / "pass").chmod(0o600)
    given = {
        "PGSERVICE": "nope",
        "PGHOSTADDR": "192.0.2.1",
        "PGOPTIONS": "-c canary=1",
        "PGPASSFILE": str(tmp_path / "pass"),
    }
    for name, value in (given | {"PGSSLMODE": "verify-full", "PGTZ": "nope", "PGREQUIREAUTH": "none"}).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert learn(f"select {USED} from flats").artifact.training.samples == 400
    assert dict(os.environ) == before


@pytest.fixture
def interrupts():
    """SIGINT raises KeyboardInterrupt, also if this process was started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_interrupt_ends_a_query_that_waits():
    """At once, and the query is cancelled first."""
    cancelled, main = threading.Event(), threading.get_ident()

    def call():
        signal.pthread_kill(main, signal.SIGINT)
        assert cancelled.wait(60)

    with pytest.raises(KeyboardInterrupt):
        postgres._waiting(call, cancelled.set)
    assert cancelled.is_set()


def test_rows_count_as_progress(flats, tmp_path):
    seen = []
    task = Task(
        "m",
        "v1",
        PostgresData("select i price, i x from generate_series(1, 200000) i", "w", ("127.0.0.1",)),
        target="price",
    )
    train(task, tmp_path, lambda *counts: seen.append(counts), credentials=flats.credentials())
    assert len(seen) > 1
    assert seen[-1] == (200_000, 200_000, None)
    assert np.all(np.diff([rows for rows, _, _ in seen]) > 0)
