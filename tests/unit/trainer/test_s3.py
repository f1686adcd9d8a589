"""Training data in a bucket: the same rows give the same artifact, and each failure has its words."""

import gzip
import io
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.task import FileData, S3Data, Task
from linplane_trainer.data.s3 import Bucket, check_host, failure_of
from linplane_trainer.errors import BadData, RefusedError, TrainingFailed
from linplane_trainer.train import train
from unit.trainer.s3_server import BUCKET, s3_server

CANARY = "AKIACANARY", "c4n4ryc4n4ryc4n4ry"
KEYS = {"accessKeyId": CANARY[0], "secretAccessKey": CANARY[1]}
NO_RIGHT = "no right to read this in the bucket, or there is no such file"
PUBLIC = "public-read"
ROWS = [(i, i * i % 23, i % 7 + 0.5) for i in range(400)]
NAMES = ("a", "b", "y")


def csv(rows=ROWS):
    return "".join(",".join(map(str, row)) + "\n" for row in [NAMES, *rows]).encode()


def parquet(rows=ROWS, names=NAMES):
    file = io.BytesIO()
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table(columns), file, row_group_size=90)
    return file.getvalue()


@pytest.fixture(scope="module")
def server():
    with s3_server() as running:
        yield running


def learn(data, tmp_path, credentials=KEYS, **fields):
    return train(Task("m", "v1", data, target="y", **fields), tmp_path, credentials=credentials)


@pytest.fixture
def refused(tmp_path):
    """refused(kind, data, credentials): the message; it holds no credential, and neither do the errors behind it."""

    def run(kind, data, credentials=KEYS):
        with pytest.raises(kind) as caught:
            learn(data, tmp_path, credentials)
        error = caught.value
        while error is not None:
            assert not any(word in f"{error!r}" for word in (*CANARY, *filter(None, credentials.values())))
            error = error.__cause__
        return str(caught.value)

    return run


def test_bucket_gives_the_digest_of_a_file(server, tmp_path):
    """As CSV, packed, as Parquet and cut into files, with the default holdout: by place, so each file is the same."""
    files = {"a.csv": csv(), "a.csv.gz": gzip.compress(csv()), "a.parquet": parquet()}
    folder = {"of/01.csv": csv(ROWS[:150]), "of/02.csv.gz": gzip.compress(csv(ROWS[150:]))}
    server.put({**files, **{f"deep/{name}": content for name, content in folder.items()}})
    for name, content in {**files, **folder}.items():
        (tmp_path / "deep" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "deep" / name).write_bytes(content)
    expected = learn(FileData("deep/a.csv"), tmp_path).artifact.digest
    for name in files:
        assert learn(server.data(name, secret="reader"), tmp_path).artifact.digest == expected, name
    of_folder = learn(FileData("deep/of/"), tmp_path)
    found = learn(server.data("deep/of/", secret="reader"), tmp_path)
    assert (found.artifact.digest, found.facts) == (of_folder.artifact.digest, of_folder.facts)
    assert all(signed for _, _, signed in server.requests)


