"""Placebos earn nothing in a sound model; ROI moves only where it should."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.inspection import block_stability, placebo_channel, refresh_stability
from skmmm.inspection._placebo import _credit, _orders, _series, _verdict

STABILITY = [block_stability, refresh_stability]
ALL = [*STABILITY, placebo_channel]


def linear(world, **arguments):
    return make_linear_mmm(media=world.media, region="region", time="week", **arguments)


@pytest.fixture
def model(panel):
    return linear(panel, controls=panel.controls)


@pytest.fixture(scope="module")
def shop():
    """One region without noise: the KPI is 100 + 2 tv + 3 radio, exactly."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"week": np.arange(40), "tv": 0.0, "radio": 0.0})
    X[["tv", "radio"]] = rng.exponential(10.0, (40, 2))
    return X, 100.0 + 2.0 * X["tv"] + 3.0 * X["radio"]


def regression():
    """Least squares on tv and radio; dropping the week is the first step."""
    drop = FunctionTransformer(lambda X: X[["tv", "radio"]])
    return make_pipeline(drop, LinearRegression())


class Unweighted(RegressorMixin, BaseEstimator):
    """Least squares that takes no weights and remembers the weeks it saw."""

    media_ = ("tv", "radio")

    def fit(self, X, y):
        self.weeks_ = X["week"].to_numpy()
        self.model_ = LinearRegression().fit(X[list(self.media_)], y)
        return self

    def predict(self, X):
        return self.model_.predict(X[list(self.media_)])


# Placebos


def test_real_spend_passes_and_placebos_earn_little(panel, model):
    table = placebo_channel(model, panel.X, panel.y, media=panel.media, random_state=0)
    assert list(table.index) == panel.media
    flights = table.loc["media_1"]
    assert flights["verdict"] == "passes"
    assert flights["placebo_share"] < 0.02 < flights["share"]
    fitted = clone(model).fit(panel.X, panel.y)
    lost = fitted.predict(panel.X) - fitted.predict(panel.X.assign(media_1=0.0))
    assert_allclose(flights["contribution"], lost.sum())
    assert_allclose(flights["share"], lost.sum() / panel.y.sum())
    assert np.isnan(flights["contribution_low"])


def test_placebo_is_credited_for_its_own_spend(panel, model):
    asked = {"channels": ["media_2"], "media": panel.media, "n_repeats": 1}
    table = placebo_channel(model, panel.X, panel.y, random_state=5, **asked)
    series = np.split(np.lexsort((panel.X["week"], panel.X["region"])), 3)
    (order,) = _orders(series, True, 1, np.random.RandomState(5))
    moved = panel.X.assign(media_2=panel.X["media_2"].to_numpy()[order])
    fitted = clone(model).fit(moved, panel.y)
    lost = fitted.predict(moved) - fitted.predict(moved.assign(media_2=0.0))
    assert_allclose(table.loc["media_2", "placebo"], lost.sum())


def test_kpi_with_unknown_movements_fails():
    # A random walk that no channel causes, and spend that wanders as well.
    rng = np.random.default_rng(1)
    weeks = pd.date_range("2021-01-04", periods=156, freq="W-MON")
    walks = rng.normal(size=(156, 5)).cumsum(axis=0)
    walks -= walks.min(axis=0)
    names = ["a", "b", "c", "d"]
    X = pd.DataFrame(walks[:, :4], columns=names).assign(week=weeks)
    wrong = make_linear_mmm(media=names, season_order=0)
    y = 50.0 + walks[:, 4]
    # Of the four, the model credits the first one only.
    table = placebo_channel(
        wrong, X, y, ["a"], media=names, time="week", n_repeats=9, random_state=0
    )
    assert table.loc["a", "contribution"] > 0.02 * y.sum()
    assert table.loc["a", "verdict"] == "fails"


def test_spend_that_is_noise_earns_no_more_than_its_placebos(panel, model):
    rng = np.random.default_rng(3)
    y = panel.y - panel.contributions["media_2"]
    X = panel.X.assign(media_2=rng.exponential(100.0, len(y)))
    table = placebo_channel(
        model, X, y, ["media_2"], media=panel.media, n_repeats=9, random_state=0
    )
    assert list(table.index) == ["media_2"]
    assert table.loc["media_2", "verdict"] != "passes"


