"""A database is believed to be the one that is meant only by its certificate."""

import pytest

from linplane_api.task import PostgresData, Task
from linplane_trainer.data.download import Network
from linplane_trainer.errors import TrainingFailed
from linplane_trainer.train import train
from postgresql import certificate_authority, require, running

HOST = "db.example"
QUERY = "select i x, 2 * i + i % 3 price from generate_series(1, 100) i"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The authority's certificate, and a server with one for HOST."""
    require()
    authority, certificate, key = certificate_authority(tmp_path_factory.mktemp("authority"), HOST)
    with running(tmp_path_factory.mktemp("postgresql"), certificate, key) as server:
        yield authority, server


@pytest.fixture
def learn(database, tmp_path):
    """learn(host=..., sslMode=..., ...): trains over TLS."""

    def run(host=HOST, **keys):
        authority, server = database
        given = {"sslMode": "", "sslRootCert": authority} | keys
        data = PostgresData(QUERY, "warehouse", (host,))
        network = Network(resolve=lambda *_: ["127.0.0.1"])
        task = Task("m", "v1", data, target="price")
        return train(task, tmp_path, network=network, credentials=server.credentials(host=host, **given))

    return run


@pytest.fixture
def refused(learn):
    def run(**keys):
        with pytest.raises(TrainingFailed) as caught:
            learn(**keys)
        return str(caught.value)

    return run


@pytest.mark.parametrize("mode", ["", "verify-full", "verify-ca", "require"])
def test_certificate_of_the_authority_is_trusted(learn, mode):
    assert learn(sslMode=mode).artifact.training.samples > 70


def test_name_is_verified(learn, refused):
    message = "the database's certificate is for another name than host"
    assert refused(host="other.example") == message
    assert learn(host="other.example", sslMode="verify-ca").artifact.digest == learn().artifact.digest


def test_certificate_of_another_authority_is_refused(refused, tmp_path):
    other, _, _ = certificate_authority(tmp_path, HOST)
    message = "the database's certificate is not one that is trusted: see sslRootCert"
    assert refused(sslRootCert=other) == message
    assert refused(sslRootCert="") == message


def test_certificate_that_is_none_is_named(refused):
    assert refused(sslRootCert="canary") == "sslRootCert holds no certificate in PEM form"


def test_connection_without_verification_needs_no_certificate(learn):
    assert learn(host="other.example", sslMode="require", sslRootCert="").artifact.digest == learn().artifact.digest
