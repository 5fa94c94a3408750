"""Tests that could be run next, if the user names none: two of every channel."""

import numpy as np
import pandas as pd

from skmmm.inspection._predictions import counterfactual_of

CHANGES = (0.0, 1.5)
_YEARS = 6 / 52  # of a test
_FEWEST_REGIONS = 4  # of which half are treated, the others controls
_TREATED = (0, 3)  # of every four regions in the order of their KPI


def candidate_tests(model):
    """Return designs of tests of all channels that spend.

    Every channel goes dark, or spends half as much again, for about six weeks in half
    of the regions, large and small alike; in all of fewer than four.

    Parameters
    ----------
    model : fitted DeepCausalMMMRegressor
        With a time column.

    Returns
    -------
    designs : DataFrame
    """
    history = model._model.history
    n_regions, n_seen = history.shape
    n_periods = min(max(round(_YEARS * model._calendar.year), 1), n_seen // 4)
    if not n_periods:
        raise ValueError(
            f"The training rows have {n_seen} periods, too few to say how sure a test "
            "would be. Pass designs with their std_error."
        )
    treated, regions = np.ones(n_regions, dtype=bool), None
    if n_regions >= _FEWEST_REGIONS:
        rank = history.y.mean(axis=1).argsort().argsort()
        treated = np.isin(rank % 4, _TREATED)
        regions = model.regions_[treated].tolist()
    spends = history.media[treated].any(axis=(0, 1))
    media = [c for c, own in zip(model._columns.media, spends, strict=True) if own]
    rows = [(label, change) for label in media for change in CHANGES]
    return pd.DataFrame(
        {
            "media": [label for label, _ in rows],
            "n_periods": n_periods,
            "regions": [regions] * len(rows),
            "change": [change for _, change in rows],
            "std_error": _standard_error(model, treated, n_periods),
        }
    )


def _standard_error(model, treated, length):
    """Return that of a test in some regions, (R,), from windows without one.

    Of what the model does not explain of the KPI, its level included: the difference
    between a window and the one before it, in the treated regions less their share of
    the same in the others.
    """
    history = model._model.history
    left = history.rows(history.y) - counterfactual_of(model).predicted()
    left = left + model.baseline_parts()["level"].to_numpy()
    grid = np.zeros(history.observed.size)
    np.add.at(grid, history.cell, left)
    grid = grid.reshape(history.shape)
    gap, size = grid[treated].sum(axis=0), history.y.sum(axis=1)
    if not treated.all():
        share = size[treated].sum() / size[~treated].sum()
        gap = gap - share * grid[~treated].sum(axis=0)
    windows = np.lib.stride_tricks.sliding_window_view(gap, length).sum(axis=1)
    return float(np.sqrt(((windows[length:] - windows[:-length]) ** 2).mean()))
