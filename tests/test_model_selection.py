"""Splitters: whole periods or regions per side, in any row order, in searches."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, check_cv, cross_validate

from skmmm.baselines import LastValueRegressor
from skmmm.model_selection import LeaveRegionsOut, PanelTimeSeriesSplit


@pytest.fixture
def X():
    """Three regions, 20 weeks, rows in no order; one region begins late."""
    week = pd.date_range("2024-01-01", periods=20, freq="W-MON")
    X = pd.DataFrame({"region": np.repeat(list("ABC"), 20), "week": np.tile(week, 3)})
    X = X[(X["region"] != "C") | (X["week"] >= week[5])]
    X = X.sample(frac=1.0, random_state=0)
    return X.assign(tv=np.random.RandomState(0).uniform(size=len(X)))


def week_numbers(X):
    return ((X["week"] - pd.Timestamp("2024-01-01")).dt.days // 7).to_numpy()


@pytest.mark.parametrize(
    ("params", "train_weeks", "test_weeks"),
    [
        ({}, [(0, 11), (0, 14), (0, 17)], [(11, 14), (14, 17), (17, 20)]),
        ({"gap": 2}, [(0, 9), (0, 12), (0, 15)], [(11, 14), (14, 17), (17, 20)]),
        (
            {"gap": 1, "max_train_size": 5},
            [(5, 10), (8, 13), (11, 16)],
            [(11, 14), (14, 17), (17, 20)],
        ),
        (
            {"max_train_size": 13},
            [(0, 11), (1, 14), (4, 17)],
            [(11, 14), (14, 17), (17, 20)],
        ),
    ],
)
def test_time_split_windows(X, params, train_weeks, test_weeks):
    cv = PanelTimeSeriesSplit(3, test_size=3, time="week", **params)
    week = week_numbers(X)
    splits = list(cv.split(X))
    assert cv.get_n_splits(X) == len(splits) == 3
    for (train, test), (first, end), (start, stop) in zip(
        splits, train_weeks, test_weeks, strict=True
    ):
        assert_array_equal(train, np.flatnonzero((week >= first) & (week < end)))
        assert_array_equal(test, np.flatnonzero((week >= start) & (week < stop)))


@pytest.mark.parametrize("kind", ["polars", "array", "groups", "strings", "periods"])
def test_time_split_sources(X, kind):
    cv = PanelTimeSeriesSplit(2, test_size=4, time="week")
    expected = list(cv.split(X))
    groups = None
    if kind == "polars":
        X = pl.DataFrame({c: X[c].to_numpy() for c in X})
    elif kind == "array":
        X, cv = np.column_stack([week_numbers(X), X["tv"]]), clone_with(cv, time=0)
    elif kind == "groups":
        groups, cv = week_numbers(X), clone_with(cv, time=None)
    elif kind == "strings":
        X = X.assign(week=X["week"].dt.strftime("%Y-%m-%d"))
    else:
        X = X.assign(week=X["week"].dt.to_period("W-SUN"))
    for got, wanted in zip(cv.split(X, groups=groups), expected, strict=True):
        assert_array_equal(got[0], wanted[0])
        assert_array_equal(got[1], wanted[1])


def clone_with(cv, **changes):
    params = {
        name: getattr(cv, name)
        for name in ("n_splits", "test_size", "gap", "max_train_size", "time")
    }
    return PanelTimeSeriesSplit(**{**params, **changes})


def test_time_split_refuses(X):
    message = (
        "X has 20 periods, but 4 test blocks of 5 periods, a gap of 1 and one period "
        "to train on need 22."
    )
    with pytest.raises(ValueError, match=message):
        next(PanelTimeSeriesSplit(test_size=5, gap=1, time="week").split(X))
    message = (
        r"PanelTimeSeriesSplit needs the time of every row: name its column in X "
        r"\(time=...\), or pass groups."
    )
    with pytest.raises(ValueError, match=message):
        next(PanelTimeSeriesSplit().split(X))
    with pytest.raises(ValueError, match="time='day' is not a column of X"):
        next(PanelTimeSeriesSplit(time="day").split(X))
    exactly_enough = PanelTimeSeriesSplit(4, test_size=4, gap=3, time="week")
    train, _ = next(exactly_enough.split(X))
    assert (X["week"].iloc[train] == X["week"].min()).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_splits": 0}, "n_splits must be an integer of at least 1: 0."),
        ({"test_size": 1.5}, "test_size must be an integer of at least 1: 1.5."),
        ({"gap": -1}, "gap must be an integer of at least 0: -1."),
        ({"max_train_size": 0}, "max_train_size must be an integer of at least 1: 0."),
        ({"n_splits": True}, "n_splits must be an integer of at least 1: True."),
    ],
)
def test_time_split_refuses_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        PanelTimeSeriesSplit(**params)


def test_region_split(X):
    cv = LeaveRegionsOut(3, region="region", random_state=0)
    splits = list(cv.split(X))
    assert len(splits) == cv.get_n_splits() == 3
    left_out = []
    for train, test in splits:
        assert not set(X["region"].iloc[train]) & set(X["region"].iloc[test])
        assert_array_equal(np.sort([*train, *test]), np.arange(len(X)))
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()
        left_out += list(X["region"].iloc[test].unique())
    assert sorted(left_out) == ["A", "B", "C"]


def test_region_split_does_not_depend_on_row_order(X):
    cv = LeaveRegionsOut(2, region="region", random_state=3)
    again = X.sample(frac=1.0, random_state=7)
    for (_, test), (_, other) in zip(cv.split(X), cv.split(again), strict=True):
        assert set(X["region"].iloc[test]) == set(again["region"].iloc[other])


def test_region_split_shuffles():
    X = pd.DataFrame({"region": np.arange(50)})

    def first_test(**params):
        cv = LeaveRegionsOut(5, region="region", **params)
        return next(cv.split(X))[1]

    assert_array_equal(first_test(shuffle=False), np.arange(10))
    assert_array_equal(first_test(random_state=0), first_test(random_state=0))
    assert set(first_test(random_state=0)) != set(first_test(random_state=1))


def test_region_split_groups_and_refusals(X):
    by_column = list(LeaveRegionsOut(3, region="region", random_state=0).split(X))
    groups = X["region"].to_numpy(dtype=object)
    by_group = list(LeaveRegionsOut(3, random_state=0).split(X, groups=groups))
    for got, wanted in zip(by_group, by_column, strict=True):
        assert_array_equal(got[1], wanted[1])
    message = "n_splits=5 needs at least as many regions, but X has 3."
    with pytest.raises(ValueError, match=message):
        next(LeaveRegionsOut(region="region").split(X))
    with pytest.raises(ValueError, match="LeaveRegionsOut needs the region of every"):
        next(LeaveRegionsOut().split(X))
    with pytest.raises(ValueError, match="n_splits must be an integer of at least 2"):
        LeaveRegionsOut(1)


@pytest.mark.parametrize("routing", [False, True])
def test_in_searches(X, routing):
    y = X["tv"] + 1.0
    naive = LastValueRegressor(region="region", time="week")
    cv = PanelTimeSeriesSplit(2, test_size=3, time="week")
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = cross_validate(naive, X, y, cv=cv, scoring="neg_mean_absolute_error")
        assert len(scores["test_score"]) == 2
        grid = {"unseen_region": ["error", "average"]}
        search = GridSearchCV(clone(naive), grid, cv=cv, n_jobs=2).fit(X, y)
        assert len(search.cv_results_["params"]) == 2

        by_groups = PanelTimeSeriesSplit(2, test_size=3)
        groups = {"groups": X["week"]}
        routed = {"params": groups} if routing else groups
        scores = cross_validate(Ridge(), X[["tv"]], y, cv=by_groups, **routed)
        assert len(scores["test_score"]) == 2


def test_repr_and_check_cv():
    cv = PanelTimeSeriesSplit(time="week")
    words = " ".join(repr(cv).split())
    assert words == (
        "PanelTimeSeriesSplit(gap=0, max_train_size=None, n_splits=4, region=None, "
        "test_size=13, time='week')"
    )
    assert check_cv(cv) is cv
    assert "n_splits=5" in repr(LeaveRegionsOut())
