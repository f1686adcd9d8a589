"""The roles of each field of a route that names a version. A new one needs a row here, so that each is decided."""

from typing import NamedTuple

import pytest

from linplane_api.kinds import MODEL_ROUTE
from linplane_api.resources import ModelRouteSpec, parse_spec
from linplane_operator.compile.last_good import document_of_status
from linplane_operator.compile.routing import Compiled, compile_document
from unit.operator.builders import linear_model, model_route, ready, versions
from unit.operator.harness import Sim
from unit.operator.test_versions_named import NAMES, PATHS, spec_naming_versions


class Roles(NamedTuple):
    """`answers`: it has a share of the traffic. `waited_for`: the route reports that it is missing or not Ready, and is
    reconciled when it is. `remembered`: the status keeps it for an operator that has lost the document.
    """

    answers: bool
    waited_for: bool
    remembered: bool


ROLES = {
    "version": Roles(answers=True, waited_for=True, remembered=True),
    "split.<items>.version": Roles(answers=True, waited_for=True, remembered=True),
}
FIELDS = {".".join(path): NAMES[path] for path in PATHS}


def compiled_without(*absent: str) -> Compiled:
    """The route that names a version in every field, while some of these versions do not exist."""
    spec = parse_spec({"spec": spec_naming_versions()}, ModelRouteSpec)
    return compile_document("homes", spec, versions(*(ready(v) for v in FIELDS.values() if v not in absent)), None, 1)


def test_version_fields_each_have_roles() -> None:
    assert set(ROLES) == set(FIELDS), "decide each role of the new field; switches must also take the version out of it"


@pytest.mark.parametrize("field", ROLES)
def test_version_answers_by_its_role(field: str) -> None:
    traffic = {version for version, share in compiled_without().entry.document.traffic() if share}
    assert (FIELDS[field] in traffic) is ROLES[field].answers


@pytest.mark.parametrize("field", ROLES)
def test_version_that_is_missing_is_waited_for_by_its_role(field: str) -> None:
    name = FIELDS[field]
    found, compiled = compiled_without(), compiled_without(name)
    assert (name in compiled.waits_for) is ROLES[field].waited_for
    assert (compiled.cause.reason is not found.cause.reason) is ROLES[field].waited_for
    assert found.waits_for == ()


@pytest.mark.parametrize("field", ROLES)
def test_version_is_remembered_by_its_role(sim: Sim, field: str) -> None:
    sim.apply(*(linear_model(name) for name in FIELDS.values()), model_route())
    sim.edit(MODEL_ROUTE, "homes", **spec_naming_versions())
    sim.settle()
    before = document_of_status(sim.route())
    assert before is not None
    assert (FIELDS[field] in before.versions_named()) is ROLES[field].remembered
