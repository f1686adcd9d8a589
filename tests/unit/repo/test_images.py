"""Properties of the Dockerfiles that their linter doesn't check."""

import json
import re
from pathlib import Path

import pytest

from linplane_operator.compile.pods import pod_security

ROOT = Path(__file__).parents[3]
TARGETS = [
    ("Dockerfile.operator", "operator"),
    ("Dockerfile.server", "server"),
    ("Dockerfile.server", "trainer"),
    ("Dockerfile.server", "local"),
]


def stage(file: str, name: str) -> list[tuple[str, str]]:
    """The instructions of a stage after those of the stages that it is built from."""
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    stages: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for word, rest in re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE):
        if word == "FROM":
            base, _, own = rest.partition(" AS ")
            current = list(stages.get(base, ()))
            stages[own] = current
        current.append((word, rest))
    return stages[name]


@pytest.mark.parametrize(("file", "target"), TARGETS)
def test_image_user_is_that_of_the_pods(file: str, target: str) -> None:
    security = pod_security()
    users = [rest for word, rest in stage(file, target) if word == "USER"]
    assert users == [f"{security['runAsUser']}:{security['runAsGroup']}"]


@pytest.mark.parametrize(("file", "target"), TARGETS)
def test_image_entrypoint_runs_without_a_shell(file: str, target: str) -> None:
    """In exec form, the program is process 1 and receives SIGTERM."""
    found = dict(stage(file, target))
    assert all(isinstance(word, str) for word in json.loads(found["ENTRYPOINT"]))
    assert {"CMD", "HEALTHCHECK", "WORKDIR"} & set(found) >= {"HEALTHCHECK", "WORKDIR"}


@pytest.mark.parametrize(("file", "target"), TARGETS)
def test_image_labels_describe_it(file: str, target: str) -> None:
    labels = " ".join(rest for word, rest in stage(file, target) if word == "LABEL")
    keys = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", labels))
    assert keys >= {"title", "description", "source", "licenses", "vendor"}
    assert f'title="linplane-{target}"' in labels


@pytest.mark.parametrize(("file", "target"), TARGETS)
def test_image_installs_only_locked_packages(file: str, target: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    for command in re.findall(r"(?:uv sync|uv pip install|pip install|uv build)[^&\n]*", text):
        assert re.search(r"--locked|--require-hashes|--no-index|--no-build-isolation", command), command
    assert not re.search(r"\b(apt-get|curl|wget)\b", text)
