"""State survives a restart, nothing trains twice, and damaged objects are set aside and recreated."""

import json
import os
import signal
from pathlib import Path

import pytest

import later
from integration.local.running import Local, route, synthetic, weights
from linplane_api.canonical import canonical_bytes, digest_of
from support import eventually


@pytest.fixture
def trained(local: Local) -> Local:
    """One that serves v1 of two trained versions."""
    local.save("all.yaml", synthetic("rent", "v1") + "---\n" + synthetic("rent", "v2", features=3))
    local.save("route.yaml", route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    eventually(lambda: len(local.trained()) == 2)
    eventually(lambda: local.is_ready("modelroutes", "rent") and local.is_ready("linearmodels", "rent-v2"))
    return local


def test_restart_serves_as_before_and_trains_nothing(trained: Local) -> None:
    expected = trained.expected("rent", "v1")
    uid = trained.object("linearmodels", "rent-v1")["metadata"]["uid"]
    for end in (trained.stop, trained.kill):
        end()
        trained.start()
        assert trained.answers_with("rent", "v1")["prediction"] == expected
        eventually(lambda: trained.printed("ready"))
        assert trained.printed("training") == trained.printed("trained") == trained.printed("applied") == []
    assert trained.object("linearmodels", "rent-v1")["metadata"]["uid"] == uid
    assert len(trained.trained()) == 2


def test_changes_while_stopped_are_applied_at_the_next_start(trained: Local) -> None:
    trained.stop()
    trained.save("route.yaml", route("rent", "v2"))
    trained.save("all.yaml", synthetic("rent", "v2", features=3))
    trained.start()
    trained.answers_with("rent", "v2")
    eventually(lambda: trained.printed("deleted") == ["LinearModel rent-v1"])
    assert len(trained.trained()) == 2


def test_manifest_saved_during_a_start_deletes_nothing(trained: Local) -> None:
    trained.stop()
    for name in ("all.yaml", "route.yaml"):
        os.utime(trained.folder / name, (2**31 - 10, 2**31 - 10))  # as new as can be
        (trained.folder / name).touch()
    trained.start()
    trained.answers_with("rent", "v1")
    eventually(lambda: trained.is_ready("modelroutes", "rent"))
    assert trained.printed("deleted") == trained.printed("training") == []


@pytest.mark.parametrize(
    "place",
    ["linearmodels/rent-v1", "modelroutes/rent", "modelservers/default", "configmaps/linplane-routing-default"],
)
def test_damaged_object_is_set_aside_and_nothing_is_lost(trained: Local, place: str) -> None:
    expected = trained.expected("rent", "v1")
    digests = trained.trained()
    trained.kill()
    (trained.state / "objects" / f"{place}.json").write_text('{"kind": "Linear')
    trained.start()
    assert trained.answers_with("rent", "v1")["prediction"] == expected
    (message,) = trained.printed("damaged")
    assert message.endswith(f"moved to {trained.state}/damaged/{place.replace('/', '-')}.json")
    eventually(lambda: trained.is_ready("modelroutes", "rent") and trained.is_ready("linearmodels", "rent-v1"))
    assert trained.printed("training") == []
    assert trained.trained() == digests


def test_damaged_artifact_is_trained_again_to_the_same_digest(trained: Local) -> None:
    expected = trained.expected("rent", "v1")
    name = trained.object("linearmodels", "rent-v1")["status"]["artifact"]
    trained.kill()
    (trained.state / "objects/configmaps" / f"{name}.json").write_bytes(b"\0" * 100)
    trained.start()
    eventually(lambda: trained.printed("training") == ["rent-v1"])
    eventually(lambda: trained.is_ready("linearmodels", "rent-v1"))
    assert trained.answers_with("rent", "v1")["prediction"] == expected == trained.expected("rent", "v1")
    assert len(trained.trained()) == 2


def test_damage_forgets_neither_a_freeze_nor_the_last_good_version(trained: Local) -> None:
    trained.save("route.yaml", route("rent", "v9"))
    eventually(lambda: trained.condition("modelroutes", "rent", "Accepted")["reason"] == "VersionNotFound")
    trained.kill()
    (trained.state / "objects/configmaps/linplane-routing-default.json").write_text("")
    trained.start()
    eventually(lambda: trained.condition("modelroutes", "rent", "Accepted")["reason"] == "VersionNotFound")
    assert trained.answers_with("rent", "v1")


def test_server_crash_is_reported_and_the_server_restarted(trained: Local) -> None:
    (server,) = trained.children("linplane_server")
    os.kill(server, signal.SIGSEGV)
    eventually(lambda: trained.printed("server"))
    (message,) = trained.printed("warning")
    assert message.startswith("the server ended with signal 11 (Segmentation fault); restarting in 0.1 s (its log is /")
    assert trained.answers_with("rent", "v1")
    assert trained.printed("server") == ["answers again"]


def test_server_that_cannot_start_is_retried_with_backoff(trained: Local, tmp_path: Path) -> None:
    trained.stop()
    token = tmp_path / "token"
    token.write_text("secret")
    trained.options = ("--admin-token-file", str(token))
    trained.start()
    eventually(lambda: trained.printed("ready"))
    token.unlink()
    (server,) = trained.children("linplane_server")
    os.kill(server, signal.SIGKILL)
    waits = ["0.1 s", "0.2 s", "0.4 s"]
    eventually(lambda: len(trained.printed("warning")) >= 3, 20)
    for message, wait in zip(trained.printed("warning"), waits, strict=False):
        assert f"restarting in {wait}" in message
    token.write_text("secret")
    eventually(lambda: trained.printed("server"), 20)
    assert trained.answers_with("rent", "v1")


def test_objects_of_hand_written_weights_survive_as_well(local: Local) -> None:
    local.save("all.yaml", weights("rent", "v1", {"area": 2.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.start()
    assert local.answers_with("rent", "v1")["prediction"] == 4.0
    local.kill()
    (local.state / "objects/linearmodels/rent-v1.json").write_text(json.dumps([1, 2]))
    local.start()
    assert local.answers_with("rent", "v1")["prediction"] == 4.0
    assert local.trained() == []


def test_killed_app_leaves_no_process(trained: Local) -> None:
    trained.save("long.yaml", synthetic("rent", "v3", samples=50_000_000, features=16))
    eventually(lambda: trained.children("linplane_trainer") and trained.children("linplane_server"))
    trained.kill()
    eventually(lambda: trained.children() == [], 3)
    trained.start()
    eventually(lambda: trained.children("linplane_trainer"))
    assert trained.answers_with("rent", "v1")


ROUTING = "linplane-routing-default"


def _edited(local: Local, name: str, **fields: object) -> str:
    """The state folder as a later release left it: a document with other fields; the entry's text."""
    path = local.state / "objects" / "configmaps" / f"{ROUTING}.json"
    body = json.loads(path.read_text())
    entry = json.loads(body["data"][f"route.{name}"])
    entry["document"] |= fields
    sequence = int(body["data"]["sequence"]) + 1
    entry |= {"revision": digest_of(canonical_bytes(entry["document"])), "sequence": sequence}
    body["data"] |= {f"route.{name}": canonical_bytes(entry).decode(), "sequence": str(sequence)}
    path.write_text(json.dumps(body))
    return str(body["data"][f"route.{name}"])


def _entry(local: Local, name: str) -> str:
    return str(local.object("configmaps", ROUTING)["data"][f"route.{name}"])


def test_documents_of_a_later_release_are_served_and_not_written_again(trained: Local) -> None:
    trained.stop()
    text = _edited(trained, "rent", **{later.FIELD: "v2"})
    trained.start()
    trained.answers_with("rent", "v1")
    eventually(lambda: trained.is_ready("modelroutes", "rent"))
    assert trained.object("modelroutes", "rent")["status"]["revision"] == json.loads(text)["revision"]
    assert _entry(trained, "rent") == text
    trained.save("route.yaml", route("rent", "v2"))
    trained.answers_with("rent", "v2")
    assert json.loads(_entry(trained, "rent"))["document"][later.FIELD] == "v2"


def test_later_format_is_kept_and_other_routes_are_served(trained: Local) -> None:
    """No release can answer by a document that it does not read; the one that wrote it finds it as it was."""
    trained.save("more.yaml", weights("flats", "v1", {"area": 2.0}, 1.0) + "---\n" + route("flats", "v1"))
    trained.answers_with("flats", "v1")
    eventually(lambda: trained.is_ready("modelroutes", "flats"))
    readable = json.loads(_entry(trained, "rent"))["document"]
    trained.stop()
    text = _edited(trained, "rent", format=later.FORMAT)
    trained.save("route.yaml", route("rent", "v2"))
    trained.start()
    trained.answers_with("flats", "v1")
    eventually(lambda: trained.condition("modelroutes", "rent", "Accepted").get("reason") == "FormatNotSupported", 20)
    assert trained.condition("modelroutes", "rent", "Accepted")["message"] == (
        f"the document in force stays as it is: {later.not_supported('document')}"
    )
    assert trained.object("modelroutes", "rent")["status"]["version"] == "v1"
    assert _entry(trained, "rent") == text
    trained.stop()
    _edited(trained, "rent", **readable)
    trained.start()
    trained.answers_with("rent", "v2")
