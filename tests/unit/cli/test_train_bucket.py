"""`linplane train --data s3://...`: where the bucket is and who asks comes from the environment, never an argument."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linplane_api.task import S3Data
from linplane_cli.main import main
from linplane_cli.train_options import make_task
from unit.trainer.s3_server import S3Server, s3_server

CSV = b"a,y\n" + b"".join(b"%d,%d\n" % (number, 2 * number + 1) for number in range(40))
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAcanary", "AWS_SECRET_ACCESS_KEY": "c4n4ry"}
NO_KEYS = dict.fromkeys([*KEYS, "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"])
OPTIONS = ["--target", "y", "--holdout-percent", "0"]
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def run(server: S3Server, tmp_path: Path) -> Run:
    """run(*arguments, **environment): trains by the command, in an environment with the server's address."""

    def call(*arguments: str | Path, **environment: str) -> Result:
        given = {**NO_KEYS, "HOME": str(tmp_path), "AWS_ENDPOINT_URL": server.url, **environment}
        words = ["train", "v1", *OPTIONS, "--dir", tmp_path / "store", "--replace", *arguments]
        return CliRunner(env=given).invoke(main, [str(word) for word in words])

    return call


def test_bucket_gives_the_model_of_a_file(run: Run, server: S3Server, tmp_path: Path) -> None:
    server.put({"sales/a.csv": CSV})
    (tmp_path / "a.csv").write_bytes(CSV)
    expected = run("--data", tmp_path / "a.csv").output.splitlines()[-1]
    for path in ("sales/a.csv", "sales/"):
        found = run("--data", f"s3://rows/{path}", **KEYS)
        assert found.exit_code == 0, found.output
        assert found.output.splitlines()[-1] == expected
        assert expected.startswith("sha256:")
    assert all(signed for _, _, signed in server.requests)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"canary" not in stored


def test_bucket_without_such_a_file_is_named(run: Run, server: S3Server) -> None:
    server.put({})
    found = run("--data", "s3://rows/none.csv", **KEYS)
    assert (found.exit_code, found.output.strip()) == (1, "linplane: s3://rows/none.csv: the bucket has no such file")


def test_bucket_is_opened_with_the_keys_of_a_profile(server: S3Server, tmp_path: Path) -> None:
    """Of ~/.aws: in a process of its own, since the SDK reads it once."""
    server.put({"a.csv": CSV})
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[x]\naws_access_key_id = k\naws_secret_access_key = s\n")
    environment = {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "x",
        "AWS_ENDPOINT_URL_S3": server.url,
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "linplane_cli", "train", "v1", *OPTIONS, "--data", "s3://rows/a.csv"]
    subprocess.run([*command, "--dir", str(tmp_path / "store")], env=environment, check=True, capture_output=True)
    assert server.requests
    assert all(signed for _, _, signed in server.requests)


OPEN = {"ridge": 0.0, "seed": 0, "fit_intercept": True, "holdout_percent": 20, "model": "m", "version": "v1"}


def place(environment: dict[str, str], *allowed: str) -> S3Data:
    names = (
        "samples",
        "query",
        "query_file",
        "features",
        "exclude",
        "separator",
        "decimal",
        "null_value",
        "holdout_key",
    )
    options = {**dict.fromkeys(names), **OPEN, "target": "y", "data": "s3://rows/a.csv", "allowed_host": allowed}
    data = make_task(options, environment).data
    assert isinstance(data, S3Data)
    return data


def test_bucket_is_where_the_environment_says() -> None:
    assert place({}) == S3Data("rows", "a.csv", ambient=True)
    assert place({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}).region == "eu-west-1"
    assert place({"AWS_DEFAULT_REGION": "eu-west-2"}).region == "eu-west-2"
    found = place({"AWS_ENDPOINT_URL": "http://minio.example:9000/", "AWS_ENDPOINT_URL_S3": ""})
    assert (found.endpoint, found.allowed_hosts) == ("http://minio.example:9000", ("minio.example",))
    assert place({"AWS_ENDPOINT_URL": "http://minio.example"}, "other.example").allowed_hosts == ("other.example",)


@pytest.mark.parametrize(
    ("data", "environment", "message"),
    [
        ("s3://rows", {}, "--data: a bucket and a path are needed"),
        ("s3://rows/", {}, "--data: a bucket and a path are needed"),
        ("s3:///a.csv", {}, "--data: a bucket and a path are needed"),
        ("s3://key:secret@rows/a.csv", {}, "--data: a bucket and a path are needed"),
        ("s3://rows/a.csv", {"AWS_ENDPOINT_URL": "minio.example"}, "AWS_ENDPOINT_URL: http:// or https://"),
        ("s3://rows/a.csv", {"AWS_ENDPOINT_URL": "http://minio.example/x"}, "AWS_ENDPOINT_URL: http:// or https://"),
    ],
)
def test_bucket_that_is_not_well_named_is_refused(
    run: Run, data: str, environment: dict[str, str], message: str
) -> None:
    found = run("--data", data, **environment)
    assert found.exit_code == 2
    assert message in found.output
