"""The types of public signatures: what a table, a column, a cost may be."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.random import RandomState

if TYPE_CHECKING:
    from skmmm._data.tables import BoundTable

Array: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = str | int
# One column, several, or what picks them from a table; None where a default is stated.
Columns: TypeAlias = Column | Sequence[Column] | Callable[[Any], Any] | None
# A data frame of pandas or polars, a two-dimensional array, or a table that was read.
Table: TypeAlias = Union[npt.ArrayLike, pd.DataFrame, "BoundTable"]
# One cost of a unit of every medium, or one per column.
MediaCost: TypeAlias = float | Mapping[Column, float] | None
Seed: TypeAlias = int | RandomState | None
