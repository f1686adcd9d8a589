"""A PostgreSQL server of the tests' own, of Debian's programs, as an unprivileged user."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
def running(folder: Path, certificate: str = "", key: str = "") -> Iterator[Server]:
    """A server in a new folder, with TLS if there are a certificate and its key. Its log is in `folder`."""
    user = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as short:  # a socket's path has at most 107 characters
        place = Path(short)
        (place / "password").write_text(PASSWORD)
        (place / "server.crt").write_text(certificate)
        (place / "server.key").write_text(key)
        (place / "server.key").chmod(0o600)
        if user:
            for path in (place, *place.iterdir()):
                shutil.chown(path, user["user"], user["group"])
        where = programs()
        assert where is not None, "PostgreSQL is not installed"
        made: list[str | Path] = [
            where / "initdb",
            "-D",
            place / "data",
            "-A",
            "scram-sha-256",
            "-U",
            USER,
            "--pwfile",
            place / "password",
        ]
        made += ["-E", "UTF8", "--locale", "C", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True, timeout=60, cwd=place, **user)
        port = _free_port()
        options = {"port": port, "unix_socket_directories": place, "listen_addresses": "127.0.0.1", "fsync": "off"}
        options |= {"max_connections": 20, "shared_buffers": "8MB", "autovacuum": "off"}
        if certificate:
            options |= {"ssl": "on", "ssl_cert_file": place / "server.crt", "ssl_key_file": place / "server.key"}
        arguments = [item for key, value in options.items() for item in ("-c", f"{key}={value}")]
        with (folder / "postgresql.log").open("wb") as log:
            process = subprocess.Popen(
                [where / "postgres", "-D", place / "data", *arguments], stderr=log, cwd=place, **user
            )
        server = Server(port, place, process)
        try:
            eventually(lambda: _answers(server), timeout=60)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for connections
            process.wait(timeout=60)


def _answers(server: Server) -> bool:
    assert server.process.poll() is None, "PostgreSQL ended: see its log"
    with suppress(dbapi.Error):
        server.run("select 1")
        return True
    return False


def _unprivileged() -> dict[str, Any]:
    """Arguments of Popen: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}  # Debian's package makes that user


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
