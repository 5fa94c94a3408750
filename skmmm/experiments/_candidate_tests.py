"""Tests that could be run next, if the user names none: two of every channel."""

import numpy as np
import pandas as pd

from skmmm.experiments._candidates import draw_candidates, rescore_designs
from skmmm.experiments._synthetic_control import settings_for
from skmmm.inspection._predictions import counterfactual_of

CHANGES = (0.0, 1.5)
_YEARS = 6 / 52  # of a test
_FEWEST_REGIONS = 4  # of which half are treated, the others controls
_MOST_SHARE = 0.7  # of the treated regions in the KPI
_N_SETS, _N_PLACEBOS = 10, 200


def candidate_tests(model):
    """Return designs of tests of all channels that spend.

    Every channel goes dark, or spends half as much again, for about six weeks in half
    of the regions: of ten sets of regions in that with the least standard error, which
    is that of a synthetic control (see `design_experiment`). Without four regions, or
    where cells are missing, everywhere; the standard error is then that of differences
    between neighbouring windows of what the model leaves of the KPI.

    Parameters
    ----------
    model : fitted DeepCausalMMMRegressor
        With a time column.

    Returns
    -------
    designs : DataFrame
    """
    history, calendar = model._model.history, model._calendar
    n_regions, n_seen = history.shape
    n_periods = max(round(_YEARS * calendar.year), 1)
    n_periods = min(n_periods, n_seen // 4)
    if not n_periods:
        raise ValueError(
            f"The training rows have {n_seen} periods, too few to say how sure a test "
            "would be. Pass designs with their std_error."
        )
    treated, regions = np.arange(n_regions), None
    if n_regions >= _FEWEST_REGIONS and history.observed.all():
        treated, error = _half_of_regions(history.y.T, n_periods)
        regions = model.regions_[treated].tolist()
    else:
        error = _error_everywhere(model, n_periods)
    spends = history.media[treated].any(axis=(0, 1))
    media = [c for c, own in zip(model._columns.media, spends, strict=True) if own]
    rows = [(label, change) for label in media for change in CHANGES]
    return pd.DataFrame(
        {
            "media": [label for label, _ in rows],
            "n_periods": n_periods,
            "regions": [regions] * len(rows),
            "change": [change for _, change in rows],
            "std_error": error,
        }
    )


def _half_of_regions(kpi, length):
    """Return the best of some sets of half of the regions, and its standard error.

    Parameters
    ----------
    kpi : ndarray of shape (T, R)
    length : int
    """
    rng = np.random.RandomState(0)
    size, none = kpi.shape[1] // 2, np.zeros(0, dtype=int)
    sets = draw_candidates(rng, kpi, size, _N_SETS, none, _MOST_SHARE)
    if not len(sets):  # one region is most of the market
        sets = np.argsort(kpi.mean(axis=0))[None, :size]
    settings = settings_for("synthetic_control", len(kpi))
    errors, _ = rescore_designs(
        kpi, sets, length, settings, n_placebos=_N_PLACEBOS, rng=rng
    )
    best = errors.argmin()
    return np.sort(sets[best]), float(errors[best])


def _error_everywhere(model, length):
    """Return the standard error of a test in all regions at once."""
    history = model._model.history
    left = np.zeros(history.observed.size)
    fitted = counterfactual_of(model).predicted()
    np.add.at(left, history.cell, history.rows(history.y) - fitted)
    total = left.reshape(history.shape).sum(axis=0)
    windows = np.lib.stride_tricks.sliding_window_view(total, length).sum(axis=1)
    return float(np.sqrt(((windows[length:] - windows[:-length]) ** 2).mean()))
