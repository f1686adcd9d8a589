"""Documents of a later release: their unknown fields survive, a later format is left alone, and no document is written
that a ready replica would not read.
"""

import json

import pytest

import later
from linplane_api.canonical import canonical_bytes, digest_of
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, REPLICA_REPORT
from unit.operator.builders import (
    config_map,
    handmade,
    linear_model,
    model_route,
    status_and_reason,
    text,
    weights_from,
)
from unit.operator.test_reconcile_adoption import ROUTING, without_owner

KEPT = f"the document in force stays as it is: {later.not_supported('document')}"


@pytest.fixture
def serving(sim):
    """A route on v1; v2 is ready too."""
    sim.apply(linear_model("v1"), linear_model("v2"), model_route("v1"))
    sim.settle()
    return sim


def write(sim, change):
    """The document as a later release's operator writes it, one sequence later; the entry's text."""
    body = sim.routing()
    entry = json.loads(body["data"]["route.homes"])
    change(entry["document"])
    sequence = int(body["data"]["sequence"]) + 1
    entry |= {"revision": digest_of(canonical_bytes(entry["document"])), "sequence": sequence}
    text = canonical_bytes(entry).decode()
    data = {**body["data"], "route.homes": text, "sequence": str(sequence)}
    sim.store.update(CONFIG_MAP, body, {**body, "data": data})
    return text


def text_of(sim):
    return sim.routing()["data"]["route.homes"]


def later_format(document):
    document |= {"format": later.FORMAT, "current": {"version": "v1"}}


def with_more(document):
    document[later.FIELD] = "v2"
    document["versions"]["v1"]["units"] = "m"


@pytest.mark.parametrize("restart", [False, True])
def test_unknown_fields_are_neither_written_again_nor_lost(serving, restart):
    text = write(serving, with_more)
    if restart:
        serving.start()
    serving.settle()
    assert text_of(serving) == text
    assert status_and_reason(serving.route(), "Ready")[0] == "True"
    serving.edit(MODEL_ROUTE, "homes", version="v2", split=[{"version": "v1", "percent": 10}])
    serving.settle()
    document = json.loads(text_of(serving))["document"]
    assert (document[later.FIELD], document["versions"]["v1"]["units"]) == ("v2", "m")
    assert "units" not in document["versions"]["v2"]


@pytest.mark.parametrize("restart", [False, True])
def test_unknown_fields_outlive_the_configmap(serving, restart):
    """From memory; after a restart, by a ConfigMap that has only lost its owner."""
    write(serving, with_more)
    serving.settle()
    if restart:
        without_owner(serving, CONFIG_MAP, ROUTING)
        serving.start()
    else:
        serving.delete(CONFIG_MAP, ROUTING)
    serving.settle()
    document = json.loads(text_of(serving))["document"]
    assert (document[later.FIELD], document["versions"]["v1"]["units"]) == ("v2", "m")


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("version", ["v1", "v2", "v9"])
def test_later_format_stays_whatever_the_spec(serving, version, restart):
    text = write(serving, later_format)
    before = serving.route()["status"]
    if restart:
        serving.start()
    serving.edit(MODEL_ROUTE, "homes", version=version)
    serving.settle()
    assert text_of(serving) == text
    route = serving.route()
    assert status_and_reason(route, "Accepted") == status_and_reason(route, "Ready") == ("False", "FormatNotSupported")
    assert (
        status_and_reason(route, "Servable")
        == status_and_reason(route, "Converged")
        == ("Unknown", "FormatNotSupported")
    )
    assert {c["message"] for c in route["status"]["conditions"]} == {KEPT}
    kept = ("version", "traffic", "trafficSummary", "switches")
    assert {key: route["status"][key] for key in kept} == {key: before[key] for key in kept}
    assert serving.failures == []


def test_other_routes_are_written_despite_a_later_format(serving):
    text = write(serving, later_format)
    serving.apply(model_route("v2", name="cottages"))
    serving.settle()
    assert text_of(serving) == text
    assert status_and_reason(serving.route("cottages"), "Ready")[0] == "True"


def test_later_format_is_removed_with_its_route(serving):
    write(serving, later_format)
    serving.settle()
    serving.delete(MODEL_ROUTE, "homes")
    serving.settle()
    assert "route.homes" not in serving.routing()["data"]


def test_later_format_stays_in_an_adopted_configmap(serving):
    text = write(serving, later_format)
    without_owner(serving, CONFIG_MAP, ROUTING)
    serving.start()
    serving.settle()
    assert text_of(serving) == text
    assert status_and_reason(serving.route(), "Accepted") == ("False", "FormatNotSupported")


def test_versions_of_a_later_format_are_known_from_the_status(serving):
    """The status, which was written with the document, names them."""
    write(serving, later_format)
    serving.start()
    serving.settle()
    assert serving.model("v1")["status"]["servingIn"] == ["homes"]
    assert not serving.model("v2")["status"].get("servingIn")


