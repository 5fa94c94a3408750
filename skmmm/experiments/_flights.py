"""A test without regions: spend that goes up and down at random."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.utils import Bunch, check_random_state

from skmmm._data.checks import as_frame
from skmmm._utils.sklearn import Interval, validate_params
from skmmm._utils.typing import Column, Seed, Table
from skmmm.experiments._panel import read_kpi

_COUNT = Interval(Integral, 1, None, closed="left")
_SHARE = Interval(Real, 0, 1, closed="neither")


@validate_params(
    {
        "time": [str, Integral],
        "n_pairs": [Interval(Integral, 2, None, closed="left")],
        "block_length": [_COUNT],
        "washout": [Interval(Integral, 0, None, closed="left")],
        "levels": ["array-like"],
        "alpha": [_SHARE],
        "power": [_SHARE],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def design_flights(
    X: Table,
    y: npt.ArrayLike,
    *,
    time: Column,
    n_pairs: int,
    block_length: int,
    washout: int = 0,
    levels: Sequence[float] = (0.5, 1.5),
    alpha: float = 0.1,
    power: float = 0.8,
    random_state: Seed = None,
) -> Bunch:
    """Plan flights of one series: in each pair of blocks one is up, at random.

    Neighbouring blocks share trend and season, so that their difference is what spend
    causes, and what moves the KPI within two blocks.

    Parameters
    ----------
    X : array-like or dataframe of shape (n_samples, n_features)
        One row per period, in any order.
    y : array-like of shape (n_samples,)
        KPI.
    time : str or int
        Name or position of the time column.
    n_pairs : int
        Pairs of blocks.
    block_length : int
        Periods of a block.
    washout : int, default=0
        First periods of a block that are not compared: what the block before carries
        over.
    levels : (float, float), default=(0.5, 1.5)
        Factors on spend in the lower and the upper block.
    alpha : float, default=0.1
        Two-sided significance level.
    power : float, default=0.8
        Probability with which `mde` is found.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same flights at every call.

    Returns
    -------
    plan : Bunch
        - ``schedule``: DataFrame with one row per block, ``pair``, ``start``, ``end``
          and ``level``;
        - ``std_error`` of the mean difference between an upper and a lower block, in
          KPI units per block without washout; ``mde``, the difference that is found
          with `power`, and ``mde_lift``, as a share of such a block's KPI.

    Raises
    ------
    ValueError
        If there are fewer than four blocks of history, or periods without a row.

    See Also
    --------
    design_experiment : A test with regions, which sees less in the same time.

    Notes
    -----
    The standard error is that of the same comparison of pairs of blocks in the past, by
    as many as fit in, with a t distribution.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skmmm.experiments import design_flights
    >>> X = pd.DataFrame({"week": pd.date_range("2022-01-03", periods=80, freq="7D")})
    >>> y = 100 + np.random.default_rng(0).standard_normal(80)
    >>> plan = design_flights(
    ...     X, y, time="week", n_pairs=2, block_length=4, random_state=0
    ... )
    >>> plan.schedule["level"].tolist()
    [0.5, 1.5, 0.5, 1.5]
    """
    if washout >= block_length:
        raise ValueError(
            f"washout={washout} leaves nothing of blocks of {block_length} periods."
        )
    low, high = _two_levels(levels)
    panel, calendar = read_kpi(as_frame(X), y, None, time)
    kpi = panel.to_numpy()[:, 0]
    n_past = len(kpi) // (2 * block_length)
    if n_past < 2:
        raise ValueError(
            f"X has {len(kpi)} periods; two pairs of blocks of {block_length} periods "
            f"need {4 * block_length}."
        )
    past = kpi[len(kpi) - 2 * n_past * block_length :]
    block = past.reshape(n_past, 2, block_length)[..., washout:].sum(axis=-1)
    # Which of two is up is random: their difference has a mean of zero.
    difference = block[:, 1] - block[:, 0]
    std_error = np.sqrt((difference**2).mean() / n_pairs)
    reach = stats.t.ppf([1 - alpha / 2, power], min(n_past, n_pairs)).sum()
    rng = check_random_state(random_state)
    up = rng.uniform(size=n_pairs) < 0.5
    level = np.where(np.column_stack([up, ~up]).ravel(), high, low)
    first = len(kpi) + block_length * np.arange(2 * n_pairs)
    schedule = pd.DataFrame(
        {
            "pair": np.repeat(np.arange(n_pairs), 2),
            "start": [calendar.value(period) for period in first],
            "end": [calendar.value(period + block_length - 1) for period in first],
            "level": level,
        }
    )
    mde = float(reach * std_error)
    return Bunch(
        schedule=schedule,
        std_error=float(std_error),
        mde=mde,
        mde_lift=mde / float(block.mean()),
    )


def _two_levels(levels):
    values = np.asarray(levels, dtype=np.float64)
    if values.shape != (2,) or not 0 <= values[0] < values[1]:
        raise ValueError(
            f"levels={levels!r} must be two factors, the lower one first, not below 0."
        )
    return values
