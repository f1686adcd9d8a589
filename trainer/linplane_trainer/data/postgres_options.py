"""What libpq is given to connect to a database, and the words for what a database refuses. PURE: `postgres` resolves
and connects.

A server's own words are never repeated, as they quote values and the query; an error is named by its SQLSTATE
(PostgreSQL, appendix A), or by libpq's words of its own if there was no connection.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadData, TrainerError, TrainingFailed
from .credentials import required

DEFAULT_PORT = 5432
VERIFIED = "verify-full"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", VERIFIED)
ENVIRONMENT = {
    "host": "PGHOST",
    "port": "PGPORT",
    "database": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "sslMode": "PGSSLMODE",
    "sslRootCert": "PGSSLROOTCERT",
}
"""The keys of a Secret, and the variables of libpq that have these values on the command line. Of the root certificate
the variable has the path.
"""
KEEPALIVE = {"keepalives": "1", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
PORT = re.compile(r"[0-9]{1,5}")

PROBLEMS = {
    "22012": "it divides by zero",
    "25006": "it writes, and training only reads",
    "42501": "the user may not read what it names",
    "42601": "its syntax is wrong, or it is more than one select",
    "42703": "a column does not exist",
    "42883": "a function or operator does not exist for these types",
    "42P01": "a table does not exist",
    "57014": "it was cancelled, or took longer than the database allows",
}
TRANSIENT = ("08", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE after which the same query may succeed: connection, rollback by another transaction, resources,
locks, an operator's intervention, the server's disk and faults.
"""
REFUSED = re.compile(r"^\S+ ?:  ")  # a severity, which the server may translate, and its text
REFUSALS: tuple[tuple[str, str], ...] = (
    ("password authentication failed", "the database refused the user or the password"),
    ("no password supplied", "the database demands a password"),
    ("no pg_hba.conf entry", "the database lets this user in from other hosts only, or only over TLS"),
    ("does not exist", "the database refused: it has no database or user of that name"),
    ("too many clients", "the database has no free connection"),
    ("connection slots", "the database has no free connection"),
    ("the database system is", "the database is starting or stopping"),
)
NO_CONNECTION: tuple[tuple[str, str], ...] = (
    ("does not support SSL", "the database offers no TLS, which sslMode demands"),
    ("does not match host name", "the database's certificate is for another name than host"),
    ("certificate verify failed", "the database's certificate is not one that is trusted: see sslRootCert"),
    ("could not read root certificate", "sslRootCert holds no certificate in PEM form"),
    ("no password supplied", "the database demands a password"),
    ("server closed the connection", "the database's host ended the connection"),
    ("Connection refused", "no connection to the database: its host refused it"),
    ("timeout expired", "no connection to the database: its host does not answer"),
    ("timed out", "no connection to the database: its host does not answer"),
    ("No such file", "no connection to the database: there is no socket at that path"),
)


@dataclass(frozen=True)
class Login:
    """A database, and how to log into it. `host` is a name, an address or the folder of a Unix socket; an empty
    `password` is none; `root_certificates` are in PEM form, empty: those that the system trusts.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = ""
    ssl_mode: str = VERIFIED
    root_certificates: str = ""

    @property
    def is_socket(self) -> bool:
        """Whether the host is the folder of a Unix socket."""
        return self.host.startswith("/")


def login_of(given: Mapping[str, str], secret: str | None) -> Login:
    """From the keys of ENVIRONMENT, which are those of a Secret, or of the environment's variables if `secret` is None.
    Raises TrainingFailed, as these may be put right without a change of the task; the message names the key and no
    value.
    """
    host, database, user = (_needed(given, key, secret) for key in ("host", "database", "user"))
    port, mode = given.get("port") or str(DEFAULT_PORT), given.get("sslMode") or VERIFIED
    certificates = given.get("sslRootCert", "")
    problems = {key: "holds a zero byte" for key, value in given.items() if key in ENVIRONMENT and "\0" in value}
    if any(letter in ",@" or letter.isspace() or not letter.isprintable() for letter in host):
        problems["host"] = "is not the name of one host"
    if not PORT.fullmatch(port) or not 0 < int(port) < 1 << 16:
        problems["port"] = "is not a number from 1 to 65535"
    if mode not in SSL_MODES:
        problems["sslMode"] = f"is none of {', '.join(SSL_MODES)}"
    if mode == "verify-ca" and not certificates:
        problems["sslRootCert"] = "is missing, without which verify-ca verifies nothing"
    for key, problem in problems.items():
        raise TrainingFailed(f"{_called(key, secret)} {problem}")
    return Login(host, int(port), database, user, given.get("password", ""), mode, certificates)


def _needed(given: Mapping[str, str], key: str, secret: str | None) -> str:
    if secret is not None:
        return required(given, key, secret)
    if not given.get(key):
        raise TrainingFailed(f"{ENVIRONMENT[key]} is not set")
    return given[key]


def _called(key: str, secret: str | None) -> str:
    return ENVIRONMENT[key] if secret is None else f"key '{key}' of Secret '{secret}'"


def connection_text(login: Login, addresses: Sequence[str], certificates: Path | None, timeout: int) -> str:
    """The connection string of libpq (PostgreSQL, 34.1.1.1): it connects to the addresses, in order, and verifies the
    name; nothing of the user's home folder is read. `certificates`: the file with those of the login, if it has some.
    """
    options = {
        "host": ",".join([login.host] * max(len(addresses), 1)),
        "hostaddr": ",".join(addresses),
        "port": str(login.port),
        "dbname": login.database,
        "user": login.user,
        "password": login.password,
        "passfile": "/dev/null/none",  # an empty one means the one in the home folder
        "client_encoding": "UTF8",
        "application_name": "linplane-trainer",
        "connect_timeout": str(timeout),
        **KEEPALIVE,
        "sslcertmode": "disable",
        "gssencmode": "disable",
        "sslmode": "disable" if login.is_socket else login.ssl_mode,
    }
    if certificates is not None:
        options["sslrootcert"] = str(certificates)
    elif login.ssl_mode == VERIFIED and not login.is_socket:
        options["sslrootcert"] = "system"
    return " ".join(f"{name}={_quoted(value)}" for name, value in options.items() if value)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def refused_login(text: str) -> TrainingFailed:
    """The error for a failed connection, of which libpq's text says the kind; nothing of it is repeated."""
    reason = text.rpartition(" failed: ")[2]
    known, other = NO_CONNECTION, "no connection to the database"
    if REFUSED.match(reason):
        known, other = REFUSALS, "the database refused user, password, database or host"
    return TrainingFailed(next((words for part, words in known if part in reason), other))


def refused_query(sqlstate: str | None) -> TrainerError:
    """The error for a failed query; None: there was no answer of the database."""
    if not sqlstate:
        return TrainingFailed("the database's answer broke off")
    problem = f": {PROBLEMS[sqlstate]}" if sqlstate in PROBLEMS else ""
    kind = TrainingFailed if sqlstate.startswith(TRANSIENT) else BadData
    return kind(f"the database refused the query (SQLSTATE {sqlstate}){problem}")
