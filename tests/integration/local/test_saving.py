"""Saving a manifest is kubectl apply, deleting it kubectl delete: within a second; a broken one disturbs nothing."""

import json
import subprocess
import sys
import time
from pathlib import Path

from integration.local.running import Local, route, synthetic, weights
from support import eventually
from unit.trainer.s3_server import s3_server


def test_saved_manifest_takes_effect_within_a_second(local: Local) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0))
    local.save("v2.yaml", weights("rent", "v2", {"area": 3.0}, 1.0))
    local.save("route.yaml", route("rent", "v1"))
    local.start()
    assert local.answers_with("rent", "v1")["prediction"] == 4.0
    took = []
    for version in ("v2", "v1") * 5:
        began = time.monotonic()
        local.save("route.yaml", route("rent", version))
        local.answers_with("rent", version)
        took.append(time.monotonic() - began)
        eventually(lambda: local.is_ready("modelroutes", "rent"))
    print(f"from save to effect: median {sorted(took)[5]:.3f} s, most {max(took):.3f} s")
    assert max(took) < 1.0, took
    assert [switch["to"] for switch in local.object("modelroutes", "rent")["status"]["switches"]][-2:] == ["v2", "v1"]


def test_new_version_is_trained_served_and_removed(local: Local) -> None:
    local.start()
    local.save("all.yaml", synthetic("rent", "v1") + "---\n" + route("rent", "v1"))
    answer = local.answers_with("rent", "v1")
    assert answer["prediction"] == local.expected("rent", "v1")
    (hint,) = eventually(lambda: local.printed("try"))
    assert "prediction" in subprocess.run(hint, shell=True, capture_output=True, text=True, check=True).stdout
    (local.folder / "all.yaml").unlink()
    eventually(lambda: not list((local.state / "objects/linearmodels").iterdir()))
    eventually(lambda: local.request("POST", "/routes/rent/predict", {"features": [1, 2]})[0] == 404)
    assert local.printed("deleted") == ["ModelRoute rent", "LinearModel rent-v1"]
    assert not list((local.state / "objects/jobs").iterdir())


def test_broken_manifest_is_reported_and_affects_no_other(local: Local) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0))
    local.save("route.yaml", route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    local.save("route.yaml", route("rent", "v1", split=[{"version": "v2", "percent": 130}]))
    found = eventually(local.problems)[0]
    assert (found["file"], found["line"], found["field"]) == ("route.yaml", 7, "spec.split[0].percent")
    local.save("v1.yaml", "kind: [")
    eventually(lambda: len(local.problems()) == 2)
    local.save("other.yaml", weights("rent", "v2", {"area": 3.0}, 1.0))
    eventually(lambda: local.is_ready("linearmodels", "rent-v2"))
    assert local.predict("rent", {"area": 1.0})["prediction"] == 3.0
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0))
    local.save("route.yaml", route("rent", "v2"))
    local.answers_with("rent", "v2")
    eventually(lambda: local.problems() == [])
    assert local.printed("accepted") == ["route.yaml", "v1.yaml"] or local.printed("accepted") == [
        "v1.yaml",
        "route.yaml",
    ]


def test_data_that_was_wrong_trains_as_soon_as_it_is_mended(local: Local) -> None:
    def data(text: str) -> str:
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: rows}}\ndata: {{rows.csv: {json.dumps(text)}}}\n"

    model = synthetic("rent", "v1").replace(
        'synthetic: {samples: 50, featureCount: 2, noise: "0.2"}', "configMapKeyRef: {name: rows, key: rows.csv}"
    )
    local.save("model.yaml", model.replace("    job", "    target: 'y'\n    job"))
    local.start()
    eventually(lambda: local.condition("linearmodels", "rent-v1", "Trained").get("reason") == "DataNotFound")
    local.save("rows.yaml", data("x,y\n"))
    eventually(lambda: local.condition("linearmodels", "rent-v1", "Trained")["reason"] == "BadData")
    rows = "".join(f"{i},{2 * i + 1}\n" for i in range(20))
    local.save("rows.yaml", data(f"x,y\n{rows}"))
    eventually(lambda: local.is_ready("linearmodels", "rent-v1"))
    eventually(lambda: len(local.trained()) == 1)


def test_saving_a_file_again_tries_again_what_failed(local: Local) -> None:
    """The rows lie in a folder that is named relative to the manifest."""
    model = synthetic("rent", "v1", backoffLimit=0).replace(
        'synthetic: {samples: 50, featureCount: 2, noise: "0.2"}', "uri: ../rows/2026/"
    )
    local.save("model.yaml", model.replace("    job", "    target: 'y'\n    job"))
    local.start()
    eventually(lambda: local.condition("linearmodels", "rent-v1", "Trained").get("reason") == "BadData")
    rows = local.folder.parent / "rows" / "2026"
    rows.mkdir(parents=True)
    (rows / "01.csv").write_text("x,y\n" + "".join(f"{i},{2 * i + 1}\n" for i in range(20)))
    (local.folder / "model.yaml").touch()
    eventually(lambda: local.is_ready("linearmodels", "rent-v1"))


