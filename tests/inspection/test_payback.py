"""When an effect has arrived, how far data say so, and when money is back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from sklearn.pipeline import make_pipeline

from helpers import refuses, refuses_from
from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.inspection import payback
from skmmm.inspection._payback import arrival, cut_off, truncation

pytestmark = pytest.mark.usefixtures("short_chains")


def geometric(decay, max_lag):
    weight = decay ** np.arange(max_lag + 1.0)
    return weight / weight.sum()


@pytest.fixture
def priced(panel, arguments):
    """A model of money with a max_lag at which effects have not run out."""
    changed = arguments | {"max_lag": 2, "n_draws": 8, "graph": None}
    model = DeepCausalMMMRegressor(**changed, media_cost={"media_1": 1, "media_2": 2})
    return model.fit(panel.X, panel.y)


# --- arrival --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "periods"),
    [(0.3, 0.5), (0.6, 1.0), (0.75, 1.5), (0.9, 2.0), (0.95, 2.5), (1.0, 3.0)],
)
def test_effects_arrive_evenly_within_a_period(share, periods):
    assert_allclose(arrival(np.array([0.6, 0.3, 0.1]), share), periods)


def test_more_than_all_never_arrives():
    assert arrival(np.array([0.6, 0.4]), 1.01) == np.inf


def test_periods_without_effect_take_time():
    assert_allclose(arrival(np.array([0.0, 0.0, 0.5, 0.5]), 0.25), 2.5)


def test_channels_with_fewer_lags_than_others():
    kernels = np.array([[0.5, 0.5, np.nan, np.nan], [0.25, 0.25, 0.25, 0.25]])
    assert_allclose(arrival(kernels, 0.75), [1.5, 3.0])
    assert_allclose(cut_off(kernels)[0], cut_off(kernels[0, :2]))


def test_what_max_lag_cuts_off_a_geometric_carry_over_is_exact():
    for decay in (0.2, 0.5, 0.8):
        assert_allclose(cut_off(geometric(decay, 4)), decay**5)


def test_carry_over_that_does_not_fall_is_cut_off_too():
    assert cut_off(np.full(4, 0.25)) > 0.5
    assert np.isfinite(cut_off(np.array([0.1, 0.2, 0.7])))
    assert cut_off(np.array([0.7, 0.3, 0.0])) == 0.0
    assert np.isnan(cut_off(np.ones((2, 1)))).all()


# --- tables ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:max_lag cuts off")
def test_times_are_those_of_the_carry_over(fitted):
    table = fitted.payback(shares=(0.25, 0.9))
    total = fitted.carryover()["share"].unstack().cumsum(axis=1).loc[fitted.media_]
    for channel, own in total.iterrows():
        for name, share in (("t25", 0.25), ("t90", 0.9)):
            time = np.interp(share, [0.0, *own], range(fitted.max_lag + 2))
            assert table.loc[channel, name] == pytest.approx(time)
    for name in ("t25", "t90"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
        assert (table[f"{name}_high"] <= fitted.max_lag + 1).all()
    narrow = fitted.payback(confidence_level=0.5)
    assert (narrow["t90_high"] < table["t90_high"]).any()


@pytest.mark.filterwarnings("ignore:max_lag cuts off")
def test_the_prior_is_that_of_the_model(fitted):
    """Quantiles of a Weibull carry-over with the parameters' own priors."""
    rng = np.random.default_rng(0)
    shape = np.exp(rng.normal(0.15, 0.35, 20_000))[:, None]
    scale = np.exp(rng.normal(np.log(2.0), 0.8, 20_000))[:, None]
    age = (np.arange(fitted.max_lag + 1) + 0.5) / scale
    weight = age ** (shape - 1.0) * np.exp(-(age**shape))
    times = arrival(weight / weight.sum(axis=1, keepdims=True), 0.5)
    table = fitted.payback()
    assert_allclose(table["t50_prior_low"], np.quantile(times, 0.05), rtol=0.05)
    assert_allclose(table["t50_prior_high"], np.quantile(times, 0.95), rtol=0.05)


def test_verdicts_say_whether_data_moved_the_prior(panel, fitted, monkeypatch):
    """A channel that spends nothing has the carry-over of its prior."""
    X = panel.X.assign(media_2=0.0)
    model = DeepCausalMMMRegressor(**fitted.get_params()).set_params(graph=None)
    with pytest.warns(UserWarning, match="media_2"):
        model.fit(X, panel.y)
    monkeypatch.setattr(model, "_alarms", ["", "", "one switch"])
    with pytest.warns(UserWarning, match="max_lag cuts off"):
        table = model.payback()
    assert table.loc["media_2", "verdict"] == "prior-driven"
    assert table.loc["media_2", "contraction"] < 0.75
    assert table.loc["media_3", "verdict"] == "not identified"
    assert table.loc["media_1", "verdict"] == "data-driven"
    assert table.loc["media_1", "contraction"] > 0.75


