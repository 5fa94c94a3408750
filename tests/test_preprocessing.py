"""Transformers: known values, the torch formulas, continuation, tables in and out."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_get_feature_names_out_error,
    check_param_validation,
    check_set_output_transform,
    check_set_output_transform_pandas,
    check_set_output_transform_polars,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
    parametrize_with_checks,
)

from skmmm._calendar import infer_calendar
from skmmm._nn import carryover, saturation
from skmmm.baselines import LastValueRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.preprocessing import (
    DelayedAdstock,
    FourierSeason,
    GeometricAdstock,
    HillSaturation,
    PanelScaler,
    RegionEncoder,
    WeibullAdstock,
)

ADSTOCKS = [GeometricAdstock, DelayedAdstock, WeibullAdstock]
TRANSFORMERS = [
    RegionEncoder(),
    PanelScaler(),
    PanelScaler(method="max"),
    PanelScaler(method="standard"),
    *(Adstock() for Adstock in ADSTOCKS),
    HillSaturation(),
    FourierSeason(),
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


@parametrize_with_checks(TRANSFORMERS)
def test_common_checks(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [OrderedRows(decay=0.5)],
    expected_failed_checks=lambda estimator: _ORDER_MATTERS,
)
def test_common_checks_with_carry_over(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        check_param_validation,
        check_dataframe_column_names_consistency,
        check_transformer_get_feature_names_out,
        check_transformer_get_feature_names_out_pandas,
        check_set_output_transform,
        check_set_output_transform_pandas,
        check_set_output_transform_polars,
        check_get_feature_names_out_error,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.parametrize("estimator", TRANSFORMERS, ids=repr)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_checks_that_check_estimator_leaves_out(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.fixture(scope="module")
def panel():
    return make_mmm_panel(3, 40, n_media=2, n_controls=1, random_state=0)


@pytest.fixture(scope="module")
def X(panel):
    """Rows in no order, with an index that is none either."""
    return panel.X.sample(frac=1.0, random_state=0)


def split_at(X, n_weeks):
    start = np.sort(X["week"].unique())[n_weeks]
    return X[X["week"] < start], X[X["week"] >= start]


def make_adstock(Adstock, **params):
    return Adstock(
        columns=["media_1", "media_2"], region="region", time="week", **params
    )


# --- region encoder -----------------------------------------------------------------


def test_region_encoder_keeps_the_other_columns(X):
    coded = RegionEncoder(region="region").fit_transform(X)
    assert list(coded.columns) == list(X.columns)
    assert_frame_equal(coded.drop(columns="region"), X.drop(columns="region"))
    expected = X["region"].map({"region_1": 0, "region_2": 1, "region_3": 2})
    assert_array_equal(coded["region"], expected)


def test_region_encoder_onehot_in_place(X):
    encoder = RegionEncoder(region="region", encoding="onehot").fit(X)
    coded = encoder.transform(X)
    dummies = [f"region_region_{r}" for r in (1, 2, 3)]
    assert list(coded.columns) == [*dummies, *X.columns[1:]]
    assert list(encoder.get_feature_names_out()) == list(coded.columns)
    assert_array_equal(
        coded[dummies].to_numpy().argmax(axis=1), X["region"].str[-1].astype(int) - 1
    )
    assert_array_equal(coded[dummies].sum(axis=1), 1.0)


def test_region_encoder_unseen(X):
    train = X[X["region"] != "region_2"]
    test = X[X["region"] == "region_2"]
    message = (
        "Region 'region_2' is not among the 2 regions of the training data. Leave it "
        "out, or set unseen='ignore'."
    )
    with pytest.raises(ValueError, match=message):
        RegionEncoder(region="region").fit(train).transform(test)
    encoder = RegionEncoder(region="region", unseen="ignore").fit(train)
    assert_array_equal(encoder.transform(test)["region"], -1)
    encoder.set_params(encoding="onehot")
    assert_array_equal(encoder.transform(test).iloc[:, :2], 0.0)


def test_region_encoder_of_an_array():
    X = np.array([["B", 1.5], ["A", 2.5], ["B", 3.5]], dtype=object)
    coded = RegionEncoder(region=0).fit_transform(X)
    assert coded.dtype == np.float64
    assert_array_equal(coded, [[1.0, 1.5], [0.0, 2.5], [1.0, 3.5]])
    encoder = RegionEncoder(region=-2, encoding="onehot").fit(X)
    assert list(encoder.get_feature_names_out()) == ["x0_A", "x0_B", "x1"]
    assert_array_equal(encoder.transform(X)[:, :2], [[0, 1], [1, 0], [0, 1]])


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_region_encoder_accepts_kinds_of_strings(dtype):
    X = pd.DataFrame({"region": ["b", "a", "b"]})
    encoder = RegionEncoder(region="region").fit(X)
    coded = encoder.transform(X.astype({"region": dtype}))
    assert_array_equal(coded["region"], [1, 0, 1])


def test_region_encoder_refuses():
    X = pd.DataFrame({"region": ["a", None], "region_a": 0.0})
    with pytest.raises(ValueError, match="region column 'region' is missing in row 1"):
        RegionEncoder(region="region").fit(X)
    with pytest.raises(ValueError, match="X already has a column 'region_a'"):
        RegionEncoder(region="region", encoding="onehot").fit(X[:1])
    with pytest.raises(ValueError, match="region='city' is not a column of X"):
        RegionEncoder(region="city").fit(X)


# --- scaler -------------------------------------------------------------------------


def test_scaler_known_values():
    X = pd.DataFrame(
        {
            "region": ["A", "B", "A", "B", "A"],
            "tv": [0.0, 10.0, 4.0, 30.0, 2.0],
            "radio": [0.0, 5.0, 0.0, 0.0, 0.0],
            "dead": 0.0,
            "holiday": [True, False, True, False, True],
        }
    )
    scaler = PanelScaler(region="region").fit(X)
    assert scaler.columns_ == ["tv", "radio", "dead"]
    # radio: silent in A, so the mean over all rows stands in.
    assert_array_equal(scaler.scale_, [[3.0, 5.0, 1.0], [20.0, 5.0, 1.0]])
    assert_array_equal(scaler.overall_scale_, [11.5, 5.0, 1.0])
    scaled = scaler.transform(X)
    assert_allclose(scaled["tv"], [0.0, 0.5, 4 / 3, 1.5, 2 / 3])
    assert_array_equal(scaled["holiday"], X["holiday"])

    largest = PanelScaler(region="region", method="max").fit(X)
    assert_array_equal(largest.scale_[:, 0], [4.0, 30.0])
    standard = PanelScaler(region="region", method="standard").fit(X)
    assert_allclose(standard.center_[:, 0], [2.0, 20.0])
    assert_allclose(standard.scale_[:, 0], [np.sqrt(8 / 3), 10.0])
    # Constant in A: the deviation over all rows stands in, and A's mean is kept.
    assert_allclose(standard.scale_[0, 1], X["radio"].std(ddof=0))
    assert standard.center_[0, 1] == 0.0


@pytest.mark.parametrize("method", ["mean_nonzero", "max", "standard"])
@pytest.mark.parametrize("region", [None, "region"])
def test_scaler_inverse(X, method, region):
    scaler = PanelScaler(method=method, region=region).fit(X)
    assert_frame_equal(scaler.inverse_transform(scaler.transform(X)), X)


def test_scaler_learns_from_fit_rows_only(X):
    train, test = split_at(X, 30)
    scaler = PanelScaler(region="region", columns=["media_1"]).fit(train)
    before = scaler.transform(test)
    assert_allclose(
        2.0 * before["media_1"],
        scaler.transform(test.assign(media_1=2.0 * test["media_1"]))["media_1"],
    )


def test_scaler_unseen_region(X):
    train, test = X[X["region"] != "region_2"], X[X["region"] == "region_2"]
    scaler = PanelScaler(region="region", columns=["media_1"]).fit(train)
    with pytest.raises(ValueError, match="'region_2' is not among the 2 regions"):
        scaler.transform(test)
    scaler.set_params(unseen="overall")
    assert_allclose(
        scaler.transform(test)["media_1"], test["media_1"] / scaler.overall_scale_[0]
    )


def test_scaler_leaves_the_integer_week_alone():
    X = pd.DataFrame({"week": [1, 2, 3], "tv": [1.0, 3.0, 2.0]})
    assert PanelScaler(time="week").fit(X).columns_ == ["tv"]
    assert PanelScaler().fit(X).columns_ == ["week", "tv"]


def test_scaler_constant_column_at_rounding_error():
    X = np.full((10, 1), 0.1)
    X[3] = 0.1 + 1e-17
    scaled = PanelScaler(method="standard").fit_transform(X)
    assert_allclose(scaled, 0.0, atol=1e-15)


# --- adstock ------------------------------------------------------------------------

KERNELS = [
    (
        GeometricAdstock,
        {"decay": [0.3, 0.9]},
        lambda p, L: carryover.geometric_kernel(p["decay"], L),
    ),
    (
        DelayedAdstock,
        {"decay": [0.3, 0.9], "delay": [0.5, 4.0]},
        lambda p, L: carryover.delayed_kernel(p["decay"], p["delay"], L),
    ),
    (
        WeibullAdstock,
        {"shape": [0.7, 2.5], "scale": [1.5, 6.0]},
        lambda p, L: carryover.weibull_kernel(p["shape"], p["scale"], L),
    ),
]


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
        expected = carryover.carry_known(
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


# --- Hill ---------------------------------------------------------------------------


def test_hill_equals_torch():
    spend = np.concatenate([[0.0], np.geomspace(1e-9, 1e9, 200)])[:, None]
    spend = np.repeat(spend, 3, axis=1)
    half, slope = np.array([0.2, 1.0, 30.0]), np.array([0.5, 1.0, 3.0])
    hill = HillSaturation(half_saturation=half, slope=slope)
    expected = saturation.hill(
        torch.tensor(spend), torch.log(torch.tensor(half)), torch.tensor(slope)
    )
    assert_allclose(hill.fit_transform(spend), expected, rtol=0, atol=1e-10)


def test_hill_known_values():
    X = pd.DataFrame({"tv": [0.0, 2.0, 4.0], "week": [1, 2, 3]})
    hill = HillSaturation(half_saturation=2.0, slope=2.0, columns="tv")
    assert_allclose(hill.fit_transform(X)["tv"], [0.0, 0.5, 0.8])


def test_hill_refuses_negative_values():
    X = pd.DataFrame({"tv": [0.0, 1.0], "radio": [2.0, -3.5]})
    message = (
        "Negative values in data passed to HillSaturation: column 'radio' is -3.5 at "
        "row 1. Spend or delivery cannot be negative; correct it, or leave the column "
        "out of columns."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        HillSaturation().fit(X)
    hill = HillSaturation().fit(X.abs())
    with pytest.raises(ValueError, match="Negative values in data passed to Hill"):
        hill.transform(X)
    HillSaturation(columns=["tv"]).fit_transform(X)


# --- season -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freq", "n_waves", "year"),
    [("W-MON", 4, 365.25 / 7), ("D", 10, 365.25), ("MS", 4, 12)],
)
def test_season_names_and_period(freq, n_waves, year):
    X = pd.DataFrame({"time": pd.date_range("2021-03-01", periods=20, freq=freq)})
    season = FourierSeason(time="time").fit(X)
    names = list(season.get_feature_names_out())
    assert names[:5] == ["time", "sin1", "cos1", "sin2", "cos2"]
    assert len(names) == 1 + n_waves
    waves = season.transform(X)
    assert list(waves.columns) == names
    turn = np.exp(2j * np.pi / year)
    wave = waves["cos1"] + 1j * waves["sin1"]
    assert_allclose(wave.iloc[1:].to_numpy(), turn * wave.iloc[:-1].to_numpy())


@pytest.mark.parametrize("freq", ["W-MON", "D", "MS"])
def test_season_agrees_with_the_calendar(freq):
    time = pd.Series(pd.date_range("2021-03-01", periods=60, freq=freq), name="time")
    calendar = infer_calendar(time, "time")
    waves = FourierSeason(time="time", order=3).fit_transform(time.to_frame())
    expected = calendar.fourier(calendar.ordinals(time, "time"), 3)
    assert_allclose(waves.iloc[:, 1:].to_numpy().T, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("weeks", "message"),
    [
        (
            [202151, 202152, 202201],
            "such as 202152 followed by 202201, a year",
        ),
        (list(range(202101, 202113)), "such as 202101, a year and a week or month"),
        ([20240130, 20240131], "such as 20240130, which are dates written as YYYYMMDD"),
        (["2024-01-01", "2024-01-15"], "periods 14 days apart. Use one row per week"),
    ],
)
def test_times_that_are_no_grid_are_refused(weeks, message):
    X = pd.DataFrame({"week": weeks, "tv": 1.0})
    with pytest.raises(ValueError, match=message):
        GeometricAdstock(time="week").fit(X)


def test_season_depends_on_the_date_only():
    X = pd.DataFrame({"week": pd.date_range("2021-03-01", periods=80, freq="W-MON")})
    together = FourierSeason(time="week").fit_transform(X)
    assert_frame_equal(FourierSeason(time="week").fit(X[:10]).transform(X), together)
    assert_frame_equal(FourierSeason(time="week").fit(X[60:]).transform(X), together)
    # Phase zero is the beginning of 1970, up to leap days the turn of every year.
    at_new_year = together["cos1"][X["week"].dt.strftime("%m-%d") == "01-03"]
    assert_allclose(at_new_year, 1.0, atol=0.01)


def test_season_of_days_knows_the_weekday():
    X = pd.DataFrame({"day": pd.date_range("2021-03-01", periods=70, freq="D")})
    waves = FourierSeason(time="day", order=0).fit_transform(X)
    columns = [c for c in waves if c.startswith("weekday_")]
    assert len(columns) == 6
    design = np.column_stack([np.ones(70), waves[columns]])
    is_friday = (X["day"].dt.day_of_week == 4).to_numpy(dtype=float)
    fit = design @ np.linalg.lstsq(design, is_friday, rcond=None)[0]
    assert_allclose(fit, is_friday, atol=1e-12)


def test_season_of_integers_with_period():
    X = np.column_stack([np.arange(10, 30), np.ones(20)])
    waves = FourierSeason(time=0, order=1, period=8).fit_transform(X)
    assert waves.shape == (20, 4)
    assert_allclose(waves[:, 2], np.sin(2 * np.pi * X[:, 0] / 8), atol=1e-14)


def test_season_refuses():
    X = pd.DataFrame({"month": pd.date_range("2021-03-01", periods=5, freq="MS")})
    with pytest.raises(ValueError, match="order=6 is too high for a season of 12"):
        FourierSeason(time="month", order=6).fit(X)
    with pytest.raises(ValueError, match="X already has a column 'cos1'"):
        FourierSeason(time="month").fit(X.assign(cos1=1.0))


# --- tables -------------------------------------------------------------------------

STEPS = [
    PanelScaler(region="region", columns=["media_1", "media_2"]),
    make_adstock(GeometricAdstock),
    HillSaturation(columns=["media_1", "media_2"]),
    FourierSeason(time="week"),
    RegionEncoder(region="region"),
    RegionEncoder(region="region", encoding="onehot"),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda s: type(s).__name__)
def test_polars_in_polars_out(X, step):
    # Going through a dict needs no pyarrow.
    table = pl.DataFrame({c: X[c].to_numpy() for c in X})
    expected = clone(step).fit_transform(X)
    got = clone(step).fit_transform(table)
    assert isinstance(got, pl.DataFrame)
    assert got.columns == list(expected.columns)
    for column in got.columns:
        assert_array_equal(got[column].to_numpy(), expected[column].to_numpy())
    untouched = [c for c in got.columns if c == "week"]
    assert got[untouched].equals(table[untouched])


@pytest.mark.parametrize("step", STEPS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output(X, step, output):
    step = clone(step).set_output(transform=output)
    got = step.fit_transform(X)
    expected = clone(step).set_output(transform="default").fit_transform(X)
    assert type(got).__module__.startswith(output)
    assert list(got.columns) == list(expected.columns)
    assert list(step.get_feature_names_out()) == list(expected.columns)
    for column in expected:
        assert_array_equal(got[column].to_numpy(), expected[column].to_numpy())


@pytest.mark.parametrize("step", STEPS, ids=lambda s: type(s).__name__)
def test_pickle_clone_and_input_untouched(X, step):
    before = X.copy()
    step = clone(step).fit(X)
    expected = step.transform(X)
    assert_frame_equal(pickle.loads(pickle.dumps(step)).transform(X), expected)
    assert_frame_equal(clone(step).fit_transform(X), expected)
    expected.iloc[:, -1] = 0.0
    expected.columns = [f"c{j}" for j in range(expected.shape[1])]
    assert_frame_equal(X, before)


def test_array_in_array_out(X):
    codes = RegionEncoder(region="region").fit_transform(X)
    codes["week"] = (X["week"] - X["week"].min()).dt.days // 7
    table = codes.to_numpy(dtype=np.float64)
    names = list(codes.columns)
    columns = [names.index("media_1"), names.index("media_2")]
    steps = make_pipeline(
        PanelScaler(columns=columns, region=0),
        GeometricAdstock(columns=columns, region=0, time=1),
        HillSaturation(columns=columns),
    )
    got = steps.fit_transform(table)
    assert isinstance(got, np.ndarray)
    named = make_pipeline(
        PanelScaler(columns=["media_1", "media_2"], region="region"),
        make_adstock(GeometricAdstock),
        HillSaturation(columns=["media_1", "media_2"]),
    )
    expected = named.fit_transform(codes)
    assert isinstance(expected, pd.DataFrame)
    assert_allclose(got, expected.to_numpy(dtype=np.float64), rtol=1e-14)


def test_steps_before_a_model_that_names_its_columns(panel, X):
    """The model finds region, time and media under their own names."""
    model = LastValueRegressor(region="region", time="week")
    steps = make_pipeline(
        PanelScaler(columns=panel.media, region="region"),
        RegionEncoder(region="region"),
        model,
    )
    y = panel.y[X.index]
    steps.fit(X, y)
    assert list(steps[-1].feature_names_in_) == list(X.columns)
    assert_array_equal(steps.predict(X), clone(model).fit(X, y).predict(X))


def test_columns_by_callable(X):
    scaler = PanelScaler(columns=lambda X: [c for c in X if c.startswith("media")])
    assert scaler.fit(X).columns_ == ["media_1", "media_2"]


def test_reordered_columns_are_refused(X):
    scaler = PanelScaler(region="region").fit(X)
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        scaler.transform(X[X.columns[::-1]])
