"""Hill: the torch formula, known values, what is no spend."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from skmmm._model import saturation
from skmmm.preprocessing import HillSaturation


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
