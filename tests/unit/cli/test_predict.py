"""`predict`: one row or a file, by a server or from an artifact, and errors that name the line."""

import csv
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linplane_api.locks import lock
from linplane_api.routing import RouteDocument, RoutingMap, Unavailable, make_entry
from linplane_api.routing_folder import write_routing
from linplane_cli import predict as command
from linplane_cli.main import main
from unit.cli.listening import Listening
from unit.client.server import Server
from unit.server.builders import document

WEIGHTS = '{"coefficients": {"area": 2, "rooms": 10}, "intercept": 1}'


@pytest.fixture(scope="module")
def server() -> Iterator[Listening]:
    """Serves v1 of homes: 1 + 2 area + 10 rooms; a tenth of the keys gets v2: 1 + 3 area + 20 rooms."""
    one = Listening(Server(document(split=[("v2", 1000)])))
    yield one
    one.stop()


def write_state(folder: Path, *routes: RouteDocument) -> Path:
    """Makes the state that local mode keeps for a folder of manifests with these routes."""
    (folder / ".linplane/objects").mkdir(parents=True)
    (folder / ".linplane/servers/default").mkdir(parents=True)
    texts = {one.route: make_entry(one, 1).to_bytes().decode() for one in routes}
    write_routing(folder / ".linplane/servers/default/config", RoutingMap("uid", 1, texts))
    return folder


@pytest.fixture(params=["server", "folder", "artifact"])
def source(request: pytest.FixtureRequest, server: Listening, tmp_path: Path) -> Iterator[list[str]]:
    """The options and ROUTE by which v1 of homes answers."""
    if request.param == "server":
        yield ["--url", server.url, "--key", "user-1", "homes"]
    elif request.param == "folder":
        folder = write_state(tmp_path / "models", document(split=[("v2", 1000)]))
        with lock(folder / ".linplane/lock", wait=False):
            yield ["--dir", str(folder), "--key", "user-1", "homes"]
    else:
        (tmp_path / "v1.json").write_text(WEIGHTS)
        yield ["--artifact", str(tmp_path / "v1.json")]


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    """The result of the command."""
    return CliRunner().invoke(main, ["predict", *map(str, arguments)], input=stdin)


def table(folder: Path, text: str) -> Path:
    """A CSV."""
    path = folder / "homes.csv"
    path.write_text(text)
    return path


def predictions(answer: Result) -> list[float]:
    """The column of an output as CSV."""
    assert answer.exit_code == 0, answer.output
    return [float(row["prediction"]) for row in csv.DictReader(io.StringIO(answer.stdout))]


def test_row_of_words_is_predicted(source: list[str]) -> None:
    assert predictions(run(*source, "area=70", "rooms=2.5")) == [166.0]
    assert predictions(run(*source, "area=-1e1", "rooms=true")) == [-9.0]


