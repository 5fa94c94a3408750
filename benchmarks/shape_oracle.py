"""What could be known of effects by one who knows every shape.

Carry-over, saturation and drift of all channels are known; how large each effect is, is
found by least squares, with the same baseline for all worlds: per region an intercept,
a trend, two harmonics of the year and the controls, and errors that follow an AR(1).
"""

import numpy as np
import pandas as pd

N_ROUNDS = 10  # of estimating coefficients and the persistence of errors
MOST = 0.97  # persistence of errors
WEEKS = 52.18


def fit_oracle(problem):
    """Return contributions by row, the true ones times a number per channel, and None.

    Parameters
    ----------
    problem : Problem
    """
    X, roles, truth = problem.X, problem.roles, problem.truth
    code = np.zeros(len(X), dtype=int)
    if roles["region"] is not None:
        code = pd.factorize(X[roles["region"]])[0]
    week = pd.factorize(X[roles["time"]], sort=True)[0]
    size = pd.Series(np.asarray(problem.y)).groupby(code).transform("mean").to_numpy()
    angle = 2 * np.pi * week / WEEKS
    shared = [week, *(wave(k * angle) for k in (1, 2) for wave in (np.sin, np.cos))]
    shared += [X[control].to_numpy(dtype=float) for control in roles["controls"]]
    of_region = np.eye(code.max() + 1)[code]
    baseline = [of_region]
    for column in shared:
        centred = (column - column.mean()) / (column.std() or 1.0)
        baseline.append(of_region * centred[:, None])
    design = np.column_stack([truth.to_numpy() / size[:, None], *baseline])
    order = np.lexsort((week, code))
    follows = np.r_[False, np.diff(code[order]) == 0]
    size_of_effect = autoregressive_least_squares(
        design[order], (np.asarray(problem.y) / size)[order], follows
    )[: truth.shape[1]]
    return (truth * size_of_effect).set_axis(X.index), None


def autoregressive_least_squares(design, y, follows):
    """Return coefficients under AR(1) errors (Cochrane and Orcutt 1949).

    Parameters
    ----------
    design : ndarray of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    follows : ndarray of shape (n_rows,), bool
        Rows whose region has the row before, too.
    """
    persistence = 0.0

    def without_last(values):
        weight = persistence * follows.reshape(-1, *[1] * (values.ndim - 1))
        return values - weight * np.roll(values, 1, axis=0)

    for _ in range(N_ROUNDS):
        coef, *_ = np.linalg.lstsq(without_last(design), without_last(y), rcond=None)
        error = y - design @ coef
        now, last = error[follows], np.roll(error, 1)[follows]
        persistence = np.clip((now * last).sum() / (last**2).sum(), 0.0, MOST)
    return coef
