"""Rows of later periods move a fitted model, and enter once."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skmmm import DeepCausalMMMRegressor
from skmmm._model.likelihood import make_target
from skmmm._model.outcome import OutcomeModel

WEEKS = 52  # of 60 that the model is fitted to


@pytest.fixture(scope="module")
def parts(panel):
    """Rows and KPI of the first weeks, and of those that come in."""
    week = panel.X["week"].rank(method="dense").to_numpy()
    early, y = week <= WEEKS, panel.y.to_numpy()
    return panel.X[early], y[early], panel.X[~early], y[~early]


@pytest.fixture(scope="module")
def before(parts, arguments, short_chains):
    """A model of the first weeks; not to be changed."""
    return DeepCausalMMMRegressor(
        **arguments | {"n_draws": 16, "max_iter": 60, "graph": None, "random_state": 2}
    ).fit(*parts[:2])


def took_in(model, X, y, **settings):
    """Return a copy of a model that took in rows."""
    copied = DeepCausalMMMRegressor.__new__(DeepCausalMMMRegressor)
    copied.__dict__ = dict(model.__dict__)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "With the new rows an alarm")  # by chance
        return copied.set_params(**settings).partial_fit(X, y)


def in_spread(model):
    """Return how each parameter's draws spread around the point, flattened."""
    draws, network = model._model.draws, model._model.network
    away = [
        (getattr(draws, name) - getattr(network, name)).flatten(1)
        for name in ("shared", "regional")
    ]
    return np.concatenate([part.square().mean(dim=0).numpy() for part in away])


def test_new_rows_are_training_rows_afterwards(before, parts, panel):
    after = took_in(before, *parts[2:])
    assert len(after.contributions()) == len(panel.X)
    assert list(after.contributions().index) == [*parts[0].index, *parts[2].index]
    # The level now has seen them: what it says of them is closer.
    missed = [np.abs(m.predict(parts[2]) - parts[3]).mean() for m in (before, after)]
    assert missed[1] < missed[0]


def test_the_model_before_is_as_it_was(before, parts):
    said = before.predict(parts[2])
    took_in(before, *parts[2:])
    np.testing.assert_array_equal(before.predict(parts[2]), said)


def test_same_rows_same_answer_and_other_errors_at_every_call(before, parts):
    first, again = (took_in(before, *parts[2:]) for _ in range(2))
    np.testing.assert_array_equal(first._model.draws.shared, again._model.draws.shared)
    other = took_in(before, *parts[2:], random_state=1)
    assert (first._model.draws.shared != other._model.draws.shared).any()
    np.testing.assert_array_equal(
        first._model.network.shared, other._model.network.shared
    )


def test_order_of_rows_does_not_matter(before, parts):
    X, y = parts[2:]
    order = np.random.default_rng(0).permutation(len(y))
    expected = took_in(before, X, y).predict(parts[0])
    found = took_in(before, X.iloc[order], y[order]).predict(parts[0])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_two_calls_come_to_about_the_same_as_one(before, parts):
    X, y = parts[2:]
    week = X["week"].rank(method="dense").to_numpy()
    once, twice = took_in(before, X, y), before
    for own in (week <= 4, week > 4):
        twice = took_in(twice, X[own], y[own])
    moved = [np.abs(m.coef_ - before.coef_).max() for m in (once, twice)]
    assert moved[0] > 0
    apart = np.abs(once.coef_ - twice.coef_).max()
    assert apart < 0.5 * moved[0]


def test_rows_enter_once(parts, arguments, panel):
    """A linear model, where that is exact: the same as a fit to all rows."""
    settings = arguments | {
        "media": [],
        "max_lag": 0,
        "n_hidden": 0,
        "n_harmonics": 1,
        "n_draws": 128,
        "max_iter": 200,
        "graph": None,
    }
    X, y, more, z = parts
    columns = ["region", "week", *panel.controls]
    model = DeepCausalMMMRegressor(**settings).fit(X[columns], y)
    whole = clone(model).fit(panel.X[columns], panel.y)
    before = model.control_coef_, in_spread(model)
    model = took_in(model, more[columns], z)
    sd = whole._model.summary(draws=True)["control_coef"].std(axis=0)
    assert (np.abs(model.control_coef_ - whole.control_coef_) < 0.5 * sd).all()
    # 8 of 60 weeks: hardly less is known without them, and no more with them.
    ratio = in_spread(model) / before[1]
    assert 0.8 < np.median(ratio) <= 1.02
    assert 0.7 < np.median(in_spread(model) / in_spread(whole)) < 1.5


