"""All transformers: scikit-learn's checks, tables in, the same tables out."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
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

from skmmm.baselines import LastValueRegressor
from skmmm.preprocessing import (
    DelayedAdstock,
    FourierSeason,
    GeometricAdstock,
    HillSaturation,
    HolidayEncoder,
    PanelScaler,
    RegionEncoder,
    WeibullAdstock,
)

TRANSFORMERS = [
    RegionEncoder(),
    PanelScaler(),
    PanelScaler(method="max"),
    PanelScaler(method="standard"),
    GeometricAdstock(),
    DelayedAdstock(),
    WeibullAdstock(),
    HillSaturation(),
    FourierSeason(),
    HolidayEncoder(),
]

STEPS = [
    PanelScaler(region="region", columns=["media_1", "media_2"]),
    GeometricAdstock(columns=["media_1", "media_2"], region="region", time="week"),
    HillSaturation(columns=["media_1", "media_2"]),
    FourierSeason(time="week"),
    HolidayEncoder(
        time="week",
        region="region",
        dates=pd.DataFrame({"date": ["2021-04-02"], "name": ["Good Friday"]}),
    ),
    RegionEncoder(region="region"),
    RegionEncoder(region="region", encoding="onehot"),
]


@parametrize_with_checks(TRANSFORMERS)
def test_common_checks(estimator, check):
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
    named = clone(make_pipeline(*STEPS[:3]))
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
