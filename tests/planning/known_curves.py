"""Estimators whose best plan is known."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin

MEDIA = ["tv", "search", "radio"]
SIZE = {"tv": 10.0, "search": 8.0, "radio": 10.0}
WIDE = (0.3, 4.0)


def root(x, channel):
    return SIZE[channel] * np.sqrt(x)


class Known(RegressorMixin, BaseEstimator):
    """A KPI that is a known function of the spend of every row."""

    def __init__(self, curve=root, media=MEDIA, region=None, time=None):
        self.curve = curve
        self.media = media
        self.region = region
        self.time = time

    def fit(self, X=None, y=None):
        self.media_ = list(self.media)
        return self

    def predict(self, X):
        size = 1.0 if self.region is None else X[self.region].map({"A": 1.0, "B": 1.5})
        total = sum(self.curve(X[m].to_numpy(), m) for m in self.media)
        return np.asarray(1000.0 + size * total, dtype=float)


class Interacting(Known):
    """The same, but channels add to each other."""

    def predict(self, X):
        return super().predict(X) + np.sqrt(X["tv"] * X["radio"]).to_numpy()


def steady(**spend):
    """Twelve rows that spend the same."""
    return pd.DataFrame({m: np.full(12, float(x)) for m, x in spend.items()})


def best_by_roots(X, budget, sizes=SIZE):
    """Multiples of the best plan for square roots, whose marginal returns are equal."""
    earned = np.array([sizes[m] * np.sqrt(X[m]).sum() for m in X])
    spent = X.sum().to_numpy()
    multiple = (earned / spent) ** 2
    return multiple * budget / (multiple @ spent), earned, spent