def test_placebo_of_the_deep_model_has_bounds(panel, fast):
    model = DeepCausalMMMRegressor(media=panel.media, **fast | {"graph": "svar"})
    with pytest.warns(ConvergenceWarning, match="The first of 1 such warnings"):
        table = placebo_channel(
            model, panel.X, panel.y, ["media_1"], n_repeats=1, random_state=0
        )
    row = table.loc["media_1"]
    whole = clone(model).set_params(graph=None).fit(panel.X, panel.y)
    summary = whole.channel_summary().loc["media_1"]
    for name in ("contribution", "contribution_low", "contribution_high"):
        assert_allclose(row[name], summary[name])
    assert row["placebo_low"] <= row["placebo"]
    assert row["placebo_low"] <= row["contribution_low"]
    assert model.get_params()["graph"] == "svar"


@pytest.mark.parametrize(
    ("credit", "others", "verdict"),
    [
        (8, [1, 2, 4], "passes"),
        (8, [1, 2, 4.1], "cannot tell"),
        (8, [1, 2, 9], "fails"),
        (8, [8, 8, 8], "cannot tell"),  # the placebo is the real spend
        (0, [0, 0, 0], "cannot tell"),
        (8, [9] + 9 * [0], "passes"),  # one in ten by chance
        (8, [9, 9] + 8 * [0], "fails"),
    ],
)
def test_verdict(credit, others, verdict):
    others = np.array(others)
    sure, others_sure = credit > 0, others > 0
    assert _verdict(credit, others, sure=sure, others_sure=others_sure) == verdict


@pytest.mark.parametrize(
    ("others", "others_sure", "verdict"),
    [
        ([0, 0, 0], [False, False, False], "cannot tell"),
        ([9, 9, 9], [False, False, False], "cannot tell"),
        ([9, 0, 0], [False, True, False], "cannot tell"),
        ([9, 0, 0], [True, False, False], "fails"),
    ],
)
def test_verdict_on_an_unsure_estimate(others, others_sure, verdict):
    others, others_sure = np.array(others), np.array(others_sure)
    assert _verdict(8, others, sure=False, others_sure=others_sure) == verdict


def test_credit_is_the_bound_nearer_to_zero():
    table = pd.DataFrame(
        [[5, 2, 9], [-5, -9, -2], [5, -1, 9], [-5, np.nan, np.nan]],
        columns=["contribution", "contribution_low", "contribution_high"],
    )
    assert_allclose(_credit(table), [2, 2, 0, 5])


def test_placebo_keeps_runs_and_is_the_same_shift_everywhere():
    code, period = np.repeat([0, 1], 40), np.tile(np.arange(40), 2)
    mixed = np.random.default_rng(0).permutation(80)
    code, period = code[mixed], period[mixed]
    series = _series(code, period)
    shifts = []
    for order in _orders(series, True, 4, np.random.RandomState(0)):
        assert_array_equal(np.sort(order), np.arange(80))
        assert_array_equal(code[order], code)
        shift = (period - period[order]) % 40
        assert len(set(shift)) == 1
        shifts.append(shift[0])
    assert min(shifts) >= 5
    assert max(shifts) <= 35
    assert shifts == sorted(set(shifts))


def test_rows_without_order_are_permuted_within_regions():
    code = np.repeat([0, 1], 30)
    (order,) = _orders(_series(code, None), False, 1, np.random.RandomState(0))
    assert_array_equal(code[order], code)
    assert_array_equal(np.sort(order), np.arange(60))
    assert np.ptp((order - np.arange(60))[:30]) > 0


def test_constant_spend_cannot_be_refuted(panel, model):
    # Every region spends its own amount every week, and earns by it.
    amount = panel.X["region"].map({"region_1": 9.0, "region_2": 5.0, "region_3": 1.0})
    X, y = panel.X.assign(media_1=amount), panel.y * (1 + amount / 9)
    free = make_pipeline(
        FunctionTransformer(lambda X: X[panel.media]), LinearRegression()
    )
    table = placebo_channel(
        free, X, y, ["media_1"], media=panel.media, region="region", time="week"
    )
    assert table.loc["media_1", "contribution"] > 0
    assert table.loc["media_1", "placebo_ratio"] == 1
    assert table.loc["media_1", "verdict"] == "cannot tell"


