"""What the benchmark worlds are made of: a `Problem`, carry-over, saturation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter

WEEK, REGION = "week", "region"


@dataclass(frozen=True)
class Family:
    """The families of a world's curves, and their true parameters.

    Parameters
    ----------
    curves : callable
        From parameters to what each channel causes, (rows, channels), KPI units but for
        a factor per channel.
    truth : ndarray of shape (n_parameters,)
    kinds : list of str
        What each parameter is, of ``shape_oracle.SPREADS``.
    """

    curves: Callable
    truth: np.ndarray
    kinds: list


@dataclass(frozen=True)
class Problem:
    """One simulated data set and what caused its KPI.

    Parameters
    ----------
    name : str
    seed : int
    X : DataFrame
        Week, region (unless there is one series), media and controls.
    y : Series
        KPI.
    truth : DataFrame
        One column per channel: the noiseless KPI of each row minus what it would be
        without that channel's spend, other spend unchanged.
    roles : dict
        Arguments of `DeepCausalMMMRegressor` that name the columns.
    total_truth : DataFrame or None
        As truth, but channels that react to the removed one do react.
    respond : callable or None
        From spend, (rows, channels), to what each channel then causes, of that shape.
    family : Family or None
    """

    name: str
    seed: int
    X: pd.DataFrame
    y: pd.Series
    truth: pd.DataFrame
    roles: dict
    total_truth: pd.DataFrame | None = None
    respond: Callable | None = None
    family: Family | None = None


def carry_over(spend, kernels):
    """Convolve spend (T, M) with kernels (M, L) along time; nothing before week 0."""
    columns = zip(kernels, spend.T, strict=True)
    return np.stack([lfilter(kernel, 1.0, x) for kernel, x in columns], axis=-1)


def geometric(decay, n_lags):
    """Geometric kernels (M, L), each with sum 1."""
    weights = np.asarray(decay)[:, None] ** np.arange(n_lags)
    return weights / weights.sum(axis=1, keepdims=True)


def logit(share):
    """Log odds of a share; none at all counts as 2 %."""
    share = np.maximum(share, 0.02)
    return np.log(share / (1 - share))


def weibull(shape, scale, n_lags):
    """Weibull density at lags 1 to L, (M, L), each with sum 1."""
    shape, scale = np.array(shape)[:, None], np.array(scale)[:, None]
    lags = np.arange(1, n_lags + 1) / scale
    weights = lags ** (shape - 1) * np.exp(-(lags**shape))
    return weights / weights.sum(axis=1, keepdims=True)


def hill(x, *, half, slope):
    power = (x / np.asarray(half)) ** np.asarray(slope)
    return power / (1.0 + power)


def autoregression(rng, coefficient, sd, n):
    return lfilter([1.0], [1.0, -coefficient], rng.normal(0.0, sd, n))


def without_each(response, spend):
    """What response (T,) loses without each channel of spend, (T, M)."""
    full = response(spend)
    keep = 1.0 - np.eye(spend.shape[1])
    return np.stack([full - response(spend * mask) for mask in keep], axis=-1)


def one_series(name, seed, *, media, spend, controls, y, truth, total=None):
    """Pack arrays of one weekly series into a Problem."""
    weeks = pd.date_range("2021-01-04", periods=len(y), freq="W-MON", name=WEEK)
    X = pd.DataFrame({WEEK: weeks})
    X = X.join(pd.DataFrame(spend, columns=media)).join(pd.DataFrame(controls))
    roles = {"media": media, "controls": list(controls), "region": None, "time": WEEK}
    return Problem(
        name,
        seed,
        X,
        pd.Series(y, name="sales"),
        pd.DataFrame(truth, columns=media),
        roles,
        None if total is None else pd.DataFrame(total, columns=media),
    )
