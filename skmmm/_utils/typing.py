"""The types of public signatures: what a table, a column, a cost may be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.random import RandomState

from skmmm._utils.bound import BoundTable


class Frame(Protocol):
    """A data frame of pandas or Polars."""

    @property
    def columns(self) -> Any:
        """Labels of the columns."""


Array: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = str | int
Labels: TypeAlias = Sequence[Column] | npt.NDArray[Any] | pd.Index
# One column, several, or what picks them from a table; None where a default is stated.
Columns: TypeAlias = Column | Labels | Callable[[Any], Any] | None
# A data frame, a two-dimensional array, or a table that an estimator has read.
Table: TypeAlias = Frame | npt.NDArray[Any] | Sequence[Sequence[Any]] | BoundTable
# One cost of a unit of every medium, or one per column.
MediaCost: TypeAlias = float | Mapping[Any, float | str] | None
Seed: TypeAlias = int | RandomState | None
