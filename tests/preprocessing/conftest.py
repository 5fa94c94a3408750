"""Fixtures that the tests of all transformers share."""

import pytest

from skmmm.datasets import make_mmm_panel


@pytest.fixture(scope="session")
def panel():
    return make_mmm_panel(3, 40, n_media=2, n_controls=1, random_state=0)


@pytest.fixture(scope="session")
def X(panel):
    """Rows in no order, with an index that is none either."""
    return panel.X.sample(frac=1.0, random_state=0)
