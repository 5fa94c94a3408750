"""Fixtures that the tests of input share."""

import pytest

# As little of a model as there can be.
QUICK = {"n_draws": 0, "n_hidden": 0, "n_harmonics": 1, "max_iter": 6}


@pytest.fixture(scope="session")
def quick(arguments):
    """Arguments of a fit that is over at once; not changed."""
    return arguments | QUICK


@pytest.fixture
def fast(fast):
    return fast | QUICK


@pytest.fixture
def X(panel):
    return panel.X.copy()


@pytest.fixture
def y(panel):
    return panel.y.copy()
