"""Calls side by side: the same results, warnings and errors as one after the other."""

import os
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import TimeSeriesSplit

from skmmm import GroupedRegressor
from skmmm._utils.parallel import call_each, call_each_noting
from skmmm.experiments import design_experiment
from skmmm.inspection import block_stability, placebo_channel, refresh_stability
from skmmm.metrics import rolling_skill
from skmmm.plotting import SkillDisplay

CALLS = [(3, 1), (2, 2), (1, 0), (0, 1)]


class Telling(LinearRegression):
    """Least squares of spend; its fit says how large the KPI is."""

    def fit(self, X, y):
        warnings.warn(f"The KPI is {np.sum(y):.6f}.", UserWarning, stacklevel=1)
        return super().fit(X.drop(columns="week"), y)

    def predict(self, X):
        return super().predict(X.drop(columns="week"))


class Told(UserWarning):
    """Of a call in another process."""


def square(number, n_warnings):
    for i in range(n_warnings):
        warnings.warn(f"{number} for the time {i}", Told, stacklevel=1)
    warnings.warn("of no interest", FutureWarning, stacklevel=1)
    return number**2, os.getpid()


def caught(function, *arguments, **options):
    """Return a result, and what was warned of: text, kind and file."""
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", FutureWarning)
        result = function(*arguments, **options)
    return result, [(str(w.message), w.category, w.filename) for w in log]


@pytest.fixture(scope="module")
def shop():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"week": np.arange(40), "tv": 0.0, "radio": 0.0})
    X[["tv", "radio"]] = rng.exponential(10.0, (40, 2))
    return X, 100.0 + X["tv"] + rng.normal(size=40)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_results_and_warnings_come_in_the_order_of_calls(backend):
    alone, said = caught(call_each, square, CALLS)
    with joblib.parallel_config(backend):
        together, again = caught(call_each, square, iter(CALLS), 2)
    assert [result for result, _ in together] == [9, 4, 1, 0]
    assert said == again
    assert [text for text, _, _ in said] == [
        "3 for the time 0",
        "2 for the time 0",
        "2 for the time 1",
        "0 for the time 0",
    ]
    assert {category for _, category, _ in said} == {Told}
    # The line of the caller, wherever the call was made.
    assert {Path(file).name for _, _, file in said} == {Path(__file__).name}
    home = os.getpid()
    assert {process for _, process in alone} == {home}
    assert (home in {process for _, process in together}) == (backend == "threading")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings_that_are_errors_stop(n_jobs):
    with joblib.parallel_config("threading"), warnings.catch_warnings():
        warnings.simplefilter("error", Told)
        with pytest.raises(Told, match="3 for the time 0"):
            call_each(square, CALLS[:1], n_jobs)


def test_warnings_are_handled_as_before_afterwards():
    with joblib.parallel_config("threading"):
        before = warnings.showwarning, list(warnings.filters)
        caught(call_each, square, CALLS, 2)
    assert (warnings.showwarning, list(warnings.filters)) == before
    with pytest.warns(Told):
        warnings.warn("still there", Told, stacklevel=1)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize(
    ("ask", "options"),
    [
        (placebo_channel, {"n_repeats": 2, "random_state": 0}),
        (block_stability, {"n_blocks": 3}),
        (refresh_stability, {"n_refreshes": 2}),
    ],
)
def test_refits_side_by_side(shop, ask, options, backend):
    options |= {"media": ["tv", "radio"], "time": "week"}
    expected, said = caught(ask, Telling(), *shop, **options)
    with joblib.parallel_config(backend):
        table, again = caught(ask, Telling(), *shop, **options, n_jobs=2)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert said == again
    assert "such warnings of the fits" in said[-1][0]


def test_rolling_origins_side_by_side(shop):
    options = {"cv": TimeSeriesSplit(3), "naive": DummyRegressor()}
    contenders = {"one": Telling(), "other": Telling(positive=True)}
    expected, said = caught(rolling_skill, contenders, *shop, **options)
    assert len(said) == 6
    with joblib.parallel_config("threading"):
        for ask in (rolling_skill, SkillDisplay.from_estimators):
            scores, again = caught(ask, contenders, *shop, **options, n_jobs=2)
            scores = getattr(scores, "scores", scores)
            pd.testing.assert_frame_equal(scores, expected, check_exact=True)
            assert said == again