def test_version_is_withdrawn_only_once_the_document_can_be_read(serving):
    text = text_of(serving)
    write(serving, later_format)
    serving.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    serving.settle()
    assert status_and_reason(serving.model("v2"), "Withdrawn") == ("False", "ReplicasBehind")
    write(serving, lambda document: (document.clear(), document.update(json.loads(text)["document"])))
    serving.settle()
    assert status_and_reason(serving.model("v2"), "Withdrawn") == ("True", "Frozen")


def test_unreadable_document_withdraws_nothing(serving):
    """It may have been restored from a time before the freeze."""
    serving.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    serving.settle()
    assert status_and_reason(serving.model("v2"), "Withdrawn") == ("True", "Frozen")
    write(serving, later_format)
    serving.settle()
    assert status_and_reason(serving.model("v2"), "Withdrawn") == ("False", "ReplicasBehind")


def test_withdrawn_is_false_after_the_adoption_of_an_unreadable_document(serving):
    """It was restored from a time before the freeze."""
    serving.edit(MODEL_ROUTE, "homes", split=[{"version": "v2", "percent": 10}])
    serving.settle()
    text = json.loads(text_of(serving))
    serving.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    serving.settle()
    assert status_and_reason(serving.model("v2"), "Withdrawn") == ("True", "Frozen")
    write(serving, lambda document: (document.update(text["document"]), later_format(document)))
    without_owner(serving, CONFIG_MAP, ROUTING)
    serving.start()
    serving.settle()
    assert status_and_reason(serving.model("v2"), "Withdrawn") == ("False", "ReplicasBehind")


def test_served_versions_of_an_unreadable_document_are_read_from_the_status(serving):
    """A later release switched, and wrote the status with it; this process has seen the document before."""
    write(serving, later_format)
    status = serving.route()["status"]
    switched = {**status, "version": "v2", "traffic": [{"version": "v2", "percent": "100"}], "trafficSummary": "v2 100"}
    serving.set_status(MODEL_ROUTE, "homes", switched)
    serving.settle()
    kept = ("version", "traffic", "trafficSummary", "switches")
    assert {key: serving.route()["status"][key] for key in kept} == {key: switched[key] for key in kept}
    assert serving.model("v2")["status"]["servingIn"] == ["homes"]


def test_later_format_is_removed_if_the_route_is_recreated_for_another_model(serving):
    write(serving, later_format)
    serving.settle()
    serving.apply(linear_model("v1", model="flats"))
    serving.settle()
    serving.delete(MODEL_ROUTE, "homes")
    serving.apply({**model_route("v1"), "spec": {"model": "flats", "version": "v1"}})
    serving.settle()
    assert serving.document().model == "flats"
    assert status_and_reason(serving.route(), "Ready")[0] == "True"


def test_sequence_exceeds_that_of_an_unreadable_entry(serving):
    text = json.loads(write(serving, later_format))
    body = serving.routing()
    above = canonical_bytes({**text, "sequence": 77}).decode()
    serving.store.update(CONFIG_MAP, body, {**body, "data": {**body["data"], "route.homes": above}})
    serving.apply(model_route("v2", name="cottages"))
    serving.settle()
    assert int(serving.routing()["data"]["sequence"]) == 78
    assert text_of(serving) == above


@pytest.mark.parametrize("part", ["deep", "surrogate", "surrogate key", "huge"])
def test_json_that_has_no_digest_is_damage(serving, part):
    """In the one route that has it; it is written again."""
    parts = {"deep": json.loads("[" * 500 + "]" * 500), "huge": 10**400}
    value = {"surrogate": "\ud800", "surrogate key": {"\ud800": 1}, **parts}[part]
    body = serving.routing()
    entry = json.loads(text_of(serving))
    entry["document"]["later"] = value
    data = {**body["data"], "route.homes": json.dumps(entry)}
    serving.store.update(CONFIG_MAP, body, {**body, "data": data})
    serving.settle()
    assert serving.failures == []
    assert "later" not in json.loads(text_of(serving))["document"]
    assert status_and_reason(serving.route(), "Ready")[0] == "True"


def test_later_format_of_another_revision_is_damage_and_is_repaired(serving):
    body = serving.routing()
    text = text_of(serving).replace('"format":1', f'"format":{later.FORMAT}')
    serving.store.update(CONFIG_MAP, body, {**body, "data": {**body["data"], "route.homes": text}})
    serving.settle()
    assert json.loads(text_of(serving))["document"]["format"] == 1
    assert status_and_reason(serving.route(), "Ready")[0] == "True"


# ---- replicas ----


def reads(sim, *formats):
    """The only replica reports that it reads these."""
    body = sim.cache.get(REPLICA_REPORT, "default", "p1")
    after = {**body, "report": {**body["report"], "formats": list(formats)}}
    sim.cache.put(REPLICA_REPORT, after)
    sim.resync()


