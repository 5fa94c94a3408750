"""What controls do, in KPI units, and whether the data tell it."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from helpers import refuses_from as refuses
from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.effects import effects_of
from skmmm.inspection import control_summary
from skmmm.inspection._verdicts import control_verdicts


def test_effect_is_what_one_more_unit_adds_to_contributions(fitted, panel):
    X = panel.X[7:100]  # not as many rows of each region
    table = fitted.control_summary(X)
    assert list(table.index) == fitted.controls_ == ["price", "holiday"]
    for name in table.index:
        now, then = (
            fitted.contributions(rows)[name]
            for rows in (X, X.assign(**{name: X[name] + 1.0}))
        )
        assert table["effect"][name] == pytest.approx((then - now).mean())
        expected = now.abs().sum() / fitted.predict(X).sum()
        assert table["share"][name] == pytest.approx(expected)
        assert table["mean"][name] == pytest.approx(X[name].mean())


def test_over_training_rows_the_effect_is_that_of_the_attribute(fitted, panel):
    table = fitted.control_summary()
    assert_allclose(table["effect"], fitted.control_coef_)
    pd.testing.assert_frame_equal(table, control_summary(fitted, panel.X))
    pd.testing.assert_frame_equal(table, effects_of(fitted).control_summary())


def test_interval_holds_point_and_truth(knowing, panel):
    table = knowing.control_summary()
    truth = panel.parameters["control_effect"] * panel.parameters["scale"].mean()
    wider = knowing.control_summary(confidence_level=0.99)
    for inside, held in ((table["effect"], table), (truth[table.index], wider)):
        assert (held["effect_low"] <= inside).all()
        assert (inside <= held["effect_high"]).all()
    assert (wider["effect_low"] < table["effect_low"]).all()
    assert (table["verdict"] == "data-driven").all()


def test_interval_is_that_of_draws_of_the_coefficient(fitted):
    drawn = fitted.to_inference_data().posterior["control_coef"].to_numpy()[0]
    table = fitted.control_summary(confidence_level=0.5)
    low, high = np.quantile(drawn, [0.25, 0.75], axis=0, method="weibull")
    assert_allclose(table["effect_low"], np.minimum(low, table["effect"]))
    assert_allclose(table["effect_high"], np.maximum(high, table["effect"]))


def draws_of(*effects):
    """Normal draws with means and standard deviations, (64, n)."""
    spread = np.random.default_rng(0).normal(size=(64, len(effects)))
    mean, sd = np.transpose(effects)
    return mean + sd * spread


def test_verdicts():
    prior = draws_of(*[(0.0, 1.0)] * 5)
    found = control_verdicts(
        draws_of((5.0, 0.2), (0.0, 0.05), (-1.0, 0.2), (0.5, 0.3), (5.0, 0.9)), prior
    )
    none = "not identified"
    # Large; none; negative; of any size; one of two that say the same.
    assert found.tolist() == ["data-driven", none, "data-driven", none, none]
    assert control_verdicts(prior[:7], prior).tolist() == [None] * 5


def test_columns_that_say_the_same_are_not_identified(series, arguments):
    X = series.X.assign(price_again=2.0 * series.X["price"])
    controls = [*series.controls, "price_again"]
    more = {"controls": controls, "n_draws": 16, "graph": None, "max_iter": 60}
    model = DeepCausalMMMRegressor(**arguments | more).fit(X, series.y)
    verdict = model.control_summary()["verdict"]
    assert verdict[["price", "price_again"]].tolist() == ["not identified"] * 2


def test_without_draws(series, fast):
    with pytest.warns(ConvergenceWarning):
        model = DeepCausalMMMRegressor(**fast | {"n_draws": 0}).fit(series.X, series.y)
    table = model.control_summary()
    assert table[["effect_low", "effect_high"]].isna().all(axis=None)
    assert table["verdict"].tolist() == [None, None]
    assert table.attrs["verdict"].startswith("None: a verdict needs at least 8 draws")
    assert_allclose(table["effect"], model.control_coef_)


def test_refused(fitted, panel, fast):
    keys = {"media": panel.media, "region": "region", "time": "week"}
    linear = make_linear_mmm(**keys).fit(panel.X, panel.y)
    with refuses("What controls do is said by a DeepCausalMMMRegressor without steps"):
        control_summary(linear, panel.X)
    steps = make_pipeline(FunctionTransformer(), fitted)
    with refuses("What controls do is said by a DeepCausalMMMRegressor without steps"):
        control_summary(steps, panel.X)
    none = {"controls": None, "media": panel.media, "max_iter": 1}
    with pytest.warns(ConvergenceWarning):
        model = DeepCausalMMMRegressor(**fast | none).fit(panel.X, panel.y)
    with refuses("The DeepCausalMMMRegressor has no controls: name them in controls="):
        model.control_summary()
