"""Training data: one class for each kind of `resources.Data`, which plans how a training gets its rows.

A new kind is a field of `Data` and of the CRD, a class here with its line in `SOURCES`, and a reader in the trainer.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from linplane_api.canonical import FormatError
from linplane_api.facts import data_hash
from linplane_api.resources import (
    ClaimRef,
    ConfigMapKeyRef,
    Csv,
    LinearModelSpec,
    PostgresQuery,
    S3Ref,
    Synthetic,
    decimal,
)
from linplane_api.task import CsvOptions, FileData, PostgresData, S3Data, SyntheticData, TaskData, UriData

from .objects import Object
from .observed import ConfigMap
from .settings import Mode, Settings

DATA_DIR = "/var/lib/linplane/data"
DATA_MOUNT: Object = {"name": "data", "mountPath": DATA_DIR, "readOnly": True}
CREDENTIALS_DIR = "/var/run/linplane/credentials"
CREDENTIALS_MOUNT: Object = {"name": "credentials", "mountPath": CREDENTIALS_DIR, "readOnly": True}

T = TypeVar("T")


@dataclass(frozen=True)
class DataPlan:
    """How a training gets its rows: by `task_data` of its Task, and by `volumes` and `mounts` of its pod, if any.

    `hash`: of the rows as they are now; empty if they are not in a ConfigMap, or absent. `folder_name`: how the
    trainer's messages call the mounted folder; empty if they need no name for it. `secret`: the name of the Secret that
    the pod mounts; empty if none. `unsupported`: why this installation cannot read the data; empty if it can.
    """

    task_data: TaskData
    volumes: tuple[Object, ...] = ()
    mounts: tuple[Object, ...] = ()
    hash: str = ""
    folder_name: str = ""
    secret: str = ""
    unsupported: str = ""


@dataclass(frozen=True)
class DataSource(ABC, Generic[T]):
    """One kind of training data. `given`: its field of `Data`. `source`: the ConfigMap that the spec names, if any.
    `csv`: how the table is written, if it is one.
    """

    given: T
    settings: Settings
    source: ConfigMap | None
    csv: CsvOptions | None

    @abstractmethod
    def plan(self) -> DataPlan:
        """The plan; pure."""


class SyntheticSource(DataSource[Synthetic]):
    """Rows that the trainer makes from the seed."""

    def plan(self) -> DataPlan:
        """Nothing is read."""
        return DataPlan(SyntheticData(self.given.samples, self.given.feature_count, decimal(self.given.noise)))


class ConfigMapSource(DataSource[ConfigMapKeyRef]):
    """A CSV under a key of a ConfigMap, which is mounted. The only kind with a hash: an edit starts a failed training
    again.
    """

    def plan(self) -> DataPlan:
        """Only the key that is read is mounted."""
        name, key = self.given.name, self.given.key
        text = self.source.data.get(key) if self.source else None
        return DataPlan(
            FileData(key, self.csv),
            volumes=({"name": "data", "configMap": {"name": name, "items": [{"key": key, "path": key}]}},),
            mounts=(DATA_MOUNT,),
            hash="" if text is None else data_hash(text.encode()),
        )


class ClaimSource(DataSource[ClaimRef]):
    """A file or a folder of files in a PersistentVolumeClaim, which is mounted."""

    def plan(self) -> DataPlan:
        """Unsupported in local mode."""
        claim = {"claimName": self.given.claim_name, "readOnly": True}
        is_local = self.settings.mode is Mode.LOCAL
        refused = "training.data.persistentVolumeClaim: local mode has no claims; use file:// or a ConfigMap"
        return DataPlan(
            FileData(self.given.path, self.csv),
            volumes=({"name": "data", "persistentVolumeClaim": claim},),
            mounts=(DATA_MOUNT,),
            folder_name=f"claim {self.given.claim_name}",
            unsupported=refused if is_local else "",
        )


class UriSource(DataSource[str]):
    """A file behind http or https, or files of this machine in local mode."""

    def plan(self) -> DataPlan:
        """The trainer holds to the hosts and addresses that the installation allows."""
        is_local = self.settings.mode is Mode.LOCAL
        is_refused = not is_local and not self.given.startswith(("http://", "https://"))
        what = "file://" if self.given.startswith("file:") else "a path without https://"
        refused = f"training.data.uri: {what} is read in local mode alone; use http(s), a ConfigMap or a claim"
        return DataPlan(
            UriData(self.given, self.settings.allowed_hosts, self.settings.denied_addresses, is_local, self.csv),
            unsupported=refused if is_refused else "",
        )


class S3Source(DataSource[S3Ref]):
    """Objects of a bucket, with the keys of a Secret or anonymously."""

    def plan(self) -> DataPlan:
        """The trainer holds to the hosts that the installation allows."""
        given, hosts = self.given, self.settings.allowed_hosts
        place = S3Data(
            given.bucket,
            given.path,
            given.region,
            given.endpoint,
            given.secret_name,
            allowed_hosts=hosts,
            csv=self.csv,
        )
        return _with_secret("s3", given.secret_name, place, self.settings)


class PostgresSource(DataSource[PostgresQuery]):
    """The rows of a query, to the database that a Secret names."""

    def plan(self) -> DataPlan:
        """The trainer holds to the hosts and addresses that the installation allows."""
        given, settings = self.given, self.settings
        is_local = settings.mode is Mode.LOCAL
        hosts, addresses = settings.allowed_hosts, settings.denied_addresses
        query = PostgresData(given.query, given.secret_name, hosts, addresses, allow_socket=is_local)
        return _with_secret("postgres", given.secret_name, query, settings)


def _with_secret(field: str, secret: str | None, task_data: TaskData, settings: Settings) -> DataPlan:
    """The plan with the Secret's keys as files. It is optional for the pod, so that the trainer says what is missing: a
    pod without its Secret would wait until the deadline.
    """
    if secret is None:
        return DataPlan(task_data)
    refused = f"training.data.{field}.secretName: this installation mounts no Secrets (the chart's trainer.credentials)"
    return DataPlan(
        task_data,
        volumes=({"name": "credentials", "secret": {"secretName": secret, "optional": True}},),
        mounts=(CREDENTIALS_MOUNT,),
        secret=secret,
        unsupported="" if settings.credentials else refused,
    )


SOURCES: Mapping[str, type[DataSource[Any]]] = {
    "synthetic": SyntheticSource,
    "config_map_key_ref": ConfigMapSource,
    "uri": UriSource,
    "persistent_volume_claim": ClaimSource,
    "s3": S3Source,
    "postgres": PostgresSource,
}
"""By field of `Data`."""


def plan_data(spec: LinearModelSpec, settings: Settings, source: ConfigMap | None) -> DataPlan:
    """The plan for the data of a version that is trained. `source`: the ConfigMap of `spec.source_ref`, if it exists.
    Raises FormatError for a kind of data that this operator does not know.
    """
    assert spec.training is not None
    csv = _csv_options(spec.training.data.csv)
    for field, kind in SOURCES.items():
        given = getattr(spec.training.data, field)
        if given is not None:
            return kind(given, settings, source, csv).plan()
    raise FormatError("spec.training.data", "a kind of data that this operator does not know")


def _csv_options(csv: Csv | None) -> CsvOptions | None:
    return None if csv is None else CsvOptions(csv.separator, csv.decimal, csv.null_values or ())