def test_file_is_predicted_in_order(source: list[str], tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffrooms, area\r\n" + "".join(f"{n % 5},{n}\r\n" for n in range(5000)) + "\r\n")
    assert predictions(run(*source, path)) == [1 + 2 * n + 10 * (n % 5) for n in range(5000)]
    assert predictions(run(*source, "-", stdin=path.read_text())) == predictions(run(*source, path))


def test_output_has_the_version(server: Listening, tmp_path: Path) -> None:
    options = ["--url", server.url, "--key", "user-1", "homes"]
    assert run(*options, "area=70", "rooms=2").stdout == "prediction,version\n161.0,v1\n"
    one = json.loads(run(*options, "area=70", "rooms=2", "-o", "json").stdout)
    versions = document().versions
    assert one.pop("revision").startswith("sha256:")
    assert one == {
        "prediction": 161.0,
        "version": "v1",
        "digest": versions["v1"].digest,
        "route": "homes",
        "assignedBy": "key",
    }
    path = table(tmp_path, "area,rooms\n70,2\n80,2\n")
    assert run(*options, path).stdout == "prediction,version\n161.0,v1\n181.0,v1\n"
    many = run(*options, path, "-o", "json").stdout
    assert [row["prediction"] for row in json.loads(many)] == [161.0, 181.0]
    assert many.splitlines()[0] == "["
    assert len(many.splitlines()) == 4


def test_output_of_an_artifact_has_its_digest(tmp_path: Path) -> None:
    (tmp_path / "v1.json").write_text(WEIGHTS)
    options = ["--artifact", tmp_path / "v1.json"]
    assert run(*options, "area=70", "rooms=2").stdout == "prediction\n161.0\n"
    one = json.loads(run(*options, "area=70", "rooms=2", "-o", "json").stdout)
    assert one == {
        "prediction": 161.0,
        "digest": document(versions={"v1": {"area": 2, "rooms": 10}}).versions["v1"].digest,
    }


def test_key_decides_the_version(server: Listening) -> None:
    versions = [
        run("--url", server.url, "homes", "area=1", "rooms=1", "--key", f"user-{n}").stdout[-3:-1] for n in range(40)
    ]
    assert set(versions) == {"v1", "v2"}


def test_large_file_takes_several_requests(server: Listening, tmp_path: Path) -> None:
    before = server.requests
    path = table(tmp_path, "area,rooms\n" + "70,2\n" * 20_000)
    answer = run("--url", server.url, "--key", "user-1", "homes", path)
    assert predictions(answer) == [161.0] * 20_000
    assert 5 < server.requests - before < 20


def test_columns_are_chosen(source: list[str], tmp_path: Path) -> None:
    path = table(tmp_path, 'id,area,,street,rooms\n7,70,x,"Street 1\nleft",2\n')
    assert predictions(run(*source, path, "--features", "area, rooms")) == [161.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area,rooms\n1,2\n3,x\n", ":3: rooms is not a finite number"),
        ("area,rooms\n1,2\n3,\n", ":3: rooms is empty"),
        ("area,rooms\n1,2\n3,inf\n", ":3: rooms is not a finite number"),
        ("area,rooms\n1,2\n3,NaN\n", ":3: rooms is not a finite number"),
        ("area,rooms\n1,2\n3,1_0\n", ":3: rooms is not a finite number"),
        ("area,rooms\n1,2\n3\n", ":3: the header has 2 columns, this row 1"),
        ('area,rooms\n1,2\n"3\n', ":3: not CSV: unexpected end of data"),
        ("area,rooms\n1,2\n1e308,1\n", ":3: "),
        ("area,area\n1,2\n", ":1: the column area is duplicated"),
        ("area,\n1,2\n", ":1: column 2 has no name: choose columns by --features"),
        ("area;rooms\n1;2\n", ':1: the separator looks like ";", and a comma is needed'),
        ("area\trooms\n1\t2\n", ":1: the separator looks like a tab, and a comma is needed"),
        ("", ":1: a header with the names of the columns is needed"),
        ("area,rooms\n", ": there is no row after the header"),
    ],
)
def test_problem_of_a_file_is_one_line_with_its_place(
    source: list[str], tmp_path: Path, text: str, message: str
) -> None:
    path = table(tmp_path, text)
    answer = run(*source, path)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"linplane: {path}{message}"), answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_value_of_a_cell_is_not_repeated(source: list[str], tmp_path: Path) -> None:
    answer = run(*source, table(tmp_path, "area,rooms\n1,secret\n"))
    assert "secret" not in answer.output


def test_file_that_is_not_utf8_is_refused(source: list[str], tmp_path: Path) -> None:
    path = tmp_path / "homes.csv"
    path.write_bytes("area,rooms\n1,2\n".encode("utf-16"))
    answer = run(*source, path)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"linplane: {path}:1: from here on it is not UTF-8")


def test_refusal_of_a_server_names_the_line_and_says_how_many_rows_were_predicted(
    server: Listening, tmp_path: Path
) -> None:
    rows = "".join("70,2\n" for _ in range(9000))
    path = table(tmp_path, f'area,rooms\n{rows}"1e308",1\n{rows}')
    answer = run("--url", server.url, "--key", "user-1", "homes", path)
    assert answer.exit_code == 1
    place, _, rest = answer.stderr.removeprefix("linplane: ").partition(": ")
    assert place == f"{path}:9002"
    message, _, done = rest.strip().partition("; rows predicted before it: ")
    assert message == "422 the prediction is not a finite number: these values are too large"
    assert int(done) == len(answer.stdout.splitlines()) - 1 > 1000


def test_folder_answers_as_the_server_does(server: Listening, tmp_path: Path) -> None:
    folder = write_state(tmp_path, document(split=[("v2", 1000)]), document(route="flats"))
    for key in (*(f"user-{n}" for n in range(40)), ""):
        row = ("homes", "area=70", "rooms=2", "--key", key, "-o", "json")
        assert json.loads(run("--dir", folder, *row).stdout) == json.loads(run("--url", server.url, *row).stdout)
    alone = run("--dir", folder, "homes", "area=70", "rooms=2", "-o", "json")
    assert json.loads(alone.stdout)["assignedBy"] == "features"
    assert json.loads(alone.stdout) == json.loads(
        run("--url", server.url, "homes", "area=70", "rooms=2", "-o", "json").stdout
    )
    assert alone.stderr == "linplane local is not running here: this is its last state\n"


