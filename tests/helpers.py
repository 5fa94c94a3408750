"""What tests of several rooms need."""

import re

import numpy as np
import pytest


def refuses(message):
    """The whole message of a ValueError is this."""
    return pytest.raises(ValueError, match="^" + re.escape(message) + "$")


def refuses_from(message):
    """The message of a ValueError begins like this."""
    return pytest.raises(ValueError, match="^" + re.escape(message))


def split_at(X, y, n_weeks):
    """Return rows before and from a week on, and the KPI of both."""
    early = X["week"] < np.sort(X["week"].unique())[n_weeks]
    return X[early], X[~early], y[early], y[~early]
