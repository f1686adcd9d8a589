"""The keys of a Secret, as a pod mounts it and as local mode sends it."""

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_trainer.data.credentials import read_credentials, receive_credentials, required
from linplane_trainer.errors import TrainingFailed

CANARY = "s3cr3t"


def test_credentials_of_a_mounted_secret_are_its_files(tmp_path):
    """As a kubelet writes them: links into a folder that it replaces. A line end is of the editor, not of the key."""
    (tmp_path / "..2026").mkdir()
    for name, value in {"accessKeyId": b"key\n", "password": b"a\r\nb\r\n", "empty": b""}.items():
        (tmp_path / "..2026" / name).write_bytes(value)
        (tmp_path / name).symlink_to(f"..data/{name}")
    (tmp_path / "..data").symlink_to("..2026")
    assert read_credentials(tmp_path) == {"accessKeyId": "key", "password": "a\r\nb", "empty": ""}


def test_credentials_of_a_secret_that_is_not_there_are_none(tmp_path):
    assert read_credentials(tmp_path) == read_credentials(tmp_path / "none") == {}


def test_credentials_that_are_no_text_are_named_by_their_key(tmp_path):
    (tmp_path / "password").write_bytes(CANARY.encode() + b"\xff")
    with pytest.raises(TrainingFailed, match=r"^the Secret's key 'password' holds no text$") as caught:
        read_credentials(tmp_path)
    assert CANARY not in f"{caught.value.__cause__!r}"


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=99), max_size=3))
def test_credentials_pass_through_a_pipe(values):
    """Which stays open."""
    reading, writing = os.pipe()
    try:
        os.write(writing, msgspec.json.encode(values) + b"\n")
        assert receive_credentials(reading) == values
    finally:
        os.close(writing)
    assert receive_credentials(reading) == {}
    os.close(reading)


def test_credentials_that_are_missing_are_named():
    with pytest.raises(TrainingFailed, match=r"^there is no Secret 'reader', or it is empty$"):
        required({}, "password", "reader")
    for given_keys in ({"user": CANARY}, {"user": CANARY, "password": ""}):
        with pytest.raises(TrainingFailed, match=r"^Secret 'reader' has no key 'password'$"):
            required(given_keys, "password", "reader")
    assert required({"password": CANARY}, "password", "reader") == CANARY
