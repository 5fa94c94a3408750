"""Region encoder: codes, one column per region, regions that fit did not see."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from skmmm.preprocessing import RegionEncoder


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
