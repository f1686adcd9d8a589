"""Rules for the repository itself."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TOP = {
    *("operator", "server", "trainer", "client", "crds", "manifests", "integrations", "helm", "tests", "docs"),
    *("Dockerfile.operator", "Dockerfile.server", "pyproject.toml", "uv.lock", "Makefile"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "NOTICE"),
}
HIDDEN = {
    *(".github", ".ci", ".gitignore", ".dockerignore"),
    *(".editorconfig", ".pre-commit-config.yaml", ".vscode"),
}


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


def test_operator_folder_does_not_shadow_the_standard_module() -> None:
    """An `__init__.py` there would shadow Python's own `operator`, and nothing would start."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    done = subprocess.run([sys.executable, "-c", "import operator; operator.eq"], cwd=ROOT, check=False, timeout=30)
    assert done.returncode == 0


def test_top_level_has_only_the_listed_entries() -> None:
    hidden = {name for path in tracked() if (name := path.partition("/")[0]).startswith(".")}
    assert {path.partition("/")[0] for path in tracked()} - TOP == hidden
    assert hidden <= HIDDEN


def test_generated_files_are_as_their_sources_say() -> None:
    command = [sys.executable, "tests/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text().splitlines()
    workflow = (ROOT / ".github/workflows/ci.yaml").read_text()
    assert re.search(r"^test: unit integration ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert all(f"run: make {target}\n" in workflow for target in ("lint", "unit", "integration", "demo", "e2e"))
    assert re.search(r"^\$ make test$", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_actions_are_pinned_by_commit() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yaml"):
        used = re.findall(r"uses: *(\S+)", path.read_text())
        assert used
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}|\./\.github/workflows/ci\.yaml", name) for name in used), path


RELEASE = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text("utf-8"))["jobs"]
SAYING = [
    ("pyproject.toml", "version = "),
    ("helm/linplane/Chart.yaml", "version: "),
    ("helm/linplane/Chart.yaml", "appVersion: "),
]


def test_release_waits_for_every_test() -> None:
    """A release needs CI's jobs and the check of the versions; the chart is pushed after the images that it names."""
    assert RELEASE["tests"]["uses"] == "./.github/workflows/ci.yaml"
    assert set(RELEASE["images"]["needs"]) == {"version", "tests"}
    assert RELEASE["chart"]["needs"] == "images"


def is_released(folder: Path, tag: str) -> bool:
    """True if the workflow's own script accepts a tag, in a folder with the files that contain a version."""
    (script,) = [step["run"] for step in RELEASE["version"]["steps"] if step.get("id") == "version"]
    said = folder / "output"
    said.write_text("")
    environment = {"GITHUB_REF_NAME": tag, "GITHUB_OUTPUT": str(said), "PATH": os.environ["PATH"]}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=environment, check=False, timeout=30)
    assert (said.read_text() == f"version={tag.removeprefix('v')}\n") is (done.returncode == 0)
    return done.returncode == 0


@pytest.mark.parametrize(("file", "before"), SAYING)
def test_release_of_a_tag_with_another_version_is_refused(tmp_path: Path, file: str, before: str) -> None:
    """The check compares the versions of the package, of the chart, and of the images that the chart names."""
    (tmp_path / "helm/linplane").mkdir(parents=True)
    for name, _ in SAYING:
        text = (ROOT / name).read_text("utf-8")
        (tmp_path / name).write_text(
            re.sub(r'^((?:appV|v)ersion(?: =|:) "?)[\d.]+', r"\g<1>1.2.3", text, flags=re.MULTILINE)
        )
    assert is_released(tmp_path, "v1.2.3")
    assert not is_released(tmp_path, "v1.2.4")
    text = (tmp_path / file).read_text("utf-8")
    assert text.count(f"\n{before}") == 1
    (tmp_path / file).write_text(re.sub(rf"(?<=\n{before}).*", '"1.2.4"', text))
    assert not is_released(tmp_path, "v1.2.3")


FOLDERS = ("crds", "client", "operator", "server", "trainer")
BREACHES = [
    ("operator/linplane_operator/compile/route_status.py", "import time"),
    ("operator/linplane_operator/kube/operator.py", "import kopf"),
    ("operator/linplane_operator/kube/informer.py", "import linplane_operator.kube.kopf.login"),
    ("crds/linplane_api/names.py", "import click"),
    ("server/linplane_server/predict/router.py", "import linplane_operator"),
    ("server/linplane_server/state/counters.py", "import linplane_server.routing.source"),
    ("server/linplane_server/predict/rows.py", "import time"),
    ("server/linplane_server/predict/rows.py", "import numpy"),
    ("crds/linplane_api/blocks.py", "import pyarrow"),
    ("trainer/linplane_trainer/fit/types.py", "import os"),
    ("trainer/linplane_trainer/fit/solve.py", "import linplane_trainer.fit.fitting"),
    ("trainer/linplane_trainer/data/synthetic.py", "import linplane_trainer.fit.types"),
    ("crds/linplane_api/resources.py", "import linplane_api.manifests.schema"),
    ("client/linplane/rows.py", "import numpy"),
    ("client/linplane/reading.py", "import linplane_api.artifact"),
    ("client/linplane/bodies.py", "import linplane.exchange"),
    ("client/linplane/retrying.py", "import time"),
]


@pytest.mark.parametrize(("path", "line"), BREACHES)
def test_import_rules_reject_each_breach(tmp_path: Path, path: str, line: str) -> None:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / path
    target.write_text(target.read_text() + f"\n{line}\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": ":".join(str(tmp_path / folder) for folder in FOLDERS),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 broken" in done.stdout
