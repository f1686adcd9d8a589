"""Options of `linplane local` that stand for fields of a ModelServer."""

import pytest
from click.testing import CliRunner

from linplane_cli.local import ROOT_PATH, ROOT_PATH_LENGTH
from linplane_cli.main import main
from unit.api.crd_walk import CRDS, schema_of


def test_root_path_is_that_of_a_model_server() -> None:
    field = schema_of(CRDS["modelservers"])["properties"]["spec"]["properties"]["rootPath"]
    assert (field["pattern"], field["maxLength"]) == (f"^{ROOT_PATH}$", ROOT_PATH_LENGTH)


@pytest.mark.parametrize("path", ["/", "scoring", "/scoring/", "/a//b", "/a b", "/a\n", "/" + "a" * ROOT_PATH_LENGTH])
def test_root_path_that_is_none_is_refused(path: str) -> None:
    answer = CliRunner().invoke(main, ["local", "--dir", "absent", "--root-path", path])
    assert answer.exit_code == 2
    assert "is not a path such as /scoring, without a slash at its end" in answer.stderr


def test_root_path_may_have_several_parts() -> None:
    answer = CliRunner().invoke(main, ["local", "--dir", "absent", "--root-path", "/a/B-1._~"])
    assert "absent" in answer.stderr
    assert "--root-path" not in answer.stderr
