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


def test_credentials_that_are_no_text_matter_only_if_they_are_needed(tmp_path):
    """The Secret may have keys for others, such as a keystore."""
    (tmp_path / "password").write_text(CANARY)
    (tmp_path / "keystore.jks").write_bytes(CANARY.encode() + b"\xff")
    keys = read_credentials(tmp_path)
    assert required(keys, "password", "reader") == CANARY
    with pytest.raises(TrainingFailed, match=r"^key 'keystore.jks' of Secret 'reader' holds no text$"):
        required(keys, "keystore.jks", "reader")


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=99), max_size=3))
def test_credentials_pass_through_a_pipe(values):
    """Which stays open."""
    reading, writing = os.pipe()
    try:
        os.write(writing, msgspec.json.encode(values) + b"\n")
        ends = {name: value.removesuffix("\n").removesuffix("\r") for name, value in values.items()}
        assert receive_credentials(reading) == ends, "as from files"
    finally:
        os.close(writing)
    assert receive_credentials(reading) == {}
    os.close(reading)


def test_credentials_that_are_missing_are_named():
    with pytest.raises(TrainingFailed, match=r"^there is no Secret 'reader', or it is empty$"):
        required({}, "password", "reader")
    with pytest.raises(TrainingFailed, match=r"^Secret 'reader' has no key 'password'$"):
        required({"user": CANARY}, "password", "reader")
    with pytest.raises(TrainingFailed, match=r"^key 'password' of Secret 'reader' holds no text$"):
        required({"user": CANARY, "password": ""}, "password", "reader")
    assert required({"password": CANARY}, "password", "reader") == CANARY