def test_state_of_the_environment_is_not_for_a_server(server: Listening) -> None:
    arguments = ["predict", "--url", server.url, "homes", "area=1", "rooms=1"]
    assert CliRunner(env={"LINPLANE_PREDICT_STATE": "/nowhere"}).invoke(main, arguments).exit_code == 0


def test_folder_gives_each_row_the_version_of_its_values(tmp_path: Path) -> None:
    folder = write_state(tmp_path / "models", document(split=[("v2", 5000)]))
    path = table(tmp_path, "area,rooms\n" + "".join(f"{n},1\n" for n in range(20)))
    answers = [run("--dir", folder, "homes", f"area={n}", "rooms=1").stdout.splitlines()[1] for n in range(20)]
    assert run("--dir", folder, "homes", path).stdout.splitlines()[1:] == answers
    assert {answer.rpartition(",")[2] for answer in answers} == {"v1", "v2"}


def test_folder_without_an_answer_is_one_line(tmp_path: Path) -> None:
    folder = write_state(
        tmp_path / "models",
        document(versions={}, unavailable=Unavailable("CurrentFrozen", "v1 is frozen")),
        document(route="flats"),
    )

    def problem(*arguments: str | Path) -> str:
        answer = run(*arguments)
        assert (answer.exit_code, answer.stdout) == (1, "")
        return answer.stderr.splitlines()[-1]

    assert problem("--dir", folder, "homes", "area=1", "rooms=1") == "linplane: v1 is frozen"
    root = folder / ".linplane"
    assert (
        problem("--dir", folder, "rent", "a=1")
        == f"linplane: there is no route rent in {root}; there is flats and homes"
    )
    config = root / "servers/default/config"
    (config / "..data/route.homes").write_text("{}")
    assert problem("--dir", folder, "homes", "a=1").startswith(f"linplane: route homes in {root}: document, revision")
    (config / "..data/sequence").write_text("x")
    assert problem("--dir", folder, "homes", "a=1") == f"linplane: {root}: sequence: is not a whole number"
    (config / "..data").unlink()
    assert problem("--dir", folder, "homes", "a=1") == f"linplane: there is no route homes in {root}"
    (config / "..data").symlink_to("..state-gone")
    assert problem("--dir", folder, "homes", "a=1").startswith(f"linplane: {root}: ")
    assert problem("--dir", tmp_path, "homes", "a=1").endswith(f"start `linplane local --dir {tmp_path}`")
    (tmp_path / "models").rename(tmp_path / "moved")
    assert problem("--dir", tmp_path, "--state", tmp_path / "moved/.linplane", "rent", "a=1").endswith(
        "config of default is incomplete, or changes all the time"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["area=70"], "needs the feature rooms"),
        (["area=70", "rooms=1", "garden=2"], "unknown feature garden; the route takes area, rooms"),
        (["area=1e308", "rooms=1"], "the prediction is not a finite number"),
    ],
)
def test_refusal_of_a_row_is_one_line(server: Listening, words: list[str], message: str) -> None:
    answer = run("--url", server.url, "--key", "user-1", "homes", *words)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert message in answer.stderr
    assert answer.stderr.startswith("linplane: 422 ")
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["area=70"], "the artifact needs rooms"),
        (["area=70", "rooms=1", "garden=2"], "unknown feature garden; the artifact takes area and rooms"),
        (["area=1e308", "rooms=1"], "the prediction is not a finite number: these values are too large"),
    ],
)
def test_artifact_refuses_what_a_server_refuses(tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "v1.json").write_text(WEIGHTS)
    answer = run("--artifact", tmp_path / "v1.json", *words)
    assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", f"linplane: {message}\n")


def test_unknown_column_names_the_option_that_helps(source: list[str], tmp_path: Path) -> None:
    answer = run(*source, table(tmp_path, "id,area,rooms\n7,70,2\n"))
    assert answer.exit_code == 1
    assert ":2: " in answer.stderr
    assert "unknown feature id; " in answer.stderr
    assert answer.stderr.endswith("; --features chooses columns\n")


def test_column_of_texts_names_the_option_that_helps(source: list[str], tmp_path: Path) -> None:
    answer = run(*source, table(tmp_path, "street,area,rooms\nx,70,2\n"))
    assert answer.exit_code == 1
    assert answer.stderr.endswith(":2: street is not a finite number; --features chooses columns\n")


def test_json_is_whole_if_a_later_row_is_refused(source: list[str], tmp_path: Path) -> None:
    rows = "70,2\n" * 70_000  # more than one body
    answer = run(*source, table(tmp_path, f"area,rooms\n{rows}70,x\n"), "-o", "json")
    assert answer.exit_code == 1
    done = json.loads(answer.stdout)
    assert len(done) > 1000
    assert {row["prediction"] for row in done} == {161.0}


