"""The types of public signatures: what a table, a column, a cost may be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.random import RandomState

Array: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = str | int
# One column, several, or what picks them from a table; None where a default is stated.
Columns: TypeAlias = Column | Sequence[Column] | Callable[[Any], Any] | None
# A data frame of pandas, polars or pyarrow, or a two-dimensional array.
Table: TypeAlias = npt.ArrayLike | pd.DataFrame
# One cost of a unit of every medium, or one per column.
MediaCost: TypeAlias = float | Mapping[Column, float] | None
Seed: TypeAlias = int | RandomState | None
