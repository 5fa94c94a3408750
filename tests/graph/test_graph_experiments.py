"""Tests of a channel whose effect on another channel's spend was measured."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from channel_worlds import model, svar

LESS = 0.5  # factor on the parent


@pytest.fixture(scope="module")
def graph(data):
    fitted = svar(region="region", time="week", controls=["price"], random_state=0)
    return fitted.fit(data[0]).channel_graph()


@pytest.fixture(scope="module")
def pair(world):
    """A parent and a child that answers within the week."""
    i, j = np.argwhere(world.same_week)[0]
    return f"channel_{i:02d}", f"channel_{j:02d}"


@pytest.fixture(scope="module")
def truth(data, world, pair):
    """What the child loses in one week if the parent spends half, in three regions."""
    X, i, j = data[0], *(int(name[-2:]) for name in pair)
    rows = X["region"].isin(_regions(X)) & (X["week"] == _week(X))
    return X.loc[rows, pair[1]].sum() * (LESS ** world.same_week[i, j] - 1.0)


def _regions(X):
    return X["region"].unique()[:3].tolist()


def _week(X):
    return np.sort(X["week"].unique())[40]


def lift_test(X, parent, child, estimate, std_error, **more):
    row = {
        "media": [parent],
        "child": [child],
        "start": [_week(X)],
        "end": [_week(X)],
        "regions": [_regions(X)],
        "change": [LESS],
        "estimate": [estimate],
        "std_error": [std_error],
    }
    return pd.DataFrame(row | {name: [value] for name, value in more.items()})


def test_a_sound_test_confirms_an_edge(graph, data, pair, truth):
    error = abs(truth) / 5
    [found] = graph.check(lift_test(data[0], *pair, truth, error)).itertuples()
    assert_allclose(found.predicted, truth, rtol=0.25)
    assert found.predicted_low <= found.predicted <= found.predicted_high
    assert (found.parent, found.child, found.verdict) == (*pair, "edge")
    assert not found.conflict
    assert "confirms" in found.finding
    assert found.probability_after > found.probability > 0.5


def test_that_the_child_does_not_answer_contradicts_an_edge(graph, data, pair, truth):
    [found] = graph.check(lift_test(data[0], *pair, 0.0, abs(truth) / 10)).itertuples()
    assert found.conflict
    assert abs(found.z) > 5
    assert "forbidden_edges" in found.finding
    assert found.probability_after < 0.1 < found.probability


def test_that_a_child_answers_without_a_path(graph, data, pair):
    child, parent = pair  # nothing leads back
    [found] = graph.check(lift_test(data[0], parent, child, -5.0, 1.0)).itertuples()
    assert found.predicted == 0.0
    assert_allclose(found.z, -5.0)
    assert found.conflict
    assert "required_edges" in found.finding
    assert np.isnan(found.probability_after)
    [found] = graph.check(lift_test(data[0], parent, child, 0.5, 1.0)).itertuples()
    assert "no clear answer" in found.finding


def test_answers_of_another_size(graph, data, pair, truth):
    error = abs(truth) / 10
    for times, word in ((4.0, "answers more"), (-1.0, "other way round")):
        tests = lift_test(data[0], *pair, times * truth, error)
        assert word in graph.check(tests)["finding"][0]
    tests = lift_test(data[0], *pair, truth, 10 * abs(truth))
    assert "too imprecise" in graph.check(tests)["finding"][0]


def test_what_x_shows_is_the_change(graph, data, pair, truth):
    error = abs(truth)
    now = lift_test(data[0], *pair, truth, error)
    other = lift_test(data[0], *pair, truth, error, observed="treated")
    forth, back = (graph.check(tests)["predicted"][0] for tests in (now, other))
    # As shares of the child's spend one is the inverse of the other.
    X = data[0]
    rows = X["region"].isin(_regions(X)) & (X["week"] == _week(X))
    seen = X.loc[rows, pair[1]].sum()
    assert_allclose(1 - back / seen, 1 / (1 + forth / seen), rtol=0.05)


def test_money_and_a_factor_are_the_same_change(graph, data, pair, truth):
    X = data[0]
    rows = X["region"].isin(_regions(X)) & (X["week"] == _week(X))
    money = -(1 - LESS) * X.loc[rows, pair[0]].sum()
    by_factor = lift_test(X, *pair, truth, 1.0)
    by_money = by_factor.assign(change=np.nan, spend_change=money)
    found = [graph.check(t)["predicted"][0] for t in (by_factor, by_money)]
    assert_allclose(*found)


def test_the_regressor_asks_the_same_graph(data, pair, truth):
    X, y = data
    tests = lift_test(X, *pair, truth, abs(truth) / 5)
    found = model().fit(X, y).channel_graph().check(tests)
    assert found["finding"].str.contains("confirms").all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"child": "sales"}, "'sales' as its child"),
        ({"child": "channel_00", "media": "channel_00"}, "'channel_00' as its child"),
        ({"measure": "roi"}, "by the spend of the child"),
        ({"media": [["channel_00", "channel_01"]]}, "changed 2 channels"),
        ({"std_error": 0.0}, "std_error of 0"),
        ({"end": pd.Timestamp("2031-01-06")}, "not inside the training rows"),
        ({"change": np.nan, "spend_change": -1e9}, "more than the"),
    ],
)
def test_rows_that_cannot_be(graph, data, change, message):
    tests = lift_test(data[0], "channel_00", "channel_01", 1.0, 1.0)
    with pytest.raises(ValueError, match=message) as raised:
        graph.check(tests.assign(**change))
    assert "experiment 0" in str(raised.value)


def test_the_child_has_to_be_named(graph, data):
    tests = lift_test(data[0], "channel_00", "channel_01", 1.0, 1.0)
    with pytest.raises(ValueError, match="no column 'child'"):
        graph.check(tests.drop(columns="child"))
