"""Rows as data gives them and a fit takes them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """Successive rows. `kept` has one entry for each raw row: False if the row was dropped for a gap.

    `values` holds the kept rows, shape (kept.sum(), features + 1), the target last; all finite.
    """

    values: Floats
    kept: NDArray[np.bool_]
