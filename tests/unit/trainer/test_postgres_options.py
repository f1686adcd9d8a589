"""What libpq is given, and the words for what a database refuses."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_trainer.data.postgres_options import (
    ENVIRONMENT,
    Login,
    connection_text,
    login_of,
    refused_login,
    refused_query,
)
from linplane_trainer.errors import BadData, TrainingFailed

KEYS = {"host": "db.example", "database": "sales", "user": "reader", "password": "canary"}
OPTION = re.compile(r"(\w+)='((?:[^'\\]|\\.)*)'(?: |\Z)", re.DOTALL)


def options(login=None, addresses=("192.0.2.1",), certificates=None):
    """The connection string's options, read as libpq's manual says."""
    text = connection_text(login or login_of(KEYS, "warehouse"), addresses, certificates, 30)
    assert OPTION.sub("", text) == ""
    return {name: re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for name, value in OPTION.findall(text)}


def test_login_verifies_the_host_unless_told():
    assert login_of(KEYS, "warehouse") == Login("db.example", 5432, "sales", "reader", "canary", "verify-full", "")
    assert login_of(KEYS | {"port": "6543", "sslMode": "require"}, None).ssl_mode == "require"


@pytest.mark.parametrize("key", ["host", "database", "user"])
def test_login_needs(key):
    """A Secret's key is named as such, a variable as such."""
    some = {name: value for name, value in KEYS.items() if name != key}
    with pytest.raises(TrainingFailed, match=f"^Secret 'warehouse' has no key '{key}'$"):
        login_of(some, "warehouse")
    with pytest.raises(TrainingFailed, match=f"^{ENVIRONMENT[key]} is not set$"):
        login_of(some, None)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("port", "canary", "is not a number from 1 to 65535"),
        ("port", "0", "is not a number from 1 to 65535"),
        ("port", "65536", "is not a number from 1 to 65535"),
        ("port", "5432,5433", "is not a number from 1 to 65535"),
        ("host", "a.example,canary", "is not the name of one host"),
        ("host", "@canary", "is not the name of one host"),
        ("host", "a canary", "is not the name of one host"),
        ("sslMode", "canary", "is none of disable, allow, prefer, require, verify-ca, verify-full"),
        ("sslMode", "verify-ca", None),
        ("password", "canary\0", "holds a zero byte"),
    ],
)
def test_login_refuses(key, value, problem):
    """By the name of the key, without its value."""
    key, problem = (
        (key, problem) if problem else ("sslRootCert", "is missing, without which verify-ca verifies nothing")
    )
    given = KEYS | ({"sslMode": value} if value == "verify-ca" else {key: value})
    with pytest.raises(TrainingFailed, match=f"^key '{key}' of Secret 'warehouse' {problem}$"):
        login_of(given, "warehouse")
    with pytest.raises(TrainingFailed, match=f"^{ENVIRONMENT[key]} {problem}$"):
        login_of(given, None)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(TEXTS, TEXTS, TEXTS)
def test_connection_text_holds_each_value_as_it_is(database, user, password):
    """Quotes, backslashes and blanks end no value."""
    given = options(Login("db.example", 5432, database, user, password))
    assert (given["dbname"], given["user"], given["password"]) == (database, user, password)


def test_connection_is_to_the_judged_addresses_and_verifies_the_name():
    given = options(addresses=("192.0.2.1", "2001:db8::1"))
    assert (given["host"], given["hostaddr"]) == ("db.example,db.example", "192.0.2.1,2001:db8::1")
    assert (given["sslmode"], given["sslrootcert"]) == ("verify-full", "system")


def test_connection_by_given_certificates():
    login = login_of(KEYS | {"sslMode": "verify-ca", "sslRootCert": "PEM"}, None)
    assert options(login, certificates=Path("/folder/root.crt"))["sslrootcert"] == "/folder/root.crt"


def test_connection_by_a_socket_has_no_tls():
    given = options(login_of(KEYS | {"host": "/run/postgresql"}, None), addresses=())
    assert (given["host"], given["sslmode"]) == ("/run/postgresql", "disable")
    assert not {"hostaddr", "sslrootcert"} & given.keys()


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("42703", BadData),
        ("22012", BadData),
        ("25006", BadData),
        ("P0001", BadData),
        ("57014", TrainingFailed),
        ("57P01", TrainingFailed),
        ("40001", TrainingFailed),
        ("53200", TrainingFailed),
        ("55P03", TrainingFailed),
        ("XX000", TrainingFailed),
        ("08006", TrainingFailed),
    ],
)
def test_query_is_tried_again_if_that_can_help(sqlstate, kind):
    error = refused_query(sqlstate)
    assert type(error) is kind
    assert str(error).startswith(f"the database refused the query (SQLSTATE {sqlstate})")


def test_answer_that_breaks_off_is_worth_a_retry():
    assert str(refused_query(None)) == "the database's answer broke off"
    assert isinstance(refused_query(None), TrainingFailed)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ('FATAL:  password authentication failed for user "canary"', "the database refused the user or the password"),
        ("FATAL:  Passwort-Authentifizierung für »canary«", "the database refused user, password, database or host"),
        ('FATAL:  database "canary" does not exist', "the database refused: it has no database or user of that name"),
        ("FATAL:  sorry, too many clients already", "the database has no free connection"),
        ("FATAL:  the database system is starting up", "the database is starting or stopping"),
        ("SSL error: canary", "no connection to the database"),
        ("timeout expired", "no connection to the database: its host does not answer"),
    ],
)
def test_login_is_refused_without_the_words_of_the_server(reason, words):
    text = f'IO: [libpq] Failed to connect: connection to server at "canary" (192.0.2.1), port 5432 failed: {reason}\n'
    assert str(refused_login(text)) == words