def test_without_draws_the_mode_moves_like_that_of_all_rows(parts, fast, panel):
    settings = fast | {"n_draws": 0, "max_iter": 300}
    model = DeepCausalMMMRegressor(**settings).fit(*parts[:2])
    whole = clone(model).fit(panel.X, panel.y)
    after = took_in(model, *parts[2:])
    apart = [np.abs(m.coef_ / whole.coef_ - 1.0).mean() for m in (model, after)]
    assert apart[1] < apart[0]


def test_saved_and_loaded_it_goes_on(before, parts, tmp_path):
    X, y = parts[2:]
    first = X["week"] < X["week"].sort_values().iloc[-1]
    after = took_in(before, X[first], y[first])
    after.save(tmp_path / "after.skmmm")
    read = DeepCausalMMMRegressor.load(tmp_path / "after.skmmm")
    np.testing.assert_array_equal(read.predict(X), after.predict(X))
    assert not before._model.refreshed
    assert read._model.refreshed
    last = X[~first], y[~first]
    np.testing.assert_array_equal(
        read.partial_fit(*last).coef_, took_in(after, *last).coef_
    )


def test_a_model_that_was_not_fitted_is_fitted(parts, fast):
    fitted = DeepCausalMMMRegressor(**fast).fit(*parts[:2])
    found = DeepCausalMMMRegressor(**fast).partial_fit(*parts[:2])
    np.testing.assert_array_equal(found.coef_, fitted.coef_)


def test_rows_that_something_has_changed_are_told(before, parts, recwarn):
    X, y = parts[2:]
    took_in(before, X, y)
    assert not [w for w in recwarn if "likelier than" in str(w.message)]
    with pytest.warns(UserWarning, match="are likelier than the new ones"):
        took_in(before, X, 3.0 * y)


def test_a_shock_does_not_make_all_shocks_large(parts, arguments):
    X, y, more, z = parts
    settings = arguments | {"n_draws": 16, "max_iter": 60, "graph": None}
    before = DeepCausalMMMRegressor(**settings).fit(X, y)
    week = more["week"].rank(method="dense").to_numpy()
    low, high = took_in(before, more, z).predict_interval(more).T
    with pytest.warns(UserWarning, match="are likelier than the new ones"):
        shocked = took_in(before, more, np.where(week == 2, 1.5 * z, z))
    ends = shocked.predict_interval(more).T
    assert (ends[1] - ends[0]).mean() < 3.0 * (high - low).mean()


def test_no_channel_is_data_driven_after_a_surprise(before, parts, tmp_path):
    X, y = parts[2:]
    week = X["week"].rank(method="dense").to_numpy()
    first, then = week <= 4, week > 4
    with pytest.warns(UserWarning, match="No channel is called data-driven"):
        after = took_in(before, X[first], 3.0 * y[first])
    assert set(after.channel_summary()["verdict"]) == {"not identified"}
    # Nor after rows that are as usual, nor once more from a file: only a fit may.
    after.save(tmp_path / "after.skmmm")
    read = DeepCausalMMMRegressor.load(tmp_path / "after.skmmm")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = read.predict(X[then])
        alarms = took_in(read, X[then], expected).channel_summary()["alarm"]
    assert not [w for w in caught if "likelier than" in str(w.message)]
    assert (alarms == "later rows surprised the model").all()


