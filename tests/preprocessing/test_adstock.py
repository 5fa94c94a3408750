"""Carry-over: the torch formulas, known values, continuation after training."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmmm._model import adstock as kernels
from skmmm.preprocessing import DelayedAdstock, GeometricAdstock, WeibullAdstock

ADSTOCKS = [GeometricAdstock, DelayedAdstock, WeibullAdstock]
KERNELS = [
    (
        GeometricAdstock,
        {"decay": [0.3, 0.9]},
        lambda p, L: kernels.geometric_kernel(p["decay"], L),
    ),
    (
        DelayedAdstock,
        {"decay": [0.3, 0.9], "delay": [0.5, 4.0]},
        lambda p, L: kernels.delayed_kernel(p["decay"], p["delay"], L),
    ),
    (
        WeibullAdstock,
        {"shape": [0.7, 2.5], "scale": [1.5, 6.0]},
        lambda p, L: kernels.weibull_kernel(p["shape"], p["scale"], L),
    ),
]


class OrderedRows(GeometricAdstock):
    """Carries over from row to row: the data of the common checks have no time."""

    def _learn(self, frame):
        super()._learn(frame)
        self._by_row = GeometricAdstock(time="row").fit(self._numbered(frame))

    def _apply(self, frame):
        carried = self._by_row.transform(self._numbered(frame)).drop(columns="row")
        return dict(zip(frame.columns, carried.to_numpy().T, strict=True))

    def _numbered(self, frame):
        frame = frame.astype(np.float64).set_axis(
            [f"x{j}" for j in range(frame.shape[1])], axis=1
        )
        return frame.assign(row=np.arange(len(frame)))


_ORDER_MATTERS = {
    "check_methods_subset_invariance": "a batch lacks the spend of the rows before it",
    "check_methods_sample_order_invariance": "spend carries over to the rows after it",
}


@parametrize_with_checks(
    [OrderedRows(decay=0.5)],
    expected_failed_checks=lambda estimator: _ORDER_MATTERS,
)
def test_common_checks_with_carry_over(estimator, check):
    check(estimator)


def split_at(X, n_weeks):
    start = np.sort(X["week"].unique())[n_weeks]
    return X[X["week"] < start], X[X["week"] >= start]


def make_adstock(Adstock, **params):
    return Adstock(
        columns=["media_1", "media_2"], region="region", time="week", **params
    )


@pytest.mark.parametrize("max_lag", [0, 5, 60])
@pytest.mark.parametrize(("Adstock", "params", "kernel"), KERNELS)
def test_adstock_equals_torch(panel, X, Adstock, params, kernel, max_lag):
    # A hole in one region, at both ends of the window and in the middle.
    X = X[~((X["region"] == "region_2") & X["week"].dt.day.isin([5, 11, 12]))]
    adstock = make_adstock(Adstock, max_lag=max_lag, **params)
    got = adstock.fit_transform(X)

    tensors = {k: torch.tensor(v, dtype=torch.float64) for k, v in params.items()}
    weights = kernel(tensors, max_lag)
    assert_allclose(adstock.kernel_, weights, rtol=0, atol=1e-10)
    weeks = np.sort(X["week"].unique())
    for name in adstock.regions_:
        rows = X[X["region"] == name].set_index("week").sort_index()
        media = rows[["media_1", "media_2"]].reindex(weeks).to_numpy().T
        known = rows["media_1"].reindex(weeks).notna().to_numpy()
        media = np.pad(np.nan_to_num(media), ((0, 0), (max_lag, 0)))
        known = np.pad(known, (max_lag, 0), constant_values=True)
        expected = kernels.carry_known(
            torch.tensor(media)[None], torch.tensor(known)[None].double(), weights[None]
        )[0, 0].numpy()
        mine = got[X["region"] == name].set_index("week").sort_index()
        seen = known[max_lag:]
        scale = X[["media_1", "media_2"]].to_numpy().max()
        assert_allclose(
            mine[["media_1", "media_2"]].to_numpy().T / scale,
            expected[:, seen] / scale,
            rtol=0,
            atol=1e-10,
        )


def test_adstock_known_values():
    X = pd.DataFrame({"week": [3, 1, 2], "tv": [0.0, 7.0, 0.0]}, index=[10, 11, 12])
    carried = GeometricAdstock(decay=0.5, max_lag=2, time="week").fit_transform(X)
    expected = pd.DataFrame({"week": [3, 1, 2], "tv": [1.0, 4.0, 2.0]}, index=X.index)
    assert_frame_equal(carried, expected)


@pytest.mark.parametrize("Adstock", ADSTOCKS)
def test_adstock_continues_after_training(X, Adstock):
    adstock = make_adstock(Adstock)
    together = adstock.fit_transform(X)
    for n_weeks in (2, 25, 39):
        train, test = split_at(X, n_weeks)
        adstock.fit(train)
        assert_frame_equal(adstock.transform(train), together.loc[train.index])
        assert_frame_equal(adstock.transform(test), together.loc[test.index])


def test_adstock_single_row_after_training(X):
    train, test = split_at(X, 30)
    adstock = make_adstock(GeometricAdstock)
    together = adstock.fit_transform(X)
    row = test[(test["week"] == test["week"].min()) & (test["region"] == "region_2")]
    assert_frame_equal(adstock.fit(train).transform(row), together.loc[row.index])


def test_adstock_inside_training_reads_the_training_rows(X):
    adstock = make_adstock(GeometricAdstock)
    together = adstock.fit_transform(X)
    some = X.sample(frac=0.2, random_state=1)
    assert_frame_equal(adstock.transform(some), together.loc[some.index])


def test_adstock_rows_of_x_replace_those_of_training(X):
    adstock = make_adstock(GeometricAdstock).fit(X)
    dark = X.assign(media_1=0.0)
    assert_array_equal(adstock.transform(dark)["media_1"], 0.0)
    # Only some weeks differ: later rows see the new value of those and the old others.
    early, late = split_at(X, 20)
    changed = pd.concat([early.assign(media_1=0.0), late])
    expected = clone(adstock).fit_transform(changed)
    assert_frame_equal(adstock.transform(changed), expected)


@pytest.mark.parametrize("Adstock", ADSTOCKS)
def test_adstock_ignores_row_order(X, Adstock):
    adstock = make_adstock(Adstock)
    again = X.sample(frac=1.0, random_state=5)
    assert_frame_equal(
        adstock.fit_transform(again).loc[X.index], adstock.fit_transform(X)
    )


@pytest.mark.parametrize("Adstock", ADSTOCKS)
def test_adstock_keeps_the_level_of_steady_spend(Adstock):
    X = pd.DataFrame({"week": range(30), "tv": 5.0})
    carried = Adstock(max_lag=8, time="week").fit_transform(X)["tv"]
    assert_allclose(carried[8:], 5.0)
    assert (np.diff(carried[:9]) > 0).all()


def test_adstock_regions_do_not_mix(X):
    adstock = make_adstock(GeometricAdstock)
    together = adstock.fit_transform(X)
    alone = X[X["region"] == "region_3"]
    assert_frame_equal(adstock.fit_transform(alone), together.loc[alone.index])


def test_adstock_unseen_region_starts_from_zero(X):
    train, test = split_at(X, 20)
    adstock = make_adstock(GeometricAdstock)
    new = test[test["region"] == "region_3"]
    expected = adstock.fit_transform(new)
    adstock.fit(train[train["region"] != "region_3"])
    assert_frame_equal(adstock.transform(test).loc[new.index], expected)


def test_adstock_gap_after_training(X):
    train, _ = split_at(X, 20)
    _, late = split_at(X, 22)
    adstock = make_adstock(GeometricAdstock).fit(train)
    message = (
        "X has no row for 2021-05-24, which lies between the training data (until "
        "2021-05-17) and the last row of X"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        adstock.transform(late)
    adstock.set_params(gap="mask")
    weeks = np.sort(X["week"].unique())
    without = X[~X["week"].isin(weeks[20:22])]
    expected = clone(adstock).fit_transform(without)
    assert_frame_equal(adstock.transform(late), expected.loc[late.index])


def test_adstock_masks_a_region_that_lacks_a_period():
    X = pd.DataFrame(
        {
            "region": list("AAABB"),
            "week": [1, 2, 3, 1, 3],
            "tv": [4.0, 0.0, 0.0, 4.0, 0.0],
        }
    )
    adstock = GeometricAdstock(decay=0.5, max_lag=2, region="region", time="week")
    carried = adstock.fit_transform(X)["tv"]
    # B, week 3: weights 4/7 now and 1/7 for week 1 are known, 2/7 is not.
    assert_allclose(carried[4], 4.0 * (1 / 7) / (5 / 7))
    assert_allclose(carried[2], 4.0 * (1 / 7))


def test_adstock_without_time_changes_nothing(X):
    adstock = GeometricAdstock(columns=["media_1"], region="region")
    assert_frame_equal(adstock.fit_transform(X), X)
    assert adstock.period_ is None


@pytest.mark.parametrize(
    "decay", [[0.2, 0.8], {"media_2": 0.8, "media_1": 0.2}, np.array([0.2, 0.8])]
)
def test_adstock_parameter_per_column(X, decay):
    adstock = make_adstock(GeometricAdstock, decay=decay).fit(X)
    assert_array_equal(adstock.decay_, [0.2, 0.8])
    one = GeometricAdstock(decay=0.8, columns=["media_2"], region="region", time="week")
    assert_array_equal(adstock.transform(X)["media_2"], one.fit_transform(X)["media_2"])
    assert_array_equal(clone(adstock).fit(X).kernel_, adstock.kernel_)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"decay": [0.5]}, r"decay has shape \(1,\); expected one number, or one for"),
        ({"decay": {"media_1": 0.5}}, "decay has no entry for column 'media_2'"),
        (
            {"decay": {"media_1": 0.5, "media_2": 0.5, "tv": 0.5}},
            "decay has an entry for the unknown column 'tv'",
        ),
        ({"decay": [0.5, 1.0]}, r"decay of column 'media_2' is 1, outside \[0, 1\)"),
        ({"decay": [0.5, np.nan]}, "decay of column 'media_2' is nan, outside"),
    ],
)
def test_adstock_refuses_parameters(X, params, message):
    with pytest.raises(ValueError, match=message):
        make_adstock(GeometricAdstock, **params).fit(X)


def test_adstock_without_decay_is_identity(X):
    adstock = make_adstock(GeometricAdstock, decay=0.0)
    assert_frame_equal(adstock.fit_transform(X), X)


def test_adstock_refuses_rows(X):
    adstock = make_adstock(GeometricAdstock)
    first = X.index[0]
    twice = pd.concat([X, X.loc[[first]]])
    region, week = X.loc[first, "region"], X.loc[first, "week"].date()
    with pytest.raises(
        ValueError, match=f"Two rows for region '{region}', time {week}"
    ):
        adstock.fit(twice)
    missing = X.copy()
    missing.loc[first, "media_2"] = np.nan
    with pytest.raises(
        ValueError,
        match=f"NaN: column 'media_2' at region '{region}', time {week}",
    ):
        adstock.fit(missing)
    with pytest.raises(ValueError, match="'week' is the time, so it cannot be one of"):
        GeometricAdstock(columns=["week"], time="week").fit(X)
    with pytest.raises(ValueError, match="two columns called 'media_1'"):
        adstock.fit(X.rename(columns={"media_2": "media_1"}))


@pytest.mark.parametrize("freq", ["D", "MS", "W-SUN"])
def test_adstock_of_days_months_weeks(freq):
    time = pd.date_range("2023-01-01", periods=30, freq=freq)
    X = pd.DataFrame({"time": time, "tv": np.random.RandomState(0).uniform(size=30)})
    adstock = GeometricAdstock(time="time")
    together = adstock.fit_transform(X)
    integers = GeometricAdstock(time="time").fit_transform(X.assign(time=range(30)))
    assert_array_equal(together["tv"], integers["tv"])
    assert_frame_equal(adstock.fit(X[:17]).transform(X[17:]), together[17:])
    assert adstock.period_ == {"D": "day", "MS": "month", "W-SUN": "week"}[freq]


@pytest.mark.parametrize(
    ("weeks", "message"),
    [
        (
            [202151, 202152, 202201],
            "such as 202152 followed by 202201, a year",
        ),
        (list(range(202101, 202113)), "such as 202101, a year and a week or month"),
        ([20240130, 20240131], "such as 20240130, which are dates written as YYYYMMDD"),
        (["2024-01-01", "2024-01-22"], "periods 21 days apart. Use one row per day"),
    ],
)
def test_times_that_are_no_grid_are_refused(weeks, message):
    X = pd.DataFrame({"week": weeks, "tv": 1.0})
    with pytest.raises(ValueError, match=message):
        GeometricAdstock(time="week").fit(X)
