"""What could be known of effects by one who knows every shape, or every family of them.

`fit_oracle`: carry-over, saturation and drift of all channels are known; how large
each effect is, is found by least squares, with the same baseline for all worlds: per
region an intercept, a trend, two harmonics of the year and the controls, and errors
that follow an AR(1). No model that has to learn shapes can be expected to be as good.

`fit_families`: the families of carry-over and saturation are known, their parameters
are found with the rest, by nonlinear least squares. It starts at the true parameters,
which are also the centres of its priors (SPREADS), and is told how persistent and how
large errors are. It shows what is to be expected of one who has to learn shapes, but is
told all else.
"""

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

N_ROUNDS = 10  # of estimating coefficients and the persistence of errors
MOST = 0.97  # persistence of errors
WEEKS = 52.18
SPREADS = {"logit decay": 1.0, "log rate": 0.7, "log half": 0.7, "log slope": 0.3}


def fit_oracle(problem):
    """Return contributions by row, the true ones times a number per channel, and None.

    Parameters
    ----------
    problem : Problem
    """
    rows = _Rows(problem)
    size_of_effect, *_ = rows.least_squares(
        problem.truth.to_numpy() / rows.size[:, None]
    )
    return (problem.truth * size_of_effect).set_axis(problem.X.index), None


def fit_families(problem):
    """Return contributions by row of one who knows the families of curves, and None.

    Parameters
    ----------
    problem : Problem
        With a `family`.
    """
    family, rows = problem.family, _Rows(problem)
    known = problem.truth.to_numpy() / rows.size[:, None]
    _, persistence, innovation = rows.least_squares(known)

    def fit(curves):
        return rows.least_squares(curves / rows.size[:, None], persistence)

    contributions = learn_shapes(family, fit, innovation.std())
    columns, index = problem.truth.columns, problem.X.index
    return pd.DataFrame(contributions, columns=columns, index=index), None


def learn_shapes(family, fit, scale):
    """Return what each channel causes with the parameters and sizes that fit best.

    Parameters
    ----------
    family : Family
    fit : callable
        From curves, (rows, channels), to their sizes and, last, innovations.
    scale : float
        Standard deviation of the innovations.
    """
    spread = np.array([SPREADS[kind] for kind in family.kinds])

    def misfit(parameters):
        *_, innovation = fit(family.curves(parameters))
        return np.r_[innovation / scale, (parameters - family.truth) / spread]

    curves = family.curves(least_squares(misfit, family.truth).x)
    return curves * fit(curves)[0]


class _Rows:
    """Rows of a problem by region and week, in units of the region's mean KPI."""

    def __init__(self, problem):
        X, roles = problem.X, problem.roles
        code = np.zeros(len(X), dtype=int)
        if roles["region"] is not None:
            code = pd.factorize(X[roles["region"]])[0]
        week = pd.factorize(X[roles["time"]], sort=True)[0]
        y = pd.Series(np.asarray(problem.y))
        self.size = y.groupby(code).transform("mean").to_numpy()
        angle = 2 * np.pi * week / WEEKS
        shared = [week, *(wave(k * angle) for k in (1, 2) for wave in (np.sin, np.cos))]
        shared += [X[control].to_numpy(dtype=float) for control in roles["controls"]]
        of_region = np.eye(code.max() + 1)[code]
        baseline = [of_region]
        for column in shared:
            centred = (column - column.mean()) / (column.std() or 1.0)
            baseline.append(of_region * centred[:, None])
        self.order = np.lexsort((week, code))
        self.baseline = np.column_stack(baseline)
        self.y = (y.to_numpy() / self.size)[self.order]
        self.follows = np.r_[False, np.diff(code[self.order]) == 0]

    def least_squares(self, media, persistence=None):
        """Sizes of media in KPI of the region's mean, persistence, and innovations."""
        design = np.column_stack([media, self.baseline])[self.order]
        coef, *errors = autoregressive_least_squares(
            design, self.y, self.follows, persistence
        )
        return coef[: media.shape[1]], *errors


def autoregressive_least_squares(design, y, follows, persistence=None):
    """Return coefficients under AR(1) errors, their persistence, and the innovations.

    Parameters
    ----------
    design : ndarray of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    follows : ndarray of shape (n_rows,), bool
        Rows whose region has the row before, too.
    persistence : float, default=None
        Of the errors; estimated (Cochrane and Orcutt 1949) if not given.
    """

    def fit(persistence):
        def without_last(values):
            weight = persistence * follows.reshape(-1, *[1] * (values.ndim - 1))
            return values - weight * np.roll(values, 1, axis=0)

        now, target = without_last(design), without_last(y)
        coef, *_ = np.linalg.lstsq(now, target, rcond=None)
        return coef, target - now @ coef

    if persistence is not None:
        coef, innovation = fit(persistence)
        return coef, persistence, innovation
    persistence = 0.0
    for _ in range(N_ROUNDS):
        coef, innovation = fit(persistence)
        error = y - design @ coef
        now, last = error[follows], np.roll(error, 1)[follows]
        persistence = np.clip((now * last).sum() / (last**2).sum(), 0.0, MOST)
    return coef, persistence, innovation
