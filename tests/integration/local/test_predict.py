"""`linplane predict` and the Python client against a running local mode."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from integration.local.running import Local, route, weights
from linplane import Client
from linplane_api.artifact import predict
from linplane_cli.main import main
from support import eventually


@pytest.fixture
def serving(local: Local) -> Local:
    """One that serves v1 of rent."""
    local.save("rent.yaml", weights("rent", "v1", {"area": 2.0, "rooms": 10.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    return local


def run(local: Local, *arguments: str | Path) -> Result:
    """The result of the command."""
    url = f"http://127.0.0.1:{local.port}"
    return CliRunner().invoke(main, ["predict", "--url", url, "rent", *map(str, arguments)])


def test_command_prints_what_the_server_answers(serving: Local, tmp_path: Path) -> None:
    assert run(serving, "area=70", "rooms=2.5").stdout == "prediction,version\n166.0,v1\n"
    path = tmp_path / "flats.csv"
    path.write_text("rooms,area\n" + "".join(f"{n % 4},{n}\n" for n in range(10_000)))
    answer = run(serving, path)
    assert answer.exit_code == 0, answer.output
    expected = [1 + 2 * n + 10 * (n % 4) for n in range(10_000)]
    assert answer.stdout.splitlines()[1:] == [f"{float(value)},v1" for value in expected]
    places = ["--dir", str(serving.folder), "--state", str(serving.state)]
    offline = CliRunner().invoke(main, ["predict", "rent", str(path), *places])
    assert (offline.stdout, offline.stderr) == (answer.stdout, "")
    with Client(f"http://127.0.0.1:{serving.port}", "rent") as client:
        assert client.predict_rows([[n, n % 4] for n in range(10_000)]).values == expected


def test_body_over_the_limit_of_the_server_is_halved(serving: Local) -> None:
    """The response comes while the body is still being sent."""
    rows = [[n / 7, n / 11] for n in range(35_000)]  # 1.3 MB
    with Client(f"http://127.0.0.1:{serving.port}", "rent", max_body_bytes=1 << 26) as client:
        found = client.predict_rows(rows)
    assert found.values == [predict((2.0, 10.0), 1.0, row) for row in rows]
    assert len(found.batches) > 1


def test_command_says_why_there_is_no_answer(serving: Local) -> None:
    answer = run(serving, "area=70")
    assert (answer.exit_code, answer.stderr) == (1, "linplane: 422 version v1 needs the feature rooms\n")
    assert serving.admin("freeze?version=v1")[0] == 200
    frozen = eventually(lambda: (found := run(serving, "area=70", "rooms=2")).exit_code and found)
    assert frozen.stderr.startswith("linplane: 503 ")
    assert "frozen" in frozen.stderr
    serving.stop()
    assert "is `linplane local` running" in run(serving, "area=70", "rooms=2").stderr
