"""A query's rows, streamed from PostgreSQL by COPY.

libpq resolves no name and reads no setting of its own: the host's addresses are judged as those of a URI, and it
connects to these. All runs in one transaction that is read-only.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import adbc_driver_postgresql
import pyarrow as pa
from adbc_driver_manager import AdbcConnection, AdbcStatement, Error
from adbc_driver_manager._reader import AdbcRecordBatchReader  # the public one gives an error without its SQLSTATE

from linplane_api.task import PostgresData

from ..errors import BadData, RefusedError, TrainingFailed
from .download import Network
from .postgres_options import Login, connection_text, login_of, refused_login, refused_query
from .uri_rules import Rules, check_addresses, check_host, rules_for

T = TypeVar("T")

BATCH_BYTES = 1 << 20
BATCH_OPTION = adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value
LIMITS = """
select set_config(name, case name when 'statement_timeout' then '7d' else '10s' end, true) from pg_settings
where name = 'statement_timeout' and setting = '0'
   or name = 'client_connection_check_interval' and version() like '%linux%'
"""
"""A query without a bound of the database's own ends after the longest deadline of a Job, and soon after the trainer
has gone, if the server can see that.
"""
CALLED = "the database's host"


class Query:
    """A query that is prepared. `schema` has its columns, with PostgreSQL's name of the type in a field's metadata."""

    def __init__(self, text: str, login: Login, rules: Rules, network: Network) -> None:
        """Connects and prepares; `rules` judge the host. Raises TrainerError."""
        addresses = _addresses(login, rules, network)
        with ExitStack() as opened:
            connection = _connected(login, addresses, network, opened)
            with _query_errors():
                connection.set_autocommit(False)
                _run(connection, "set transaction read only")
                _run(connection, LIMITS)
                self._statement = opened.enter_context(AdbcStatement(connection))
                self._statement.set_options(**{BATCH_OPTION: str(BATCH_BYTES)})
                self._statement.set_sql_query(_for_copy(text))
                types = self._statement.execute_schema()
                self.schema = pa.Schema._import_from_c(types.address)
            if not self.schema.names:
                raise BadData("the query gives no columns: one select is needed")
            self._opened = opened.pop_all()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Runs the query, once. Raises TrainerError."""
        cancel = self._statement.cancel
        with _query_errors():
            handle, _ = _waiting(self._statement.execute_query, cancel)
            blocks = iter(self._opened.enter_context(_reader(handle)))
            while (block := _waiting(lambda: next(blocks, None), cancel)) is not None:
                yield block

    def close(self) -> None:
        """Ends the query and the connection."""
        self._opened.close()


def open_query(data: PostgresData, network: Network, credentials: Mapping[str, str]) -> Query:
    """The task's query, prepared; `credentials`: the keys of its Secret, or if it names none those of the environment.
    Raises TrainerError.
    """
    rules = rules_for(data.allowed_hosts, data.denied_addresses, data.allow_socket)
    return Query(data.query, login_of(credentials, data.secret), rules, network)


def _connected(login: Login, addresses: Sequence[str], network: Network, opened: ExitStack) -> AdbcConnection:
    """A connection, of which `opened` becomes the owner. Raises TrainingFailed."""
    with tempfile.TemporaryDirectory() as folder, _without_settings(os.environ):
        certificates = None
        if login.root_certificates:
            certificates = Path(folder, "root.crt")
            certificates.write_text(login.root_certificates)
        text = connection_text(login, addresses, certificates, round(network.timeout))
        try:
            database = opened.enter_context(adbc_driver_postgresql.connect(text))
            connection = AdbcConnection(database)
        except Error as error:
            raise refused_login(str(error)) from None  # its text quotes the server's
    opened.callback(connection.close)
    return connection


def _run(connection: AdbcConnection, text: str) -> None:
    with AdbcStatement(connection) as statement:
        statement.set_sql_query(text)
        handle, _ = statement.execute_query()
        with _reader(handle) as reader:
            reader.read_all()


@contextmanager
def _reader(handle: Any) -> Iterator[AdbcRecordBatchReader]:
    with closing(AdbcRecordBatchReader._import_from_c(handle.address)) as reader:
        yield reader


def _for_copy(text: str) -> str:
    """The query as a part of COPY: without a final semicolon, and with the end of a comment's line."""
    return f"{text.strip().removesuffix(';')}\n"


def _addresses(login: Login, rules: Rules, network: Network) -> Sequence[str]:
    """Those that the host resolves to, all judged; none for a Unix socket."""
    check_host(login.host, rules, CALLED)
    if login.is_socket:
        if not rules.allow_file:
            raise RefusedError(f"{CALLED} is the path of a socket, and training connects to hosts only")
        return ()
    try:
        addresses = network.resolve(login.host, login.port)
    except OSError as error:
        raise TrainingFailed(f"{CALLED}'s name does not resolve") from error
    check_addresses(login.host, addresses, rules, CALLED)
    return addresses


def _waiting(call: Callable[[], T], cancel: Callable[[], None]) -> T:
    """What a call returns that waits for the database, from a thread of its own: a signal is handled at once."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=run, daemon=True, name="postgresql")
    try:
        thread.start()
        return done.result()
    except KeyboardInterrupt:
        if thread.ident is not None:
            cancel()
            wait([done])  # the handles are in use until then
        raise


@contextmanager
def _without_settings(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Takes away what libpq would add to the connection string, such as the name of a service file."""
    kept = {name: environment.pop(name) for name in list(environment) if name.startswith("PG")}
    try:
        yield
    finally:
        environment.update(kept)


@contextmanager
def _query_errors() -> Iterator[None]:
    try:
        yield
    except Error as error:
        raise refused_query(error.sqlstate) from None  # its text quotes the query and values
    except (pa.ArrowException, OSError):
        raise refused_query(None) from None
