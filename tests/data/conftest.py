"""Data are read and refused alike whatever the draws are."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _cheap_draws(short_chains):
    """Draws cost little in all tests of this folder."""