def test_failure_of_a_whole_request_is_one_line(server: Listening, tmp_path: Path) -> None:
    answer = run("--url", server.url, "flats", "area=70")
    assert (answer.exit_code, answer.stderr.startswith("linplane: 404 no route of this name is loaded here")) == (
        1,
        True,
    )
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        answer = run("--url", url, "homes", "area=70")
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"linplane: {url}: ConnectError: ")
    assert answer.stderr.endswith("; is `linplane local` running, or a port-forward?\n")
    (tmp_path / "a.json").write_text("{}")
    answer = run("--artifact", tmp_path / "a.json", "area=70")
    assert (answer.exit_code, answer.stderr.startswith(f"linplane: {tmp_path / 'a.json'}: ")) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "ROUTE is needed"),
        (["area=70"], "ROUTE is needed"),
        (["homes"], "NAME=VALUE or a file is needed"),
        (["homes", "area=x"], "area=x: a finite number is needed after ="),
        (["homes", "area="], "area=: a finite number is needed after ="),
        (["homes", "area=1", "area=2"], "area=2: this feature is given twice"),
        (["homes", "nope.csv"], "nope.csv: there is no such file"),
        (["homes", "."], ".: is a folder; a CSV is needed"),
        (["homes", "100", "5", "2.5"], "100: is neither NAME=VALUE nor a file\n"),
        (["homes", __file__, "--features", "a", "b"], "b: is neither NAME=VALUE nor a file; --features needs commas"),
        (["homes", "area=1", "nope.csv"], "either NAME=VALUE or one file"),
        (["homes", "area=1", "--features", "area"], "--features chooses columns of a file"),
        (["homes", "area=1", "--url", "ftp://a"], "--url: http:// or https:// and a host are needed"),
        (["Homes", "area=1"], "ROUTE: lower-case letters, digits and hyphens are needed"),
        (["--artifact", "nope.json", "area=1"], "nope.json"),
        (["--dir", "nope", "homes", "area=1"], "nope"),
        (["--dir", ".", "--url", "http://a", "homes", "area=1"], "--url and --dir are two places: name one of them"),
        (["--dir", ".", "--artifact", __file__, "area=1"], "--dir and --artifact are two places: name one of them"),
        (["homes", "area=1", "--state", "."], "--state is for --dir"),
        (["homes", "area=1", "-o", "xml"], "xml"),
    ],
)
def test_invalid_arguments_exit_with_2(arguments: list[str], message: str) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2, answer.output
    assert message in answer.stderr


def test_artifact_has_no_route_and_no_key(tmp_path: Path) -> None:
    path = tmp_path / "v1.json"
    path.write_text(WEIGHTS)
    answer = run("--artifact", path, "homes", "area=1")
    assert (answer.exit_code, "--artifact needs no ROUTE" in answer.stderr) == (2, True)
    answer = run("--artifact", path, "area=1", "rooms=1", "--key", "a")
    assert (answer.exit_code, "--key is for the split" in answer.stderr) == (2, True)


class Terminal(io.StringIO):
    """Text that goes to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "err", "shown"),
    [(io.StringIO, Terminal, True), (Terminal, Terminal, False), (io.StringIO, io.StringIO, False)],
)
def test_progress_bar_is_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: type[io.StringIO], err: type[io.StringIO], shown: bool
) -> None:
    (tmp_path / "v1.json").write_text(WEIGHTS)
    path = table(tmp_path, "area,rooms\n" + "70,2\n" * 100)
    streams = out(), err()
    monkeypatch.setattr("sys.stdout", streams[0])
    monkeypatch.setattr("sys.stderr", streams[1])
    command.predict.main(["--artifact", str(tmp_path / "v1.json"), str(path)], standalone_mode=False)
    assert len(streams[0].getvalue().splitlines()) == 101
    assert ("100%" in streams[1].getvalue()) is shown
    assert shown or not streams[1].getvalue()


def test_rows_before_a_wrong_one_are_printed(tmp_path: Path) -> None:
    (tmp_path / "v1.json").write_text(WEIGHTS)
    for last in ("70,x", "1e308,1"):
        path = table(tmp_path, "area,rooms\n" + "70,2\n" * 2345 + last)
        answer = run("--artifact", tmp_path / "v1.json", path)
        assert answer.stdout.splitlines()[1:] == ["161.0"] * 2345
        assert answer.stderr.startswith(f"linplane: {path}:2347: ")
        assert answer.stderr.endswith("; rows predicted before it: 2345\n")
