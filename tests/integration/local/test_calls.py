"""Admin calls change one field of a manifest and nothing else; a refusal has its reason."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from integration.local.running import Local, route, synthetic, weights
from linplane_cli.main import main
from support import eventually

ROUTE = """\
# which one serves\r
apiVersion: linplane.dev/v1alpha1\r
kind:   ModelRoute   # a comment\r
metadata: { name: rent }\r
spec:\r
    version: 'v1'      # keep the quotes\r
    model: "rent"\r
\r
---\r
# nothing here\r
"""


@pytest.fixture
def serving(local: Local) -> Local:
    """One that serves v1 of two."""
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0))
    local.save("v2.yaml", weights("rent", "v2", {"area": 3.0}, 1.0))
    (local.folder / "route.yaml").write_bytes(ROUTE.encode())
    local.start()
    local.answers_with("rent", "v1")
    eventually(lambda: local.is_ready("linearmodels", "rent-v2") and local.is_ready("modelroutes", "rent"))
    return local


def test_switch_changes_one_field_of_the_manifest_and_is_in_effect(serving: Local) -> None:
    began = time.monotonic()
    status, answer = serving.admin("switch_model?version=v2&route=rent")
    took = time.monotonic() - began
    assert (status, answer["converged"]) == (200, True)
    assert serving.predict("rent", {"area": 1})["version"] == "v2"
    print(f"an admin switch took {took:.3f} s")
    assert took < 1
    assert (serving.folder / "route.yaml").read_bytes() == ROUTE.replace("'v1'", "'v2'").encode()


def test_freeze_and_unfreeze_change_one_field(serving: Local) -> None:
    before = (serving.folder / "v2.yaml").read_text()
    assert serving.admin("freeze?version=v2")[1]["withdrawn"] is True
    frozen = (serving.folder / "v2.yaml").read_text()
    assert frozen.replace("  frozen: true\n", "") == before
    place = ["--dir", str(serving.folder), "--state", str(serving.state)]
    assert CliRunner().invoke(main, ["unfreeze", "v2", *place]).stdout == "rent v2 is not frozen\n"
    assert (serving.folder / "v2.yaml").read_text() == frozen.replace("frozen: true", "frozen: false")


def test_refusals_say_why_and_the_server_serves_on(serving: Local) -> None:
    serving.save("v3.yaml", synthetic("rent", "v3", samples=50_000_000, features=16))
    serving.save("v4.yaml", weights("rent", "v4", {"area": 3.0}, 1.0) + "  frozen: true\n")
    eventually(lambda: serving.object("linearmodels", "rent-v3") and serving.is_ready("linearmodels", "rent-v4"))
    before = (serving.folder / "route.yaml").read_bytes()
    for version, status, reason in (
        ("v9", 404, "NotFound"),
        ("v3", 409, "VersionNotReady"),
        ("v4", 409, "VersionFrozen"),
    ):
        found, answer = serving.admin(f"switch_model?version={version}")
        assert (found, answer["reason"]) == (status, reason)
        assert f"rent-{version}" in answer["detail"]
        assert serving.predict("rent", {"area": 1})["version"] == "v1"
    assert serving.admin("switch_model?version=v1&route=nope")[0] == 404
    assert (serving.folder / "route.yaml").read_bytes() == before


def test_switch_to_a_candidate_removes_it_from_the_split(serving: Local) -> None:
    text = ROUTE.replace("version: 'v1'", "split:   # a third\r\n    - {version: v2, percent: 30}\r\n    version: 'v1'")
    (serving.folder / "route.yaml").write_bytes(text.encode())
    eventually(lambda: serving.object("modelroutes", "rent")["spec"].get("split"))
    eventually(lambda: serving.is_ready("modelroutes", "rent"))
    status, answer = serving.admin("switch_model?version=v2")
    assert (status, answer) == (200, {"route": "rent", "from": "v1", "to": "v2", "converged": True})
    after = (
        text.replace("'v1'", "'v2'").replace("split:", "split: []").replace("    - {version: v2, percent: 30}\r\n", "")
    )
    assert (serving.folder / "route.yaml").read_bytes() == after.encode()
    assert {serving.predict("rent", {"area": area})["version"] for area in range(40)} == {"v2"}
    assert serving.problems() == []


def test_admin_call_of_a_browser_page_is_refused(serving: Local) -> None:
    before = (serving.folder / "route.yaml").read_bytes()
    for headers in ({"Origin": "http://localhost:8081"}, {"Origin": "null"}, {"Host": "evil.example"}):
        status, answer = serving.admin("switch_model?version=v2", **headers)
        assert status == 403, answer
    assert (serving.folder / "route.yaml").read_bytes() == before
    assert serving.admin("switch_model?version=v2", Host="localhost:1234")[0] == 200


@pytest.mark.parametrize("what", ["folder", "file"])
def test_read_only_manifest_refuses_with_the_reason(serving: Local, what: str) -> None:
    place = serving.folder if what == "folder" else serving.folder / "route.yaml"
    mode = place.stat().st_mode
    place.chmod(mode & ~0o222)
    try:
        status, answer = serving.admin("switch_model?version=v2")
    finally:
        place.chmod(mode)
    assert (status, answer["reason"]) == (403, "ReadOnly")
    assert f"the {what} is read-only" in answer["detail"]
    assert serving.predict("rent", {"area": 1})["version"] == "v1"


def test_symlinked_manifest_is_changed_in_place(serving: Local, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.yaml"
    (serving.folder / "route.yaml").rename(real)
    (serving.folder / "route.yaml").symlink_to(real)
    eventually(lambda: serving.admin("switch_model?version=v2")[0] == 200)
    assert (serving.folder / "route.yaml").is_symlink()
    assert b"'v2'" in real.read_bytes()
    assert serving.predict("rent", {"area": 1})["version"] == "v2"


def test_token_is_required_if_configured(local: Local, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    local.options = ("--admin-token-file", str(token))
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    assert local.admin("freeze?version=v1")[0] == 401
    assert local.admin("freeze?version=v1", Authorization="Bearer secret")[0] == 200
