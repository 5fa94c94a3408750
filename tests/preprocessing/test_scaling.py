"""Scaler: known values, units back again, which columns it takes."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from skmmm.preprocessing import PanelScaler


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
    start = np.sort(X["week"].unique())[30]
    train, test = X[X["week"] < start], X[X["week"] >= start]
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


def test_columns_by_callable(X):
    scaler = PanelScaler(columns=lambda X: [c for c in X if c.startswith("media")])
    assert scaler.fit(X).columns_ == ["media_1", "media_2"]


def test_reordered_columns_are_refused(X):
    scaler = PanelScaler(region="region").fit(X)
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        scaler.transform(X[X.columns[::-1]])
