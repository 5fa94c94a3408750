"""What tests of several rooms need."""

import importlib
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


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


@contextmanager
def benchmark_modules(*names):
    """Modules of the benchmarks, importable from each other in this context."""
    if not BENCHMARKS.exists():
        pytest.skip("benchmarks are not part of the source distribution")
    sys.path.insert(0, str(BENCHMARKS))
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    sys.path.remove(str(BENCHMARKS))
    for name in names:
        sys.modules.pop(name, None)


class AfterIterations:
    """A callback of scikit-learn that acts once, and says whether to stop."""

    def __init__(self, number, act):
        self.number, self.act = number, act

    def setup(self, estimator, context):
        self.n_done = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, fitted_estimator=None, **_):
        self.n_done += context.task_name == "iteration"
        return self.n_done == self.number and self.act()
