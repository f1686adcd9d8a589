"""Names of children."""

from hypothesis import given
from hypothesis import strategies as st

from linplane_api import names
from linplane_api.manifests.validation import load_schemas

LABELS = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
VERSIONS = st.from_regex(r"\A[a-z0-9]{1,16}([.][a-z0-9]{1,7}){0,2}\Z")


@given(LABELS, VERSIONS, st.text())
def test_child_names_are_accepted_by_kubernetes(model: str, version: str, text: str) -> None:
    name = names.child_name(names.model_object_name(model, version), text)
    assert name.startswith("linplane-")
    assert len(name) <= 57
    schemas = load_schemas()
    body = {"apiVersion": names.API_VERSION, "kind": "ReplicaReport", "metadata": {"name": name}}
    assert "metadata.name" not in {problem.field for problem in schemas.validate(body)}


@given(LABELS, VERSIONS, LABELS, VERSIONS)
def test_child_names_of_two_versions_differ(model: str, version: str, other: str, another: str) -> None:
    same = names.model_object_name(model, version) == names.model_object_name(other, another)
    assert same == ((model, version) == (other, another))
