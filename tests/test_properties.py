"""Properties that hold for any panel: nothing lost, nothing silent, no order."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skmmm import DeepCausalMMMRegressor
from skmmm.graph import StructuralVAR

# Small panels often hold a channel that never spends or moves; some KPIs are odd.
pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings(
        "ignore:.*(in any training row|hardly moves|in every training row)"
    ),
    pytest.mark.filterwarnings("ignore:The KPI "),
]
few = settings(max_examples=7, deadline=None, derandomize=True)
CONTROLS = ["price", "holiday"]


def make_rows(rng, n_regions, n_periods, n_media, n_controls):
    """Return a complete panel sorted by region and week, and a KPI."""
    n_rows = n_regions * n_periods
    X = pd.DataFrame(
        {
            "region": np.repeat([f"r{i}" for i in range(n_regions)], n_periods),
            "week": np.tile(
                pd.date_range("2023-01-02", periods=n_periods, freq="7D"), n_regions
            ),
        }
    )
    for m in range(n_media):
        spend = rng.gamma(1.0, 10.0 ** rng.integers(-2, 6), n_rows)
        X[f"m{m}"] = np.where(rng.uniform(size=n_rows) < 0.3, 0.0, spend)
    for name in CONTROLS[:n_controls]:
        X[name] = rng.normal(size=n_rows)
    media = X[[c for c in X if c.startswith("m")]]
    response = (media / (media + media.mean())).sum(axis=1)
    y = 10.0 ** rng.integers(-2, 6) * (3.0 + response + 0.1 * rng.normal(size=n_rows))
    return X, y


@st.composite
def panels(draw, *, min_periods=8):
    """Draw a panel whose numbers are harmless, rows in some order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    X, y = make_rows(
        rng,
        draw(st.integers(1, 3)),
        draw(st.integers(min_periods, 16)),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 2)),
    )
    order = rng.permutation(len(X))
    X, y = X.iloc[order], y.iloc[order]
    share = draw(st.sampled_from([0.0, 0.1, 0.4]))
    kept = rng.uniform(size=len(X)) >= share
    # Enough weeks stay to know that they are weeks, and to train on the first.
    weeks = np.unique(X["week"])
    kept |= X["week"].isin(weeks[[0, 1, min(4, len(weeks) - 1), -1]])
    if draw(st.booleans()):  # one region starts late or ends early
        middle = weeks[len(weeks) // 2]
        absent = X["week"] < middle if draw(st.booleans()) else X["week"] > middle
        kept &= ~absent | (X["region"] != "r1")
    return X[kept], y[kept]


def make_model(X, **params):
    defaults = {
        "region": "region",
        "time": "week",
        "controls": [c for c in X if c in CONTROLS],
        "max_lag": 3,
        "n_draws": 0,
        "max_iter": 3,
        "graph": None,
        "n_hidden": 1,
        "n_harmonics": 1,
        "gap": "mask",
        "unseen_region": "average",
        "random_state": 0,
    }
    return DeepCausalMMMRegressor(**defaults | params)


def channels(X):
    return [c for c in X if c.startswith("m")]


def split_last(X, n_weeks):
    future = X["week"] > X["week"].max() - pd.Timedelta(weeks=n_weeks)
    return ~future, future


# --- finite, or refused by name -----------------------------------------------------

SPEND = {
    "usual": lambda rng, x: x,
    "huge": lambda rng, x: x * 1e100,
    "tiny": lambda rng, x: x * 1e-100,
    "one week": lambda rng, x: np.where(np.arange(len(x)) == len(x) // 2, 5.0, 0.0),
    "steady": lambda rng, x: np.full(len(x), 7.0),
    "none": lambda rng, x: np.zeros(len(x)),
    "outlier": lambda rng, x: np.where(np.arange(len(x)) == 3, 1e9, 1.0 + x),
    "first week missing": lambda rng, x: np.where(np.arange(len(x)) == 0, np.nan, x),
}
KPI = {
    "usual": lambda rng, y: y,
    "zero": lambda rng, y: 0.0 * y,
    "constant": lambda rng, y: 0.0 * y + 3.0,
    "around zero": lambda rng, y: rng.normal(size=len(y)),
    "negative": lambda rng, y: -y,
    "huge": lambda rng, y: y * 1e100,
    "tiny": lambda rng, y: y * 1e-100,
    "one order": lambda rng, y: np.where(np.arange(len(y)) == 2, 1.0, 0.0),
    "outlier": lambda rng, y: np.where(np.arange(len(y)) == 5, 1e6 * y, y),
    "infinite": lambda rng, y: np.where(np.arange(len(y)) == 1, np.inf, y),
}
DTYPES = ["float64", "float32", "Float64", "object"]
REFUSED = re.compile(
    "Input X contains (NaN|infinity): column '.+' at (region '.+', time|row .+, reg)|"
    "The KPI stands still in all training rows, at .*|"
    "Input y contains infinity at (region '.+', time|row .+, reg)|"
    "(Column '.+'|The KPI) is .+ at (region '.+', time|row .+, reg).+, too small to |"
    r"X has \d+ periods, but max_lag="
)


@settings(few, max_examples=50)
@given(
    panel=panels(min_periods=3),
    seed=st.integers(0, 2**32),
    spend=st.sampled_from(sorted(SPEND)),
    kpi=st.sampled_from(sorted(KPI)),
    dtype=st.sampled_from(DTYPES),
    ordered=st.booleans(),
    loss=st.sampled_from(["huber", "student_t"]),
    adstock=st.sampled_from(["geometric", "delayed", "weibull"]),
)
def test_finite_or_refused_by_name(
    panel, seed, spend, kpi, dtype, ordered, loss, adstock
):
    X, y = panel
    rng = np.random.default_rng(seed)
    X = X.assign(m0=SPEND[spend](rng, X["m0"].to_numpy()))
    y = KPI[kpi](rng, y.to_numpy())
    with np.errstate(over="ignore", under="ignore"):
        X = X.astype(
            dict.fromkeys([c for c in X if c not in ("region", "week")], dtype)
        )
    graph = StructuralVAR(n_bootstraps=1)
    model = make_model(X, loss=loss, adstock=adstock, n_draws=2, graph=graph)
    if not ordered:
        X = X.drop(columns="week")
        model.set_params(time=None)
    try:
        model.fit(X, y)
    except ValueError as error:
        if REFUSED.match(str(error)):
            return
        raise
    predicted = model.predict(X)
    assert predicted.shape == (len(X),)
    assert predicted.dtype == np.float64
    assert np.isfinite(predicted).all()
    interval = model.predict_interval(X)
    assert np.isfinite(interval).all()
    assert (interval[:, 0] <= interval[:, 1]).all()
    contributions = model.contributions()
    assert np.isfinite(contributions).all(axis=None)
    assert_array_equal(contributions.index, X.index)
    assert np.isfinite(model.channel_summary()["contribution"]).all()
    assert np.isfinite(model.coef_).all()


@few
@given(panel=panels(), n_before=st.integers(-3, 25), share=st.floats(0.1, 0.9))
def test_any_rows_can_be_predicted_across_gaps(panel, n_before, share):
    X, y = panel
    model = make_model(X, n_draws=2).fit(X, y)
    shifted = X.assign(week=X["week"] + pd.Timedelta(weeks=n_before))
    some = shifted.sample(frac=share, random_state=0)
    other = some.assign(region="elsewhere").drop_duplicates("week")
    asked = pd.concat([some, other])
    predicted = model.predict(asked)
    assert np.isfinite(predicted).all()
    assert np.isfinite(model.predict_interval(asked)).all()
    assert_allclose(model.contributions(asked).sum(axis=1), predicted, rtol=1e-6)


# --- no order -----------------------------------------------------------------------


@few
@given(panel=panels(), seed=st.integers(0, 2**32), ordered=st.booleans())
def test_order_of_rows(panel, seed, ordered):
    X, y = panel
    model = make_model(X, n_draws=2)
    if not ordered:
        X = X.drop(columns="week")
        model.set_params(time=None)
    first = model.fit(X, y).predict(X)
    interval = model.predict_interval(X)
    order = np.random.default_rng(seed).permutation(len(X))
    model.fit(X.iloc[order], y.iloc[order])
    assert_allclose(model.predict(X), first, rtol=1e-12)
    assert_allclose(model.predict(X.iloc[order]), first[order], rtol=1e-12)
    assert_allclose(model.predict_interval(X), interval, rtol=1e-9)


@few
@given(panel=panels(), seed=st.integers(0, 2**32))
def test_order_of_columns(panel, seed):
    X, y = panel
    model = make_model(X).fit(X, y)
    predicted, summary = model.predict(X), model.channel_summary()
    other = X[np.random.default_rng(seed).permutation(X.columns)]
    model.fit(other, y)
    assert_allclose(model.predict(other), predicted, rtol=1e-5)
    again = model.channel_summary().loc[summary.index]
    assert_allclose(again["contribution"], summary["contribution"], rtol=1e-5)


@few
@given(panel=panels(), seed=st.integers(0, 2**32))
def test_names_of_columns(panel, seed):
    X, y = panel
    names = np.random.default_rng(seed).permutation(["tv", "a", "zoo", "M", "x"])
    new = dict(zip(X.columns[2:], names, strict=False))
    model = make_model(X).fit(X, y)
    predicted, summary = model.predict(X), model.channel_summary()
    renamed = X.rename(columns=new)
    controls = [new[c] for c in X if c in CONTROLS]
    model.set_params(controls=controls).fit(renamed, y)
    assert_allclose(model.predict(renamed), predicted, rtol=1e-5)
    again = model.channel_summary()["contribution"]
    assert_allclose(again, summary["contribution"], rtol=1e-4)


# --- effects ------------------------------------------------------------------------


@few
@given(panel=panels())
def test_contributions_sum_to_the_prediction(panel):
    X, y = panel
    train, future = split_last(X, 3)
    model = make_model(X).fit(X[train], y[train])
    for rows in (X[train], X[future], X):
        contributions = model.contributions(rows)
        assert_array_equal(contributions.index, rows.index)
        assert list(contributions) == ["baseline", *X.columns[2:]]
        assert_allclose(contributions.sum(axis=1), model.predict(rows), rtol=1e-6)


@few
@given(panel=panels(), factor=st.sampled_from([0.5, 2.0]))
def test_scaled_spend_is_not_the_same_spend(panel, factor):
    X, y = panel
    model = make_model(X).fit(X, y)
    other = X.assign(**{c: factor * X[c] for c in channels(X)})
    change = np.sign(factor - 1) * (model.predict(other) - model.predict(X))
    assert (change >= -1e-12 * np.abs(y).mean()).all()
    assert change.max() > 1e-6 * np.abs(y).mean()


@few
@given(panel=panels(), data=st.data())
def test_no_spend_of_one_channel_leaves_the_others(panel, data):
    X, y = panel
    channel = data.draw(st.sampled_from(channels(X)))
    model = make_model(X).fit(X, y)
    before = model.contributions()
    after = model.contributions(X.assign(**{channel: 0.0}))
    others = before.columns.drop(channel)
    assert_allclose(after[others], before[others], rtol=1e-12)
    assert_allclose(after[channel], 0.0, atol=1e-9 * np.abs(y).mean())
    # The definition of a contribution.
    lost = model.predict(X) - model.predict(X.assign(**{channel: 0.0}))
    assert_allclose(lost, before[channel], atol=1e-9 * np.abs(y).mean())


@few
@given(panel=panels(min_periods=12), n_weeks=st.integers(1, 6))
def test_prediction_continues_training(panel, n_weeks):
    X, y = panel
    train, future = split_last(X, n_weeks)
    model = make_model(X).fit(X[train], y[train])
    alone = model.predict(X[future])
    assert_allclose(model.predict(X)[future], alone, rtol=1e-12)
    # Spend of the training window carries over, without being passed again.
    last = X["week"] == X.loc[train, "week"].max()
    louder = X.assign(**{c: X[c] + 10 * X[c].max() * last for c in channels(X)})
    both = model.predict(louder)[future]
    first = X.loc[future, "week"].min()
    assert (both >= alone - 1e-9 * np.abs(y).mean()).all()
    if (first - X.loc[train, "week"].max()).days == 7:
        assert (both > alone).any()
