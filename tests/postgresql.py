"""A PostgreSQL server of the tests' own, of Debian's programs, as an unprivileged user."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
from adbc_driver_postgresql import dbapi

from linplane_trainer.data.postgres_options import ENVIRONMENT
from support import eventually, is_ci

PASSWORD = "canary-password-5b1f"
USER = "owner"


@dataclass(frozen=True)
class Server:
    """A running server. `folder` is that of its socket."""

    port: int
    folder: Path
    process: "subprocess.Popen[bytes]"

    def credentials(self, **keys: str) -> dict[str, str]:
        """The keys of a Secret for this server, by 127.0.0.1 without TLS unless `keys` say otherwise."""
        usual = {"host": "127.0.0.1", "port": str(self.port), "database": "postgres", "user": USER}
        return usual | {"password": PASSWORD, "sslMode": "disable"} | keys

    def variables(self, **keys: str) -> dict[str, str]:
        """The variables of libpq with the credentials."""
        return {ENVIRONMENT[key]: value for key, value in self.credentials(**keys).items()}

    def run(self, *statements: str) -> None:
        """Runs statements, each in a transaction of its own."""
        place = f"host='{self.folder}' port={self.port} user={USER} password={PASSWORD} dbname=postgres"
        with dbapi.connect(place, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, of the newest version that is installed; None if there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = debian[-1:] or [Path(path).resolve() for path in [shutil.which("initdb")] if path]
    return found[0].parent if found else None


def require() -> None:
    """Skips the test if PostgreSQL is not installed, and fails it if CI=true."""
    if programs() is not None:
        return
    text = "PostgreSQL is not installed (Debian: apt-get install postgresql-15)"
    if is_ci():
        pytest.fail(text)
    pytest.skip(text)


@pytest.fixture(scope="session", name="postgresql")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Server"]:
    """A server, for all tests of a process. Without its programs the test is skipped, and fails if CI=true."""
    require()
    with running(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@contextmanager
def running(folder: Path, certificate: str = "", key: str = "", address: str = "127.0.0.1") -> Iterator[Server]:
    """A server at an address of this machine, over TLS alone if there are a certificate and its key. Its log is in
    `folder`.
    """
    options: dict[str, object] = {"listen_addresses": address, "fsync": "off", "autovacuum": "off"}
    options |= {"max_connections": 20, "shared_buffers": "8MB"}
    with tempfile.TemporaryDirectory(prefix="postgresql-") as short:  # a socket's path has at most 107 characters
        place = Path(short)
        if certificate:
            options |= {"ssl": "on", "ssl_cert_file": place / "server.crt", "ssl_key_file": place / "server.key"}
        _make(place, {"server.crt": certificate, "server.key": key, "password": PASSWORD})
        rules = f"local all all scram-sha-256\nhost{'ssl' if certificate else ''} all all all scram-sha-256\n"
        (place / "data" / "pg_hba.conf").write_text(rules)
        with (folder / "postgresql.log").open("wb") as log:
            server = _started(place, options, log)
        try:
            yield server
        finally:
            server.process.send_signal(signal.SIGINT)  # SIGTERM would wait for connections
            server.process.wait(timeout=60)


def _make(place: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (place / name).touch(0o600)
        (place / name).write_text(text)
    user = _unprivileged()
    if user:
        for path in (place, *place.iterdir()):
            shutil.chown(path, user["user"], user["group"])
    command: list[str | Path] = [_program("initdb"), "-D", place / "data", "-E", "UTF8", "--locale", "C", "--no-sync"]
    command += ["-U", USER, "-A", "scram-sha-256", "--pwfile", place / "password"]
    subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=place, **user)


def _started(place: Path, options: dict[str, object], log: IO[bytes]) -> Server:
    """The server, once it answers, on the first port that is free."""
    for port in random.sample(range(20_000, 30_000), 20):  # below those that connections take
        given = options | {"port": port, "unix_socket_directories": place}
        arguments: list[str | Path] = [item for name, value in given.items() for item in ("-c", f"{name}={value}")]
        command = [*_ending_with_this_process(), _program("postgres"), "-D", place / "data", *arguments]
        process = subprocess.Popen(command, stderr=log, cwd=place, **_unprivileged())
        server = Server(port, place, process)
        eventually(partial(_has_ended_or_answers, server), timeout=60)
        if process.poll() is None:
            return server
    raise AssertionError("PostgreSQL did not start: see its log")


def _ending_with_this_process() -> list[str | Path]:
    """What to put before a command, so that it ends with this process however that ends; nothing but on Linux."""
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "INT"] if found else []


def _program(name: str) -> Path:
    where = programs()
    assert where is not None, "PostgreSQL is not installed"
    return where / name


def _has_ended_or_answers(server: Server) -> bool:
    if server.process.poll() is not None:
        return True
    with suppress(dbapi.Error):
        server.run("select 1")
        return True
    return False


def _unprivileged() -> dict[str, Any]:
    """Arguments of Popen: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}  # Debian's package makes that user


def certificate_authority(folder: Path, host: str) -> tuple[str, str, str]:
    """A new authority's certificate, and a certificate of it for a host with its key; all in PEM form."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=tests")
    made = ("-keyout", "host.key", "-out", "host.crt", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
    openssl("req", "-x509", *key, *made, "-CA", "ca.crt", "-CAkey", "ca.key")
    authority, certificate, secret = ((folder / name).read_text() for name in ("ca.crt", "host.crt", "host.key"))
    return authority, certificate, secret
