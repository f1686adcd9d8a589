"""Rows of an object store and of a database, by Secrets, under the hardened profile.

The servers listen on the node's address, so this needs a node of the tests' own.
"""

import base64
import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.nodekeeper import ADDRESS
from e2e.chart import CHART, RELEASE, SYSTEM
from e2e.conftest import values
from e2e.kubectl import Kubectl, helm
from e2e.objects import Object, trained
from postgresql import PASSWORD, Server, certificate_authority, require, running
from support import eventually
from unit.trainer.s3_server import BUCKET, S3Server, s3_server

ROWS = [(number, 20 + number % 91, 1 + number % 5, 7 * number % 1000 + 0.25) for number in range(300)]
NAMES = ("id", "area", "rooms", "price")
TRAINING = {"target": "price", "holdoutKey": "id"}
ONCE = {"backoffLimit": 0}
QUERY = "select id, area, rooms, price from flats order by price"
KINDS = "linearmodels,jobs,pods,configmaps,events,deployments"


@pytest.fixture
def objects() -> Iterator[S3Server]:
    """An object store with ROWS as a CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([NAMES, *ROWS])
    with s3_server(ADDRESS) as server:
        server.put({"flats.csv": text.getvalue().encode()})
        yield server


@pytest.fixture
def database(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A database with ROWS as `flats`, and the keys of its Secret: a host of the cluster, and the authority of its
    certificate.
    """
    require()
    host, folder = f"database.{kubectl.namespace}.svc.cluster.local", tmp_path_factory.mktemp("database")
    authority, certificate, key = certificate_authority(folder, host)
    with running(folder, certificate, key, address=ADDRESS) as server:
        server.run("create table flats (id int, area float8, rooms int, price numeric)")
        server.run(f"insert into flats values {', '.join(map(str, ROWS))}")
        yield server, server.credentials(host=host, sslMode="", sslRootCert=authority)


@pytest.fixture
def hardened(kubectl: Kubectl, database: tuple[Server, dict[str, str]]) -> Iterator[None]:
    """The profile, with the hosts of both servers allowed."""
    hosts = f"{ADDRESS},{database[1]['host']}"
    profile = ("--set=hardened=true", f"--set=networkPolicies.namespaces={{{kubectl.namespace}}}")
    upgrade = ("upgrade", RELEASE, str(CHART), f"--namespace={SYSTEM}", "--wait", *values())
    helm(*upgrade, *profile, f"--set=trainer.allowedHosts={{{hosts}}}")
    yield
    helm(*upgrade)


def _service(name: str, port: int) -> list[Object]:
    """A Service for a port of the node."""
    where = {"name": name, "labels": {"kubernetes.io/service-name": name}}
    endpoints = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": where, "addressType": "IPv4"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": port}]}},
        {**endpoints, "endpoints": [{"addresses": [ADDRESS]}], "ports": [{"port": port, "protocol": "TCP"}]},
    ]


def _secret(name: str, keys: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": keys}


def _queried(model: str, secret: str, query: str = QUERY, **job: Any) -> Object:
    return trained(model, "v1", {"postgres": {"query": query, "secretName": secret}}, **TRAINING, job=job)


def _learned(kubectl: Kubectl, model: str) -> Object:
    """What the status says of a training, but for the model's name."""
    kubectl.wait("Trained", f"linearmodel/{model}-v1")
    status = kubectl.get("linearmodel", f"{model}-v1")["status"]
    return {key: status[key] for key in ("intercept", "coefficients", "evaluation", "samples", "droppedRows")}


@pytest.mark.usefixtures("hardened")
def test_store_and_database_give_one_model_and_no_secret_away(
    kubectl: Kubectl, objects: S3Server, database: tuple[Server, dict[str, str]]
) -> None:
    server, keys = database
    object_keys = objects.make_user("reader", "s3:GetObject", "s3:ListBucket")
    kubectl.apply(
        *_service("database", server.port),
        *(_secret("objects", object_keys), _secret("database", keys), _secret("wrong", keys | {"password": "wrong"})),
    )
    connect = f"import socket; print(socket.create_connection(('{keys['host']}', {server.port}), 5).getpeername())"
    eventually(lambda: kubectl.in_client("python", "-c", connect))  # kube-proxy takes a moment
    place = {"bucket": BUCKET, "path": "flats.csv", "endpoint": objects.url, "secretName": "objects"}
    with objects.checking_rights():
        kubectl.apply(
            trained("stored", "v1", {"s3": place}, **TRAINING),
            *(_queried("queried", "database"), _queried("misspelt", "database", "select nope from flats")),
            *(_queried("refused", "wrong", **ONCE), _queried("lost", "nowhere", **ONCE)),
        )
        assert _learned(kubectl, "queried") == _learned(kubectl, "stored")
    _says(kubectl, "refused", "TrainingFailed", "the database refused the user or the password")
    _says(kubectl, "lost", "TrainingFailed", "nowhere")
    _says(kubectl, "misspelt", "BadData", "the database refused the query (SQLSTATE 42703): a column does not exist")
    said = kubectl("get", KINDS, "--output=yaml")
    for pod in kubectl.list("pods", "app.kubernetes.io/component=trainer"):
        said += kubectl("logs", pod["metadata"]["name"])
    assert "the database refused the user or the password" in said
    for value in (PASSWORD, object_keys["secretAccessKey"], object_keys["accessKeyId"]):
        assert value not in said
        assert base64.b64encode(value.encode()).decode() not in said


def _says(kubectl: Kubectl, model: str, reason: str, words: str) -> None:
    """Waits until `Trained` is false for this reason, with these words in its message."""

    def said() -> bool:
        found = kubectl.condition("linearmodel", f"{model}-v1", "Trained")
        assert (found.get("status"), found.get("reason")) == ("False", reason), found
        assert words in found["message"], found
        return True

    eventually(said, timeout=90, interval=0.5)
