"""Predictions, each with the version that made it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import overload

import msgspec


class Prediction(msgspec.Struct, frozen=True):
    """The prediction of one row.

    `value` is in units of the model's target; `digest` identifies the coefficients of `version`; `revision` the state
    of `route`; `assigned_by` is the input that the version was chosen by: `key`, `header`, `features`, or `current` if
    all traffic goes to the current version.
    """

    value: float
    version: str
    digest: str
    revision: str
    route: str
    assigned_by: str

    def __float__(self) -> float:
        """Returns the value."""
        return self.value


class Batch(msgspec.Struct, frozen=True):
    """The predictions of successive rows that one request carried, so of one version. Fields as of Prediction."""

    values: tuple[float, ...]
    version: str
    digest: str
    revision: str
    route: str
    assigned_by: str

    def __getitem__(self, index: int) -> Prediction:
        """Returns the prediction of one row."""
        return Prediction(self.values[index], self.version, self.digest, self.revision, self.route, self.assigned_by)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.values)

    def __iter__(self) -> Iterator[Prediction]:
        """Iterates over the predictions in the order of the rows."""
        return map(self.__getitem__, range(len(self.values)))


class Predictions(Sequence[Prediction]):
    """One prediction for each row, in the order of the rows."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        """`batches` are those of successive rows."""
        self.batches = tuple(batches)
        self._ends = list(accumulate(map(len, self.batches)))

    @property
    def values(self) -> list[float]:
        """The numbers alone."""
        return [value for batch in self.batches for value in batch.values]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that answered, each once; more than one if a switch or a split came between two requests."""
        return tuple(dict.fromkeys(batch.version for batch in self.batches))

    def __len__(self) -> int:
        """The number of rows."""
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        """Returns the prediction of one row, or of several."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]  # raises IndexError, and counts a negative index from the end
        found = bisect_right(self._ends, number)
        return self.batches[found][number - (self._ends[found - 1] if found else 0)]

    def __iter__(self) -> Iterator[Prediction]:
        """Iterates over the predictions in the order of the rows."""
        return (prediction for batch in self.batches for prediction in batch)

    def __repr__(self) -> str:
        """The number of rows and the versions."""
        return f"<Predictions of {len(self)} rows by {', '.join(self.versions) or 'no version'}>"