def test_experiments_go_on_counting(parts, fast):
    X, y, more, z = parts
    tests = pd.DataFrame(
        {
            "media": ["media_1"],
            "start": [X["week"].min()],
            "end": [X["week"].max()],
            "change": [0.0],
            "estimate": [-2e5],
            "std_error": [1e2],
        }
    )
    told = []
    for experiments in (None, tests):
        settings = fast | {"n_draws": 8, "experiments": experiments}
        model = DeepCausalMMMRegressor(**settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what they say
            after = took_in(model.fit(X, y), more, z)
        told.append(after.contributions().loc[X.index, "media_1"].sum())
    assert abs(told[1] - 2e5) < 0.2 * abs(told[0] - 2e5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_lag", 3), ("media_cost", 2.0), ("priors", {}), ("n_draws", 0)],
)
def test_settings_that_only_a_fit_takes_in_are_refused(before, parts, name, value):
    with pytest.raises(ValueError, match=f"^{name} is another one than in fit"):
        took_in(before, *parts[2:], **{name: value})


def test_a_frequency_goes_on(parts, fast):
    X, y, more, z = (p.copy() for p in parts)
    rng = np.random.default_rng(0)
    for frame in (X, more):
        frame["often"] = rng.uniform(1.0, 5.0, len(frame))
    settings = fast | {"frequency": {"media_1": "often"}, "n_draws": 4}
    media = ["media_1", "media_2", "media_3"]
    model = DeepCausalMMMRegressor(media=media, **settings).fit(X, y)
    after = took_in(model, more, z)
    history = after._model.history
    reached = history.media[:, WEEKS:, 0] > 0
    assert reached.any()
    assert (history.frequency[:, WEEKS:, 0][reached] >= 1.0).all()
    refused(model, more.drop(columns="often"), z, "often")
    with pytest.warns(UserWarning, match="'often' is on average .* times"):
        took_in(model, more.assign(often=100.0 * more["often"]), z)


@pytest.mark.filterwarnings("ignore:Of rows such as")
def test_another_unit_is_told(before, parts):
    X, y = parts[2:]
    with pytest.warns(UserWarning, match="'media_2' is on average .* times"):
        took_in(before, X.assign(media_2=1000.0 * X["media_2"]), y)


def refused(before, X, y, match):
    """Assert that rows are refused, and that the model is as it was."""
    state = dict(before.__dict__)
    with pytest.raises(ValueError, match=match):
        before.partial_fit(X, y)
    assert before.__dict__ == state


def test_rows_that_were_learned_are_refused(before, parts):
    X, y = parts[0].tail(3), parts[1][-3:]
    refused(before, X, y, "not after the last training period, .* learned already")


def test_rows_that_come_late_are_refused(before, parts):
    X, y = parts[2:]
    first = (X["region"] == X["region"].iloc[0]).to_numpy()
    missing = sorted(set(X["region"][~first]))
    with pytest.warns(UserWarning, match="only late") as told:
        after = took_in(before, X[first], y[first])
    assert [str(missing) in str(one.message) for one in told] == [True]
    refused(after, X[~first], y[~first], "corrected or came late")


def test_regions_that_are_new_are_refused(before, parts):
    X, y = parts[2:]
    refused(before, X.assign(region="elsewhere"), y, "elsewhere")
    model = took_in(before, X, y, unseen_region="average")
    later = X.assign(
        week=X["week"] + pd.Timedelta(weeks=8),
        region=["elsewhere", *X["region"].tolist()[1:]],
    )
    refused(model, later, y, "region 'elsewhere'.*without training rows")


def test_gaps_are_refused_or_left_out(before, parts):
    X, y = parts[2:]
    late = (X["week"] > X["week"].min()).to_numpy()
    refused(before, X[late], y[late], "no row for 1 period between the training")
    after = took_in(before, X[late], y[late], gap="mask")
    assert after._model.history.shape[1] == 60


def test_without_time_rows_are_more_of_the_same(parts, fast):
    X, y, more, z = parts
    columns = ["region", "media_1", "media_2", "media_3", "price"]
    settings = fast | {"time": None, "controls": ["price"], "n_draws": 0}
    settings |= {"max_iter": 300}
    model = DeepCausalMMMRegressor(**settings).fit(X[columns], y)
    whole = clone(model).fit(pd.concat([X, more])[columns], np.concatenate([y, z]))
    after = took_in(model, more[columns], z)
    said = [m.predict(X[columns]) for m in (model, after, whole)]
    apart = [np.abs(one - said[2]).mean() for one in said[:2]]
    assert apart[1] < 0.5 * apart[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, "many"])
def test_bad_kpi_names_the_row(before, parts, bad):
    X, y = parts[2:]
    y = y.astype(object)
    y[5] = bad
    refused(before, X, y, "y|KPI")


def test_bad_media_name_column_and_row(before, parts):
    X, y = parts[2:]
    X = X.copy()
    X.iloc[2, X.columns.get_loc("media_1")] = -1.0
    refused(before, X, y, "media_1")
    refused(before, X.drop(columns="media_1"), y, "media_1")