def test_few_draws_have_no_verdict(panel, fast):
    model = DeepCausalMMMRegressor(**fast | {"max_lag": 13}).fit(panel.X, panel.y)
    table = model.payback()
    assert table["verdict"].isna().all()
    assert table["t50_low"].notna().all()
    bare = DeepCausalMMMRegressor(**fast | {"max_lag": 13, "n_draws": 0})
    table = bare.fit(panel.X, panel.y).payback()
    assert table[["t50_low", "t90_high", "contraction"]].isna().all(axis=None)
    assert table["t50_prior_low"].notna().all()


@pytest.mark.parametrize("adstock", ["geometric", "delayed", "free", "gru"])
def test_all_carry_overs_pay_back(adstock, series, fast):
    changed = fast | {"adstock": adstock, "max_lag": 13, "max_iter": 3}
    table = DeepCausalMMMRegressor(**changed).fit(series.X, series.y).payback()
    assert (table["t50"] < table["t90"]).all()
    assert (table["t50_prior_low"] < table["t50_prior_high"]).all()


def test_truncation_is_said(priced):
    with pytest.warns(UserWarning, match="raise max_lag") as caught:
        table = payback(priced)
    assert str(caught[0].message) == truncation(table)
    assert (table["truncated"] == (table["cut_off"] > 0.05)).all()
    named = [name for name in table.index if name in truncation(table)]
    assert named == list(table.index[table["truncated"]])
    assert truncation(table.assign(truncated=False)) == ""


@pytest.mark.filterwarnings("ignore:max_lag cuts off")
def test_money_is_back_at_the_roi_of_the_rows(priced, panel):
    summary = priced.channel_summary(panel.X)
    for value in (0.2, 1.0):
        table = priced.payback(panel.X, value=value)
        total = priced.carryover()["share"].unstack().cumsum(axis=1)
        for channel in ("media_1", "media_2"):
            earned = value * summary.loc[channel, "roi"] * total.loc[channel]
            found = table.loc[channel, "money_back"]
            if earned.iloc[-1] < 1.0:
                assert found == np.inf
            else:
                assert found == pytest.approx(np.interp(1.0, [0.0, *earned], range(4)))
            assert table.loc[channel, "money_back_low"] <= found
            assert found <= table.loc[channel, "money_back_high"]
        assert table.filter(like="_back").loc["media_3"].isna().all()
    assert table["pays_back"].max() == 1.0
    never = priced.payback(panel.X, value=1e-6).loc["media_1"]
    assert never["money_back_low"] == np.inf
    assert never["pays_back"] == 0.0


@pytest.mark.filterwarnings("ignore:max_lag cuts off")
def test_every_way_to_ask(priced, panel):
    expected = priced.payback(value=0.5)
    assert_frame_equal(payback(make_pipeline(priced), value=0.5), expected)
    assert_frame_equal(priced.effects().payback(value=0.5), expected)
    assert_frame_equal(payback(priced, priced.effects(), value=0.5), expected)


def test_questions_without_an_answer(priced, fitted, panel):
    for shares, said in (
        ((0.5, 1.0), "shares: 1.0 must be between 0 and 1."),
        (("half",), "shares: 'half' must be between 0 and 1."),
        ((0.5, 0.5), "shares: 0.5 is named twice."),
        ((), "shares must hold at least one share, such as 0.5."),
    ):
        with refuses(said):
            fitted.payback(shares=shares)
    with refuses_from("value=-1.0 must be a positive number"):
        priced.payback(value=-1.0)
    with refuses_from("value is about money, but no channel has a cost"):
        fitted.payback(value=1.0)
    linear = make_linear_mmm(media=panel.media, region="region", time="week")
    with refuses_from("Carry-over is a part of DeepCausalMMMRegressor"):
        payback(linear.fit(panel.X, panel.y), panel.X)


def test_rows_without_an_order_have_no_payback(fast):
    world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    changed = fast | {"time": None, "region": None, "media": world.media}
    model = DeepCausalMMMRegressor(**changed).fit(world.X, world.y)
    with refuses_from("payback is over periods, so it needs a model with a time"):
        model.payback()


def test_a_model_without_media_has_no_rows(series, fast):
    X = series.X.drop(columns=series.media)
    model = DeepCausalMMMRegressor(**fast | {"media": []}).fit(X, series.y)
    assert len(model.payback()) == 0


def test_without_lags_all_arrives_at_once(series, fast):
    model = DeepCausalMMMRegressor(**fast | {"max_lag": 0}).fit(series.X, series.y)
    table = model.payback()
    assert_allclose(table["t50"], 0.5)
    assert table["cut_off"].isna().all()
    assert not table["truncated"].any()