def test_secret_among_the_manifests_opens_the_data_and_is_nowhere_else(local: Local) -> None:
    """A training that failed for want of it goes on; its value is in no file of the state, no line and no listing."""
    canary = "c4n4ryc4n4ry"
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: reader}\n"
    with s3_server() as server:
        server.put({"rows.csv": b"x,y\n" + b"".join(b"%d,%d\n" % (i, 2 * i + 1) for i in range(20))})
        data = f"s3: {{bucket: rows, path: rows.csv, endpoint: '{server.url}', secretName: reader}}"
        model = synthetic("rent", "v1", backoffLimit=0).replace(
            'synthetic: {samples: 50, featureCount: 2, noise: "0.2"}', data
        )
        local.save("model.yaml", model.replace("    job", "    target: 'y'\n    job"))
        local.options = ("--allowed-host", "127.0.0.1")
        local.start()
        eventually(
            lambda: (
                "there is no Secret 'reader', or it is empty"
                in local.condition("linearmodels", "rent-v1", "Trained").get("message", "")
            )
        )
        local.save("reader.yaml", f"{secret}stringData: {{accessKeyId: {canary}1, secretAccessKey: {canary}2}}\n")
        eventually(lambda: local.is_ready("linearmodels", "rent-v1"))
        assert all(signed for _, _, signed in server.requests)
    command = [sys.executable, "-m", "linplane_cli", "get", "--dir", str(local.folder), "-o", "yaml"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    written = b"".join(path.read_bytes() for path in local.state.rglob("*") if path.is_file())
    assert b"rent-v1" in written
    assert canary.encode() not in written
    assert canary not in local.text + listing.stdout + listing.stderr


def test_several_versions_train_at_once_and_no_more_than_allowed(local: Local) -> None:
    local.options = ("--trainers", "2")
    local.save("all.yaml", "---\n".join(synthetic("rent", f"v{n}", samples=400_000, features=8) for n in range(5)))
    local.start()
    seen: set[int] = set()

    def trained() -> bool:
        running = len(local.children("linplane_trainer"))
        seen.add(running)
        return len(local.trained()) == 5

    eventually(trained, 60, interval=0.005)
    assert max(seen) == 2, seen


def test_server_settings_take_effect_without_failed_requests(local: Local) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    (before,) = local.children("linplane_server")
    server = "apiVersion: linplane.dev/v1alpha1\nkind: ModelServer\nmetadata: {name: default}\n"
    local.save("server.yaml", f"{server}spec: {{trustedProxies: [10.0.0.0/8], replicas: 5}}\n")

    def restarted() -> bool:
        assert local.predict("rent", {"area": 1})["prediction"] == 3.0
        found = local.children("linplane_server")
        return found != [before] and bool(found) and local.is_ready("modelroutes", "rent")

    eventually(restarted)
    (after,) = local.children("linplane_server")
    assert b"\0--trusted-proxy\x0010.0.0.0/8\0" in Path(f"/proc/{after}/cmdline").read_bytes()
    assert local.printed("unused") == ["server.yaml: ModelServer default: spec.replicas has no effect in local mode"]
    assert local.printed("warning") == []


def test_get_prints_kubectls_columns_and_what_is_refused(local: Local) -> None:
    local.save("all.yaml", synthetic("rent", "v1") + "---\n" + route("rent", "v1"))
    local.save("bad.yaml", route("rent", "v1").replace("name: rent", "name: kubernetes"))
    local.start()
    eventually(lambda: local.is_ready("modelroutes", "rent"))
    command = [sys.executable, "-m", "linplane_cli", "get", "--dir", str(local.folder), "--state", str(local.state)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in answer.stdout.splitlines() if line]
    assert lines[0] == ["NAME", "MODEL", "VERSION", "READY", "REASON", "FROZEN", "MSE", "R2", "SAMPLES", "AGE"]
    assert lines[1][:5] == ["rent-v1", "rent", "v1", "True", "Validated"]
    assert lines[2] == ["NAME", "VERSION", "TRAFFIC", "READY", "REASON", "LOADED", "AGE"]
    assert lines[3][:7] == ["rent", "v1", "v1", "100", "True", "Ready", "1/1"]
    assert lines[4] == ["NAME", "READY", "REASON", "REPLICAS", "ROUTES", "AGE"]
    assert lines[5][:4] == ["default", "True", "Ready", "1"]
    assert answer.stderr.startswith("refused: bad.yaml:3: metadata.name: must not be kubernetes"), answer.stderr
    local.stop()
    answer = subprocess.run([*command, "routes", "rent", "-o", "json"], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["spec"]["version"] == "v1"