def test_money_in_a_column_is_needed_again(parts, fast):
    X, y, more, z = (p.copy() for p in parts)
    X["paid"], more["paid"] = 2.0 * X["media_1"], 3.0 * more["media_1"]
    costs = {"media_1": "paid", "media_2": 1.0, "media_3": 1.0}
    model = DeepCausalMMMRegressor(
        media=list(costs), **fast | {"media_cost": costs, "n_draws": 8}
    ).fit(X, y)
    refused(model, more.drop(columns="paid"), z, "no column 'paid'")
    after = took_in(model, more, z)
    price = (X["paid"].sum() + more["paid"].sum()) / (
        X["media_1"].sum() + more["media_1"].sum()
    )
    assert after.media_cost_["media_1"] == pytest.approx(price)


def test_effects_that_drift_are_followed(before, parts, panel):
    """One channel causes half of what it did: with drift that is seen sooner."""
    X, y = parts[2:]
    name = panel.media[0]
    lost = before.contributions(X)[name].to_numpy()
    fallen = y - 0.5 * lost
    said = [
        took_in(before, X, fallen, effect_drift=drift).channel_summary(X).loc[name]
        for drift in (0.0, 0.2)
    ]
    moved = [np.log(one["contribution"] / lost.sum()) for one in said]
    assert moved[1] < moved[0] - 0.05
    widths = [
        np.log(one["contribution_high"] / one["contribution_low"]) for one in said
    ]
    assert widths[1] > widths[0]


def test_drift_leaves_earlier_effects_and_is_saved(before, parts, tmp_path):
    after = took_in(before, *parts[2:], effect_drift=0.3)
    steps = after._model.network.values()["effect_step"][0].numpy()
    drift = after._model.drift(after._model.history)[0]
    later = drift[WEEKS:] / drift[WEEKS - 1]
    still = took_in(before, *parts[2:])._model
    expected = still.drift(still.history)[0]
    ratio = later / (expected[WEEKS:] / expected[WEEKS - 1])
    np.testing.assert_allclose(ratio[0], np.exp(steps[:, 0]), rtol=0.05)
    after.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    np.testing.assert_array_equal(loaded.predict(parts[2]), after.predict(parts[2]))
    pd.testing.assert_frame_equal(loaded.channel_summary(), after.channel_summary())


def test_drift_needs_time(parts, fast):
    X, y, more, z = parts
    columns = ["region", "media_1", "media_2", "media_3", "price"]
    settings = fast | {"time": None, "controls": ["price"], "n_draws": 0}
    model = DeepCausalMMMRegressor(**settings, effect_drift=0.1).fit(X[columns], y)
    with pytest.raises(ValueError, match=r"effect_drift=0.1 needs a time column"):
        model.partial_fit(more[columns], z)


def test_verdicts_are_of_effects_by_now(before, parts):
    """Late rows without spend do not say what effects are by now."""
    X, y = parts[2:]
    silent = X.assign(**{m: 0.0 for m in before.media_})
    still = y - before.contributions(X)[before.media_].sum(axis=1).to_numpy()
    widths = []
    for drift in (0.0, 0.9):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Of rows such as")  # without noise
            after = took_in(before, silent, still, effect_drift=drift)
        effects, _ = after._model.mean_effects(_target_of(after))
        widths.append(np.log(effects).std(axis=0))
    assert not after._model.narrow.any()
    assert (widths[1] > 2.0 * widths[0]).all()


def _target_of(model):
    """Return what is needed to average effects over the training rows."""
    return make_target(
        model._model.history,
        model._model.scales,
        np.ones(model._model.history.shape[:2]),
        ordered=True,
    )


def test_what_is_known_now_must_be_known_over_all_rows(before, parts, monkeypatch):
    assert took_in(before, *parts[2:])._model.narrow.any()

    def wide(model, network, target):
        shape = len(network.shared), len(before.media_)
        return np.random.default_rng(0).uniform(0.0, 1.0, shape)

    monkeypatch.setattr(OutcomeModel, "mean_effects_of", wide)
    assert not took_in(before, *parts[2:])._model.narrow.any()


def test_weekly_calls_come_to_the_same_drift(before, parts):
    X, y = parts[2:]
    week = X["week"].rank(method="dense").to_numpy()
    once, weekly = took_in(before, X, y, effect_drift=0.1), before
    for own in range(1, int(week.max()) + 1):
        weekly = took_in(weekly, X[week == own], y[week == own], effect_drift=0.1)
    starts = [m._model.network.steps.start.tolist() for m in (once, weekly)]
    assert starts[0] == starts[1]
    found = [m.channel_summary(X)["contribution"] for m in (once, weekly)]
    np.testing.assert_allclose(found[1], found[0], rtol=0.15)
