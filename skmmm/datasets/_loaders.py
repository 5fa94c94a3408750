"""Panels shipped with the package."""

from importlib.resources import as_file, files

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmmm._utils.sklearn import validate_params

_DESCR = """\
Marketing mix example
=====================

A simulated retailer in twelve German and Austrian cities.

:Rows: 1872 = 156 weeks (from 4 January 2021) x 12 regions, sorted by week, then region
:Keys: region; week, the Monday it begins on
:Media: spend per week and region, in euros: tv, radio, paid_search, online_video,
    display, social
:Controls: price, in euros, by region; holiday, 1 if the week has a public holiday
:KPI: sales per week and region, in euros

Sales and spend of a city go with its size, but not exactly: what a city buys and gets
per head differs, by channel too. Television, online video and display are on and off
for some weeks, half of it national, half by city. Radio, paid search and social get new
budgets every four to eight weeks, in each city at its own height, and pause for some
weeks. Radio, paid search and display also go with the season. Spend on paid search
rises with television, that on social with online video. Each channel acts with
geometric carry-over over 14 weeks and Hill saturation; its effect differs between
cities. Media cause 30 % of sales. The rest is each city's base with trend, season and a
slowly wandering level, prices, holidays, and noise with a standard deviation of 4 % of
the base.

As the data are simulated, what caused them is known. ``contributions`` holds, for every
row of ``frame``, the euros of sales due to the baseline, to each control (against its
reference price, or no holiday) and to each channel (against no spend in this or any
earlier week). They add up to ``expected``, the sales without noise. ``roi`` divides
each channel's total contribution by its total spend. These are the direct effects of a
channel's own spend; what television adds by raising paid search counts for paid search.

Data and truth are rounded. The recipe, with every number of this world, is
``benchmarks/make_example.py`` in the source repository. Its seed is the first one.
"""


def _read_table(name):
    with as_file(files("skmmm.datasets") / "data" / name) as path:
        table = pd.read_csv(path, parse_dates=["week"])
    return table.astype(dict.fromkeys(table.columns[2:], np.float64))


@validate_params({"return_X_y": ["boolean"]}, prefer_skip_nested_validation=True)
def load_mmm_example(
    *, return_X_y: bool = False
) -> Bunch | tuple[pd.DataFrame, pd.Series]:
    """Load a weekly marketing panel of twelve cities, with its true effects.

    The panel is simulated, so that the contribution of every channel is known.

    =================   ============================
    Rows                1872 (156 weeks x 12 regions)
    Media               6, spend in euros per week
    Controls            2, price and holiday
    KPI                 sales, in euros per week
    =================   ============================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(X, y)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the following attributes, rows sorted by week, then region.

        frame : DataFrame of shape (1872, 11)
            ``region``, ``week``, six media, two controls and ``sales``.
        X : DataFrame of shape (1872, 10)
            ``frame`` without ``sales``.
        y : Series of shape (1872,)
            ``sales``, in euros per week.
        media, controls : list of str
            Column names.
        contributions : DataFrame of shape (1872, 9)
            Euros of sales due to ``baseline``, each control and each channel: the
            truth, rounded to a tenth of a euro.
        expected : Series of shape (1872,)
            Sales without noise, in euros: the row sums of ``contributions``.
        roi : Series of shape (6,)
            True contribution over spend of each channel, euros per euro.
        DESCR : str
            Description of the data.

    (X, y) : tuple if ``return_X_y`` is True
        The DataFrame and the Series described above.

    See Also
    --------
    make_mmm_panel : Simulate such panels.

    Examples
    --------
    >>> from skmmm.datasets import load_mmm_example
    >>> data = load_mmm_example()
    >>> data.frame.shape
    (1872, 11)
    >>> data.media
    ['tv', 'radio', 'paid_search', 'online_video', 'display', 'social']
    >>> share = data.contributions[data.media].sum().sum() / data.expected.sum()
    >>> round(float(share), 3)
    0.3
    """
    frame = _read_table("mmm_example.csv.gz")
    X, y = frame.drop(columns="sales"), frame["sales"]
    if return_X_y:
        return X, y
    truth = _read_table("mmm_example_truth.csv.gz")
    contributions = truth.drop(columns=["region", "week"])
    controls = ["price", "holiday"]
    media = [c for c in X if c not in ["region", "week", *controls]]
    return Bunch(
        frame=frame,
        X=X,
        y=y,
        media=media,
        controls=controls,
        contributions=contributions,
        expected=contributions.sum(axis=1).rename("expected"),
        roi=(contributions[media].sum() / X[media].sum()).rename("roi"),
        DESCR=_DESCR,
    )
