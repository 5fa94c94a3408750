"""Spend that the tests of plans share."""

import numpy as np
import pandas as pd
import pytest

from known_curves import MEDIA


@pytest.fixture(scope="module")
def X():
    """Thirty rows whose spend varies widely, so that data hardly end."""
    spend = np.random.default_rng(0).lognormal(3.0, 1.2, (30, 3))
    return pd.DataFrame(spend * [3.0, 1.0, 2.0], columns=MEDIA)
