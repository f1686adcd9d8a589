"""Facts about the data of a training, stored with the artifact and outside of its digest.

The facts are in the result's file (`"facts": {...}`), so a lost status can be restored. They decide nothing.
Readers ignore fields and reasons that they don't know, and accept a file without facts: weights written by hand, or the
artifact of an earlier trainer.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from .names import MAX_FEATURE_NAME

MAX_LEFT_OUT = 32
MAX_WARNINGS = 8
MAX_MESSAGE = 1024
MAX_SOFTWARE = 16
MAX_VERSION = 64
MAX_GROUPS = 20
DATA_HASH = 16
MAX_STANDARDIZED = 19

ReasonText = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[A-Z][A-Za-z0-9]*$")]


Software = Annotated[
    dict[str, Annotated[str, msgspec.Meta(max_length=MAX_VERSION)]], msgspec.Meta(max_length=MAX_SOFTWARE)
]


class WarningReason(StrEnum):
    """Why a model that was trained may not be what its user expects. A warning never blocks."""

    ROWS_DROPPED = "RowsDropped"
    """More than 5 % of the rows had a gap in a column in use."""
    COLUMNS_LEFT_OUT = "ColumnsLeftOut"
    """`features` was unset, and not every column is a feature. Row numbers do not count: a first column without a
    name."""
    FEW_ROWS = "FewRows"
    """Fewer than 10 rows were fitted for each coefficient."""
    TARGET_REPEATED = "TargetRepeated"
    """A feature equals the target in every row, or R2 differs from 1 by less than 1e-12, with more than 2 rows for each
    coefficient.
    """
    NEARLY_DEPENDENT = "NearlyDependent"
    """A feature is nearly a combination of others: its variance inflation factor is above 1e10."""
    DATA_EDITED = "DataEdited"
    """The ConfigMap that was trained on has been edited since: reported by the operator, not by the trainer."""


class LeftOutReason(StrEnum):
    """Why a column is not one of the default features."""

    NOT_NUMERIC = "NotNumeric"
    """Less than half of its values in the first MiB are numbers."""
    EMPTY = "Empty"
    """It has no value in the first MiB."""
    NO_NAME = "NoName"
    """Its name in the header is empty; it is called by its number, as `column 1`."""


class _Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class TrainingWarning(_Part, frozen=True):
    """One warning, for people: the message repeats names of columns, and no value."""

    reason: ReasonText
    message: Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE)]


class LeftOutColumn(_Part, frozen=True):
    """A column that is not a feature. `line` (from 1) is that of the first cell that is not a number, None if there is
    none.
    """

    column: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_FEATURE_NAME)]
    reason: ReasonText
    line: Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)] | None = None


class ColumnStatistics(_Part, frozen=True):
    """Range and moments of one column over the rows that were fitted; the deviation is the sample's (n - 1)."""

    minimum: float
    maximum: float
    mean: float
    standard_deviation: float


class ResidualGroup(_Part, frozen=True):
    """Rows of similar predictions: their number, their mean prediction, and mean and deviation (n - 1) of residuals."""

    count: Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)]
    fitted: float
    mean: float
    deviation: float


class Residuals(_Part, frozen=True):
    """The residuals (target - prediction) of `rows` rows: the at most 10,000 with the smallest draws of those fitted,
    or of those held out.

    `groups`, by prediction, are about equally large: 20, or fewer so that each has 10 rows, so none of less than 10.
    `standardized` has the quantiles of 5, 10 ... 95 percent of residual / noise (D. C. Montgomery, E. A. Peck, G. G.
    Vining, Introduction to Linear Regression Analysis, 4.2.2, without leverage), each the ceil(n level)-th smallest;
    empty if the noise is 0 or unknown.
    """

    on: Literal["Holdout", "Training"]
    rows: Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)]
    groups: Annotated[tuple[ResidualGroup, ...], msgspec.Meta(max_length=MAX_GROUPS)] = ()
    standardized: Annotated[tuple[float, ...], msgspec.Meta(max_length=MAX_STANDARDIZED)] = ()


class Facts(_Part, frozen=True):
    """The facts of one training. `left_out` are the first 32 of `left_out_count` columns, in the table's order. `data`
    is the `data_hash` of the bytes that were read, wherever they came from; None for more bytes than a ConfigMap holds,
    and for synthetic data. `sha256` is that of these bytes, as many as they are, in hexadecimal digits; of a folder
    that of what `sha256sum` prints for its files, by path; None for synthetic data, a query, and Parquet of more bytes
    than a ConfigMap holds that is read over a network. `software` has the versions of what trained, by name.
    `target`: of
    its column. `residuals`: of the rows fitted, and of those held out, if any.
    """

    left_out: Annotated[tuple[LeftOutColumn, ...], msgspec.Meta(max_length=MAX_LEFT_OUT)] = ()
    left_out_count: Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)] = 0
    warnings: Annotated[tuple[TrainingWarning, ...], msgspec.Meta(max_length=MAX_WARNINGS)] = ()
    data: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    software: Software | None = None
    sha256: Annotated[str, msgspec.Meta(max_length=64, pattern="^[0-9a-f]{64}$")] | None = None
    target: ColumnStatistics | None = None
    residuals: Annotated[tuple[Residuals, ...], msgspec.Meta(max_length=2)] = ()


class DataHash:
    """The hash of training data that comes in parts: 16 hexadecimal digits."""

    def __init__(self) -> None:
        """Starts with no data."""
        self._sha = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Appends data."""
        self._sha.update(data)

    def result(self) -> str:
        """The hash of all data so far."""
        return self.sha256()[:DATA_HASH]

    def sha256(self) -> str:
        """Its SHA-256, of which the hash is the beginning: 64 hexadecimal digits."""
        return self._sha.hexdigest()


def data_hash(data: bytes) -> str:
    """The hash of training data, which is another if a byte changes."""
    parts = DataHash()
    parts.add(data)
    return parts.result()