def test_document_that_a_ready_replica_cannot_read_is_not_written(serving):
    serving.loads = False
    reads(serving, 2, 3)
    text = text_of(serving)
    serving.edit(MODEL_ROUTE, "homes", version="v2")
    serving.apply(model_route("v2", name="cottages"))
    serving.settle()
    assert text_of(serving) == text
    assert "route.cottages" not in serving.routing()["data"]
    for name in ("homes", "cottages"):
        assert status_and_reason(serving.route(name), "Accepted") == ("False", "FormatNotSupported")
    message = next(c["message"] for c in serving.route()["status"]["conditions"] if c["type"] == "Accepted")
    assert message.startswith("p1 does not read documents of format 1, which this operator writes (it reads: 2 and 3)")
    assert status_and_reason(serving.route(), "Servable") == ("True", "Serving")
    assert serving.route()["status"]["version"] == "v1"
    reads(serving, 1, 2)
    serving.loads = True
    serving.settle()
    assert (
        status_and_reason(serving.route(), "Ready")[0]
        == status_and_reason(serving.route("cottages"), "Ready")[0]
        == "True"
    )
    assert serving.document().current == "v2"


def test_deleted_configmap_is_not_created_for_replicas_that_cannot_read_it(serving):
    """An empty ConfigMap would stop all traffic."""
    serving.loads = False
    reads(serving, 2)
    serving.delete(CONFIG_MAP, ROUTING)
    serving.settle()
    assert serving.store.get(CONFIG_MAP, ROUTING) is None
    assert status_and_reason(serving.route(), "Accepted") == ("False", "FormatNotSupported")
    reads(serving, 1)
    serving.loads = True
    serving.settle()
    assert serving.document().current == "v1"


def test_configmap_is_not_adopted_for_replicas_that_cannot_read_it(serving):
    """Without its documents it would stop all traffic."""
    serving.loads = False
    reads(serving, 2)
    without_owner(serving, CONFIG_MAP, ROUTING)
    data = serving.routing()["data"]
    serving.start()
    serving.settle()
    assert serving.routing()["data"] == data
    assert status_and_reason(serving.route(), "Accepted") == ("False", "FormatNotSupported")
    reads(serving, 1)
    serving.loads = True
    serving.settle()
    assert serving.document().current == "v1"
    assert status_and_reason(serving.route(), "Ready")[0] == "True"


def test_deleted_route_is_removed_though_replicas_cannot_read_the_format(serving):
    serving.loads = False
    reads(serving, 2)
    serving.delete(MODEL_ROUTE, "homes")
    serving.settle()
    assert "route.homes" not in serving.routing()["data"]


# ---- artifacts ----


def later_artifact():
    """The text of an artifact file of a format that this release does not read."""
    artifact = {"format": later.FORMAT, "weights": [1]}
    return json.dumps({"artifact": artifact, "digest": digest_of(canonical_bytes(artifact))})


def test_artifact_of_a_later_format_is_kept_and_named(serving):
    """It is neither deleted nor trained again, and the route continues with its weights."""
    name = serving.model("v1")["status"]["artifact"]
    body = serving.get(CONFIG_MAP, name)
    text = later_artifact()
    serving.store.delete(CONFIG_MAP, body)
    serving.store.create(CONFIG_MAP, {**body, "data": {"model.json": text}})
    document = text_of(serving)
    serving.start()
    serving.settle()
    assert serving.get(CONFIG_MAP, name)["data"] == {"model.json": text}
    assert status_and_reason(serving.model("v1"), "Ready") == ("False", "FormatNotSupported")
    assert later.not_supported("artifact") in str(serving.model("v1")["status"])
    assert text_of(serving) == document


def test_copied_weights_of_a_later_format_are_kept_and_named(sim):
    sim.apply(handmade(), linear_model("v1", weights=weights_from()))
    sim.settle()
    name = sim.model("v1")["status"]["artifact"]
    body = sim.get(CONFIG_MAP, name)
    text = later_artifact()
    sim.store.delete(CONFIG_MAP, body)
    sim.store.create(CONFIG_MAP, {**body, "data": {"model.json": text}})
    sim.start()
    sim.settle()
    assert sim.get(CONFIG_MAP, name)["data"] == {"model.json": text}
    assert status_and_reason(sim.model("v1"), "Ready") == ("False", "FormatNotSupported")


def test_unsealed_result_of_a_later_format_is_kept_without_its_job(sim):
    """The release that wrote it is to seal it."""
    text = later_artifact()
    sim.default_result = lambda: {"model.json": text}
    sim.apply(linear_model("v1"))
    sim.settle()
    sim.delete(JOB, sim.job()["metadata"]["name"])
    sim.settle()
    assert sim.store.all(JOB) == []
    (result,) = sim.store.all(CONFIG_MAP)
    assert result["data"] == {"model.json": text}
    assert status_and_reason(sim.model("v1"), "Ready") == ("False", "FormatNotSupported")
    assert "to try again" not in str(sim.model("v1")["status"])


def test_weights_that_cannot_be_copied_are_named(sim):
    """The artifact is valid, and an additional field is not."""
    artifact = json.loads(text())
    body = config_map("handmade", {"model.json": json.dumps({**artifact, "later": "\ud800"})})
    sim.apply(body, linear_model("v1", weights=weights_from()))
    sim.settle()
    assert status_and_reason(sim.model("v1"), "Ready") == ("False", "InvalidArtifact")
    assert sim.failures == []