def test_same_random_state_same_placebos(shop):
    X, y = shop
    asked = {"channels": ["tv"], "time": "week"}
    first, again, other = (
        placebo_channel(Unweighted(), X, y, random_state=seed, **asked)
        for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(first, again)
    assert other.loc["tv", "placebo"] != first.loc["tv", "placebo"]
    assert other.loc["tv", "contribution"] == first.loc["tv", "contribution"]


# Stability


@pytest.mark.parametrize("ask", STABILITY)
def test_nothing_moves_where_the_model_is_exact(shop, ask):
    X, y = shop
    table = ask(regression(), X, y, time="week", media=["tv", "radio"])
    assert table.index.names[0] == "channel"
    roi = table.drop(columns=["start", "end", "change"])
    assert_allclose(roi.loc["tv"], 2.0)
    assert_allclose(roi.loc["radio"], 3.0)
    assert_allclose(table["change"], 0.0, atol=1e-9)


def test_the_block_that_differs_is_found(shop):
    X, y = shop
    y = y + np.where(X["week"].between(10, 19), 4.0 * X["tv"], 0.0)
    shuffled = np.random.default_rng(0).permutation(40)
    table = block_stability(
        regression(),
        X.iloc[shuffled],
        y.iloc[shuffled],
        n_blocks=4,
        time="week",
        media=["tv", "radio"],
    )
    assert table.shape == (8, 5)
    tv = table.loc["tv"]
    assert tv["start"].tolist() == [0, 10, 20, 30]
    assert tv["end"].tolist() == [9, 19, 29, 39]
    assert tv["change"].idxmin() == 1
    assert_allclose(tv.loc[1, "roi_without"], 2.0)
    assert_allclose(tv["change"], tv["roi_without"] / tv["roi"] - 1)


def test_the_refresh_that_differs_is_found(shop):
    X, y = shop
    y = y + np.where(X["week"] >= 36, 4.0 * X["tv"], 0.0)
    table = refresh_stability(
        regression(), X, y, n_periods=4, time="week", media=["tv", "radio"]
    )
    tv = table.loc["tv"]
    assert tv.index.tolist() == [1, 2, 3]
    assert tv["start"].tolist() == [28, 32, 36]
    assert tv["end"].tolist() == [31, 35, 39]
    assert_allclose(tv.loc[[1, 2], "change"], 0.0, atol=1e-9)
    assert tv.loc[3, "change"] > 0.05
    assert_allclose(tv.loc[3, "roi_before"], 2.0)


def test_roi_is_of_all_rows(panel, model):
    table = block_stability(model, panel.X, panel.y, n_blocks=2, media=panel.media)
    weeks = np.sort(panel.X["week"].unique())
    weight = (panel.X["week"] >= weeks[30]).to_numpy(dtype=float)
    fitted = clone(model).fit(panel.X, panel.y, ridge__sample_weight=weight)
    lost = fitted.predict(panel.X) - fitted.predict(panel.X.assign(media_3=0.0))
    expected = lost.sum() / panel.X["media_3"].sum()
    assert_allclose(table.loc[("media_3", 0), "roi_without"], expected)
    assert table.loc[("media_3", 0), "end"] == weeks[29]


def test_refreshed_roi_is_of_the_rows_that_both_saw(panel, model):
    X, y, weeks = panel.X, panel.y, np.sort(panel.X["week"].unique())
    table = refresh_stability(model, X, y, n_periods=6, media=panel.media)
    seen, later = X["week"] < weeks[42], X["week"] < weeks[48]
    for rows, name in ((seen, "roi_before"), (later, "roi_after")):
        fitted = clone(model).fit(X[rows], y[rows])
        lost = fitted.predict(X[seen]) - fitted.predict(X[seen].assign(media_1=0.0))
        expected = lost.sum() / X.loc[seen, "media_1"].sum()
        assert_allclose(table.loc[("media_1", 1), name], expected)


def test_deep_model_gives_weight_zero(panel, fast):
    model = DeepCausalMMMRegressor(media=panel.media, **fast)
    with pytest.warns(ConvergenceWarning, match="The first of 3 such warnings"):
        table = block_stability(model, panel.X, panel.y, n_blocks=2)
    weight = panel.X["week"] >= np.sort(panel.X["week"].unique())[30]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        point = clone(model).set_params(n_draws=0)
        fitted = clone(point).fit(panel.X, panel.y, sample_weight=weight)
        whole = clone(point).fit(panel.X, panel.y)
    roi = table["roi_without"].xs(0, level="block")
    # Refits are at the mode; the graph, which they leave out, moves nothing.
    assert_allclose(roi, fitted.channel_summary(panel.X)["roi"])
    assert_allclose(
        table["roi"].xs(1, level="block"), whole.channel_summary(panel.X)["roi"]
    )


def test_rows_are_dropped_where_there_are_no_weights(shop):
    X, y = shop
    seen = []

    class Noting(Unweighted):
        def fit(self, X, y):
            seen.append(sorted(X["week"]))
            return super().fit(X, y)

    table = block_stability(Noting(), X, y, n_blocks=2, time="week")
    assert seen == [list(range(40)), list(range(20, 40)), list(range(20))]
    assert_allclose(table["roi_without"].loc["radio"], 3.0)


@pytest.mark.parametrize("kind", ["iso", "datetime", "integer", "period"])
def test_kinds_of_time(shop, kind):
    X, y = shop
    monday = pd.Timestamp("2021-01-04") + pd.to_timedelta(7 * X["week"], unit="D")
    time = {
        "iso": monday.dt.strftime("%Y-%m-%d"),
        "datetime": monday,
        "integer": 7 * X["week"] - 3,
        "period": monday.dt.to_period("D"),
    }[kind]
    table = block_stability(Unweighted(), X.assign(week=time), y, time="week")
    assert table.loc[("tv", 1), "start"] == time[8]
    assert table.loc[("tv", 1), "end"] == time[15]


@pytest.mark.parametrize("ask", ALL)
def test_arrays(panel, ask):
    media, names = [2, 3], ["media_1", "media_2"]
    columns = ["region", "week", *names]
    week = panel.X["week"].rank(method="dense").astype(int)
    X = panel.X[columns].assign(week=week, region=panel.X["region"].str[-1].astype(int))
    asked = {
        placebo_channel: {"n_repeats": 1, "random_state": 0},
        block_stability: {"n_blocks": 2},
        refresh_stability: {"n_refreshes": 1},
    }[ask]
    table = ask(
        make_linear_mmm(media=media, region=0, time=1),
        X.to_numpy(),
        panel.y.to_numpy(),
        media=media,
        **asked,
    )
    named = ask(
        make_linear_mmm(media=names, region="region", time="week"),
        X,
        panel.y,
        media=names,
        **asked,
    )
    for column in table.select_dtypes("number"):
        assert_allclose(table[column], named[column], err_msg=column)


# What is refused


@pytest.mark.parametrize("ask", ALL)
def test_media_have_to_be_known(shop, ask):
    X, y = shop
    with pytest.raises(ValueError, match=r"Pipeline does not say .* pass media="):
        ask(regression(), X, y, time="week")


@pytest.mark.parametrize("ask", STABILITY)
def test_time_has_to_be_known(shop, ask):
    X, y = shop
    with pytest.raises(ValueError, match=r"needs the period .* time="):
        ask(Unweighted(), X, y)


@pytest.mark.parametrize("ask", ALL)
def test_forgotten_region(panel, ask):
    model = make_linear_mmm(media=panel.media)
    with pytest.raises(ValueError, match=r"several rows for time 2021-01-04.*region="):
        ask(model, panel.X, panel.y, media=panel.media, time="week")


@pytest.mark.parametrize(
    ("ask", "arguments", "message"),
    [
        (placebo_channel, {"channels": ["price"]}, "channels names 'price', which is"),
        (placebo_channel, {"channels": ["tv"]}, "channels='tv' is not a column of X"),
        (placebo_channel, {"n_repeats": 0}, "n_repeats must be an integer of at"),
        (block_stability, {"n_blocks": 1}, "n_blocks must be an integer of at least 2"),
        (block_stability, {"n_blocks": 61}, "60 periods, too few for n_blocks=61"),
        (refresh_stability, {"n_periods": 0}, "n_periods must be an integer"),
        (refresh_stability, {"n_refreshes": True}, "n_refreshes must be an integer"),
        (refresh_stability, {"n_periods": 30}, "leave 0 for the first fit"),
    ],
)
def test_refused(panel, model, ask, arguments, message):
    with pytest.raises(ValueError, match=message):
        ask(model, panel.X, panel.y, media=panel.media, **arguments)


def test_too_few_periods_to_shift(shop):
    X, y = shop
    with pytest.raises(ValueError, match="7 periods; placebo_channel shifts spend"):
        placebo_channel(Unweighted(), X[:7], y[:7], time="week")


def test_channel_that_starts_with_a_refresh(shop):
    X, y = shop
    X = X.assign(tv=X["tv"].where(X["week"] >= 30, 0.0))
    with pytest.raises(ValueError, match=r"'tv' has no spend before .* starts at 28"):
        refresh_stability(regression(), X, y, time="week", media=["tv", "radio"])


def test_data_and_estimator_stay_as_they_were(shop):
    (X, y), model = shop, regression()
    before, parameters = X.copy(), repr(model)
    for ask in ALL:
        ask(model, X, y, media=["tv", "radio"], time="week")
    pd.testing.assert_frame_equal(X, before)
    assert repr(model) == parameters
    assert not hasattr(model[-1], "coef_")


def test_bad_kpi_is_named(panel, model):
    y = panel.y.to_numpy(copy=True)
    y[4] = np.nan
    with pytest.raises(ValueError, match=r"NaN at region 'region_2', time 2021-01-11"):
        block_stability(model, panel.X, y, media=panel.media)