def test_bucket_is_read_without_a_secret_and_unsigned(server, tmp_path, monkeypatch):
    """Whatever keys and endpoint the environment has."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    server.put({"a.csv": csv()}, PUBLIC)
    learn(server.data("a.csv"), tmp_path, {})
    assert server.requests
    assert not any(signed for _, _, signed in server.requests)


def test_bucket_is_read_with_what_the_environment_has_if_that_is_allowed(server, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment")
    server.put({"a.csv": csv()})
    learn(server.data("a.csv", ambient=True), tmp_path, {})
    assert all(signed for _, _, signed in server.requests)


def test_files_of_a_bucket_are_read_in_the_order_of_their_names(server, tmp_path):
    """Without hidden ones and markers of folders; those of other folders are not read."""
    others = {"rows/": b"", "rows/_SUCCESS": b"", "rows/.part.crc": b"x", "rows2/a.csv": b"z\n1\n", "row": b"z\n1\n"}
    server.put(
        {"rows/b/1.csv": csv(ROWS[:50]), "rows/b.csv": csv(ROWS[50:90]), "rows/a.csv": csv(ROWS[90:]), **others}, PUBLIC
    )
    whole = {"a.csv": csv(ROWS[90:]), "b.csv": csv(ROWS[50:90]), "b/1.csv": csv(ROWS[:50])}
    for name, content in whole.items():
        (tmp_path / "rows" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rows" / name).write_bytes(content)
    found = learn(server.data("rows/"), tmp_path, {})
    assert found.artifact.digest == learn(FileData("rows/"), tmp_path).artifact.digest


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        ("none.csv", {}, "the bucket has no such file"),
        ("none/", {}, "the folder holds no file"),
        ("none.csv", {"bucket": "no-such-bucket"}, "there is no such bucket"),
        ("none/", {"bucket": "no-such-bucket"}, "there is no such bucket"),
        ("odd/", {}, "odd/b.csv has other columns than odd/a.csv: b is missing"),
        ("text.csv", {}, re.compile("^data row 401, column a: is not a number")),
        ("other.csv", {}, "no column y; there are 2 columns"),
    ],
)
def test_bucket_without_such_data_is_refused(server, refused, path, fields, message):
    odd = {"odd/a.csv": csv(), "odd/b.csv": b"a,y\n1,2\n"}
    server.put({**odd, "text.csv": csv() + CANARY[0].encode() + b",1,2\n", "other.csv": b"AKIACANARY,x\n1,2\n"})
    found = refused(BadData, server.data(path, secret="reader", **fields))
    assert message.search(found) if isinstance(message, re.Pattern) else message == found


def test_bucket_that_is_not_public_needs_a_secret(server, refused):
    """Which only another spec brings, so a retry is of no use."""
    server.put({"a.csv": csv(), "d/a.csv": csv()})
    for path in ("a.csv", "d/"):
        message = refused(BadData, server.data(path), {})
        assert message.removeprefix("d/a.csv: ") == f"anonymous access: {NO_RIGHT}"


def test_secret_that_lacks_a_key_may_be_made_later(refused, server):
    data = server.data("a.csv", secret="rows-reader")
    assert refused(TrainingFailed, data, {}) == "there is no Secret 'rows-reader', or it is empty"
    message = refused(TrainingFailed, data, {"secretAccessKey": CANARY[1]})
    assert message == "Secret 'rows-reader' has no key 'accessKeyId'"
    message = refused(TrainingFailed, data, {"accessKeyId": CANARY[0], "secretAccessKey": ""})
    assert message == "key 'secretAccessKey' of Secret 'rows-reader' holds no text"


def test_secret_with_wrong_keys_is_named(refused, server, tmp_path):
    """With real signatures, and real rights."""
    server.put({"a.csv": csv(), "d/a.csv": csv()})
    reader = server.make_user("reader", "s3:GetObject", "s3:ListBucket")
    stranger = server.make_user("stranger")
    with server.checking_rights():
        for path in ("a.csv", "d/"):
            data = server.data(path, secret="rows-reader")
            learn(data, tmp_path, reader)
            message = refused(TrainingFailed, data, {**reader, "secretAccessKey": CANARY[1]})
            assert message == "Secret 'rows-reader': the secret access key is not that of the access key"
            message = refused(TrainingFailed, data, {**reader, "accessKeyId": CANARY[0]})
            assert message == "Secret 'rows-reader': the server does not know the access key"
            message = refused(TrainingFailed, data, stranger)
            assert message == f"Secret 'rows-reader': {NO_RIGHT}"


def test_server_that_is_not_there_is_no_fault_of_the_data(refused):
    data = S3Data(BUCKET, "a.csv", "us-east-1", "http://127.0.0.1:1", "reader", allowed_hosts=("127.0.0.1",))
    assert refused(TrainingFailed, data) == "no connection to the S3 server: it refuses the connection"


def test_server_that_goes_away_is_no_fault_of_the_data(refused):
    """In the middle of an object: half of the rows are not the data. It is asked three times."""
    asked = []

    class Broken(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()

        def do_GET(self):
            asked.append(self.path)
            self.send_response(206)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(csv()[:500])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{http.server_port}"
        data = S3Data(BUCKET, "a.csv", "us-east-1", url, "reader", allowed_hosts=("127.0.0.1",))
        try:
            assert refused(TrainingFailed, data) == "reading from the bucket broke off (curl error 18)"
        finally:
            http.shutdown()
            thread.join()
    assert asked == ["/rows/a.csv"] * 3


def test_object_that_changes_while_it_is_read_is_no_table(server):
    """In order or in parts: half of each of two files is neither."""
    data = server.data("a.csv", secret="reader")
    for in_parts in (False, True):
        server.put({"a.csv": csv()})
        opened = Bucket(data, KEYS, 5).source("a.csv", "a.csv").open()
        if in_parts:
            assert opened.random_access().read(4) == b"a,b,"
        server.put({"a.csv": csv(ROWS[::-1])})
        with pytest.raises(TrainingFailed, match=r"^the file has changed in the bucket while it was read$"):
            opened.close() if in_parts else opened.read(4)
        opened.close()


HOSTS = [
    ((), None, None),
    (("s3.eu-central-1.amazonaws.com",), None, None),
    (("rows.s3.eu-central-1.amazonaws.com",), None, None),
    (("s3.eu-west-1.amazonaws.com",), None, "s3.eu-central-1.amazonaws.com is not one of the allowed hosts"),
    (("data.example",), None, "s3.eu-central-1.amazonaws.com is not one of the allowed hosts"),
    (("minio.example",), "https://MINIO.example.:9000", None),
    (("::1",), "http://[0::1]:9000", None),
    ((), "https://minio.example", "the endpoint's host is not one of the allowed hosts"),
    ((), "http://169.254.169.254", "the endpoint's host is not one of the allowed hosts"),
    (("data.example",), "http://127.0.0.1", "the endpoint's host is not one of the allowed hosts"),
    (("minio.example",), "http://minio.example@127.0.0.1", "the endpoint's host is not one of the allowed hosts"),
]


@pytest.mark.parametrize(("allowed", "endpoint", "message"), HOSTS)
def test_host_is_judged_before_anything_is_sent(allowed, endpoint, message):
    data = S3Data("rows", "a.csv", "eu-central-1", endpoint, allowed_hosts=allowed)
    if message is None:
        check_host(data)
    else:
        with pytest.raises(RefusedError, match=message):
            check_host(data)


def test_host_of_aws_in_china_is_another():
    data = S3Data("rows", "a.csv", "cn-north-1", allowed_hosts=("s3.cn-north-1.amazonaws.com.cn",))
    check_host(data)


@given(st.text(max_size=40), st.sampled_from(["ACCESS_DENIED", "NETWORK_CONNECTION", "UNKNOWN", "SLOW_DOWN", ""]))
def test_words_of_the_server_are_in_no_message(text, code):
    """Whatever it answers: they may repeat a key."""
    error = OSError(f"When reading: AWS Error {code} (HTTP status 418) during GetObject operation: {CANARY[0]}{text}")
    for data in (S3Data("rows", "a.csv"), S3Data("rows", "a.csv", secret="reader")):
        assert CANARY[0] not in str(failure_of(error, data))