def test_designs_side_by_side(panel):
    options = {"region": "region", "time": "week", "n_regions": 1, "n_periods": 6}
    options |= {"lift": 0.05, "n_candidates": 3, "n_designs": 2, "random_state": 0}
    expected = design_experiment(panel.X, panel.y, **options)
    with joblib.parallel_config("threading"):
        designs = design_experiment(panel.X, panel.y, **options, n_jobs=2)
    pd.testing.assert_frame_equal(designs, expected, check_exact=True)


def refuse_last(number, n_warnings):
    found = square(number, n_warnings)
    if number == 0:
        raise OverflowError("nothing is left")
    return found


@pytest.mark.parametrize("backend", ["sequential", "loky", "threading"])
def test_a_call_that_raises_has_warned(backend):
    def ask():
        with pytest.raises(OverflowError, match="nothing is left") as raised:
            call_each(refuse_last, CALLS, 2)
        return raised.value

    with joblib.parallel_config(backend):
        error, said = caught(ask)
    texts = [text for text, _, _ in said]
    # Another process brings home what the call that raised has warned of.
    expected = [f"{n} for the time {i}" for n, many in CALLS for i in range(many)]
    assert texts == (expected[-1:] if backend == "loky" else expected)
    assert {Path(file).name for _, _, file in said} == {Path(__file__).name}
    assert vars(error) == {}


def nested(number, n_warnings):
    return call_each(square, [(number, n_warnings)] * 2)


def test_calls_within_calls():
    before = warnings.showwarning
    with joblib.parallel_config("threading"):
        _, said = caught(call_each, nested, CALLS, 2)
    assert [text for text, _, _ in said] == [
        f"{n} for the time {i}" for n, many in CALLS for _ in "12" for i in range(many)
    ]
    assert warnings.showwarning is before


def test_each_call_warns_again_under_the_usual_filters():
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("default")
        found = call_each_noting(square, [(3, 1)] * 3)
    assert [len(notes) for _, notes in found] == [2, 2, 2]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_groups_in_threads(shop, n_jobs):
    X, y = shop
    both = pd.concat([X.assign(brand=brand) for brand in "ab"], ignore_index=True)
    model = GroupedRegressor(Telling(), "brand", n_jobs=n_jobs)
    with joblib.parallel_config("threading"):
        before = warnings.showwarning, list(warnings.filters)
        _, said = caught(model.fit, both, np.append(y, y + 1.0))
        assert (warnings.showwarning, list(warnings.filters)) == before
        with pytest.raises(ValueError, match="brand 'b'"), pytest.warns(match="KPI is"):
            model.fit(both.assign(tv=both["tv"].where(both["brand"] == "a")), [*y, *y])
    assert (warnings.showwarning, list(warnings.filters)) == before
    ((text, _, file),) = said
    assert text.endswith("(In brand 'a'; brand 'b'; 2 of 2 groups.)")
    assert Path(file).name == Path(__file__).name


def test_warnings_of_groups_that_name_others_are_told_each(shop):
    X, y = shop
    both = pd.concat([X.assign(brand=brand) for brand in "ab"], ignore_index=True)

    class Naming(Telling):
        def fit(self, X, y):
            name = "tv 1 x" if y[0] == both_y[0] else "tv 2 x"
            warnings.warn(f"{name!r} is dark in 3 rows.", stacklevel=1)
            return super().fit(X, y)

    both_y = np.append(y, y + 1.0)
    _, said = caught(GroupedRegressor(Naming(), "brand").fit, both, both_y)
    texts = [text for text, _, _ in said if "dark" in text]
    assert texts == [
        "'tv 1 x' is dark in 3 rows. (In brand 'a'; 1 of 2 groups.)",
        "'tv 2 x' is dark in 3 rows. (In brand 'b'; 1 of 2 groups.)",
    ]


def test_refreshes_stop_after_the_fit_that_names_the_channels(shop):
    X, y = shop
    X = X.assign(radio=X["radio"].where(X["week"] >= 36, 0.0))
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="'radio' has no spend before the first"):
            refresh_stability(
                Telling(), X, y, n_periods=2, media=["tv", "radio"], time="week"
            )
    (only,) = log
    assert "The first of 1 such warnings" in str(only.message)
