"""The CRDs keep Kubernetes' API conventions: bounded, described, without floats in a spec, structural."""

import copy
from typing import Any

import pytest

from linplane_api.kinds import OURS
from unit.api.crd_walk import CRDS, nodes, schema_of, violations

BUILT_IN_SHORT_NAMES = {
    *("cm", "cs", "ep", "ev", "limits", "ns", "no", "pvc", "pv", "po", "rc", "quota", "sa", "svc", "crd", "ds"),
    *("deploy", "rs", "sts", "hpa", "cj", "csr", "ing", "netpol", "pdb", "sc", "pc", "job", "all"),
}
# enough to follow an object without -o yaml
COLUMNS = {
    "linearmodels": "MODEL VERSION READY REASON FROZEN MSE R2 SAMPLES WARNINGS AGE",
    "modelroutes": "VERSION TRAFFIC READY REASON LOADED AGE",
    "modelservers": "READY REASON REPLICAS ROUTES AGE",
    "replicareports": "SERVER SEQUENCE ROUTES REJECTED AGE",
}


@pytest.mark.parametrize("name", CRDS)
def test_crds_have_no_violation(name: str) -> None:
    assert violations(CRDS[name]) == []


BAD = {
    "a string without maxLength": {"type": "string", "description": "A text that has no bound. Unset means none."},
    "a float outside of status": {"type": "number", "description": "A float in a spec. Unset means none at all."},
    "an integer without": {
        "type": "integer",
        "minimum": 0,
        "description": "A number without a maximum. Unset means 0.",
    },
    "an integer without format": {
        "type": "integer",
        "format": "int32",
        "minimum": 0,
        "maximum": 1 << 31,
        "description": "x" * 20,
    },
    "a bound that a float64": {
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "maximum": (1 << 63) - 1,
        "description": "A number, at most 9223372036854775807. Unset means 0.",
    },
    "an array without": {"type": "array", "items": {"type": "boolean"}, "description": "A list. Unset means no items."},
    "a map without maxProperties": {
        "type": "object",
        "additionalProperties": {"type": "boolean"},
        "description": "A map.",
    },
    "no description": {"type": "boolean", "description": "Short."},
    "a default that": {"type": "boolean", "default": True, "description": "A field whose text hides something."},
    "what happens when it is unset": {"type": "boolean", "description": "A field that says nothing on that."},
    "needs a type": {"description": "A field of no type. Unset means none."},
    "not structural": {
        "type": "object",
        "properties": {},
        "additionalProperties": {},
        "description": "Both. Unset is none.",
    },
    "keywords that need a thought": {"type": "boolean", "nullable": True, "description": "A field. Unset means none."},
    "leads nowhere": {
        "type": "object",
        "description": "A rule whose path is wrong. Unset means none.",
        "properties": {},
        "x-kubernetes-validations": [{"rule": "true", "message": "x" * 20, "fieldPath": ".gone"}],
    },
    "that only Kubernetes runs": {
        "type": "boolean",
        "description": "A rule with optionals in it. Unset means none.",
        "x-kubernetes-validations": [{"rule": "self.?a.orValue(true)", "message": "x" * 20}],
    },
    "in two ways": {
        "type": "string",
        "maxLength": 9,
        "pattern": r"^\d$",
        "description": "At most 9. Unset means none.",
    },
}


@pytest.mark.parametrize("what", BAD)
def test_walk_finds_each_violation(what: str) -> None:
    crd: dict[str, Any] = copy.deepcopy(CRDS["modelroutes"])
    schema_of(crd)["properties"]["spec"]["properties"]["bad"] = BAD[what]
    assert [line for line in violations(crd) if line.startswith("spec.bad") and what in line]


def test_walk_sees_every_field() -> None:
    assert sum(1 for crd in CRDS.values() for _ in nodes(schema_of(crd))) > 200


@pytest.mark.parametrize("name", CRDS)
def test_crds_have_one_namespaced_version_under_their_own_names(name: str) -> None:
    crd = CRDS[name]
    spec = crd["spec"]
    (kind,) = [kind for kind in OURS if kind.plural == name]
    assert crd["metadata"]["name"] == f"{name}.linplane.dev"
    assert (spec["group"], spec["scope"], spec["names"]["kind"]) == ("linplane.dev", "Namespaced", kind.kind)
    assert spec["names"]["shortNames"] == [kind.short]
    assert not BUILT_IN_SHORT_NAMES & {kind.short, *spec["names"]["categories"]}
    assert spec["names"]["categories"] == ["linplane"]
    (version,) = spec["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)


@pytest.mark.parametrize("name", CRDS)
def test_columns_lead_to_declared_fields_of_their_type(name: str) -> None:
    (version,) = CRDS[name]["spec"]["versions"]
    columns = version["additionalPrinterColumns"]
    assert " ".join(column["name"].upper() for column in columns) == COLUMNS[name]
    types = {".".join(("", *path)): schema.get("type") for path, schema in nodes(schema_of(CRDS[name]))}
    for column in columns[:-1]:
        path = column["jsonPath"].replace('[?(@.type=="Ready")]', ".<items>")
        assert types[path] == column["type"], path
    assert columns[-1] == {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def test_subresources_and_selectable_fields() -> None:
    versions = {name: crd["spec"]["versions"][0] for name, crd in CRDS.items()}
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    assert {name: version.get("subresources") for name, version in versions.items()} == {
        "linearmodels": {"status": {}},
        "modelroutes": {"status": {}},
        "modelservers": {"status": {}, "scale": scale},
        "replicareports": None,
    }
    selectable = [field["jsonPath"] for field in versions["linearmodels"]["selectableFields"]]
    assert selectable == [".spec.model", ".spec.version"]


@pytest.mark.parametrize("name", ["linearmodels", "modelroutes", "modelservers"])
def test_conditions_are_as_metav1_has_them(name: str) -> None:
    conditions = schema_of(CRDS[name])["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert set(conditions["items"]["required"]) == {"type", "status", "reason", "message", "lastTransitionTime"}


def test_crds_have_no_phase_and_no_pod_fields_of_their_own() -> None:
    paths = {name: dict(nodes(schema_of(crd))) for name, crd in CRDS.items()}
    assert not [path for tree in paths.values() for path in tree if path[-1:] == ("phase",)]
    job, server = ("spec", "training", "job"), ("spec",)
    shared = [path[len(job) :] for path in paths["linearmodels"] if path[: len(job)] == job and len(path) > len(job)]
    own = {("backoffLimit",), ("activeDeadlineSeconds",), ("labels",), ("annotations",)}  # the last two: of its Job too
    for path in set(shared) - own:
        assert paths["linearmodels"][job + path] == paths["modelservers"][server + path]
