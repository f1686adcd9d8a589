"""The trainer's result in a ConfigMap of a real API server, with a Role that allows patching that one only."""

import subprocess
import sys

import pytest

from integration.cluster.objects import binding, config_map, pod
from integration.server_cluster.conftest import Site
from linplane_api.artifact import parse_artifact
from linplane_api.kinds import CONFIG_MAP
from linplane_api.task import EXIT_BAD_DATA, EXIT_UNREPORTED, FileData, SyntheticData, Task, parse_failure
from support import eventually

ACCOUNT = "linplane-trainer"
RESULT = "linplane-iris-v1-0123456789"
GOOD = Task("iris", "v1", SyntheticData(50, 2, 0.1))
OTHER = Task("iris", "v1", SyntheticData(60, 2, 0.1))
BAD = Task("iris", "v1", FileData("absent.csv"), target="y")


class Job:
    """A Job's pod, and the result that is its own."""

    def __init__(self, site: Site) -> None:
        self.site, self.namespace = site, site.namespace
        rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [RESULT], "verbs": ["patch"]}
        meta = {"name": ACCOUNT}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": [rule]}
        site.admin.create(role, self.namespace)
        site.admin.create(binding(ACCOUNT, ACCOUNT, self.namespace), self.namespace)
        site.admin.create(config_map(RESULT), self.namespace)
        site.plane.token_for(ACCOUNT, self.namespace)
        site.admin.create(pod(f"{RESULT}-abcde", ACCOUNT), self.namespace)
        client = site.plane.client_for(ACCOUNT, self.namespace, f"{RESULT}-abcde")
        eventually(lambda: client.patch(CONFIG_MAP, RESULT, {}, self.namespace))  # the Role has come into effect
        self.token = site.folder / "token"
        self.token.write_text(client.token)

    def run(self, task: Task) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "linplane_trainer",
            "--task",
            task.to_text(),
            "--result",
            f"configmap:{RESULT}",
        ]
        command += ["--data-dir", str(self.site.folder), "--namespace", self.namespace, "--api-url", self.site.api.url]
        command += ["--api-ca", str(self.site.plane.certificate), "--api-token-file", str(self.token)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stderr

    def data(self) -> dict[str, str]:
        found: dict[str, str] = self.site.admin.get(CONFIG_MAP, RESULT, self.namespace).get("data", {})
        return found


@pytest.fixture
def job(site: Site) -> Job:
    return Job(site)


def test_result_replaces_the_former_one_until_it_is_sealed(job: Job) -> None:
    assert job.run(BAD)[0] == EXIT_BAD_DATA
    assert parse_failure(job.data()["error.json"]).reason == "BadData"
    code, said = job.run(GOOD)
    assert (code, set(job.data())) == (0, {"model.json"})
    assert said == f"trained {parse_artifact(job.data()['model.json']).digest}\n"
    job.site.admin.patch(CONFIG_MAP, RESULT, {"immutable": True}, job.namespace)
    sealed = job.data()
    assert job.run(GOOD)[0] == 0, "the same once more"
    code, said = job.run(OTHER)
    assert (code, job.data()) == (EXIT_UNREPORTED, sealed)
    assert "sealed already" in said
    assert job.run(BAD)[0] == EXIT_UNREPORTED
    assert job.data() == sealed


def test_result_that_was_deleted_is_not_waited_for(job: Job) -> None:
    job.site.admin.delete(CONFIG_MAP, RESULT, job.namespace)
    code, said = job.run(GOOD)
    assert code == EXIT_UNREPORTED
    assert "not found" in said
    assert "Traceback" not in said
