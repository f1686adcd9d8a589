"""What holds of the repository itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOP = {
    *("operator", "server", "trainer", "crds", "manifests", "helm", "tests", "docs"),
    *("Dockerfile.operator", "Dockerfile.server", "pyproject.toml", "uv.lock", "Makefile"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
}


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


def test_the_folder_operator_shadows_nothing() -> None:
    """With an `__init__.py` there, Python's own `operator` is gone and nothing starts."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    done = subprocess.run([sys.executable, "-c", "import operator; operator.eq"], cwd=ROOT, check=False, timeout=30)
    assert done.returncode == 0


def test_the_top_level_holds_just_what_it_should() -> None:
    assert {name.partition("/")[0] for name in tracked()} - TOP <= {".github", ".ci", ".gitignore", ".dockerignore"}


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
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used), path


BREACHES = [
    ("operator/linplane_operator/compile/route.py", "import time"),
    ("crds/linplane_api/names.py", "import click"),
    ("server/linplane_server/router.py", "import linplane_operator"),
    ("trainer/linplane_trainer/fit/model.py", "import os"),
]


@pytest.mark.parametrize(("path", "line"), BREACHES)
def test_the_import_rules_bite(tmp_path: Path, path: str, line: str) -> None:
    for folder in ("crds", "operator", "server", "trainer"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / path
    target.write_text(target.read_text() + f"\n{line}\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": ":".join(str(tmp_path / name) for name in ("crds", "operator", "server", "trainer")),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 broken" in done.stdout
