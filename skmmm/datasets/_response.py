"""Response of a simulated market to media and controls.

Arrays are laid out as in `_synthetic`: (T, R, M) for periods, regions and media.
"""

import numpy as np
import pandas as pd

REGION, WEEK = "region", "week"
_GRID = 1000  # spends of a cell, from a thousandth of its budget of a period on


class PanelResponse:
    """Noiseless KPI of a simulated panel as a function of its rows.

    Parameters
    ----------
    parameters : dict
        The truth, as in the ``parameters`` that :func:`make_mmm_panel` returns.
    saturation : {"hill", "exponential"}
        Form of the response to carried-over spend.
    """

    def __init__(self, *, parameters, saturation):
        self.parameters = parameters
        self.saturation = saturation

    def __call__(self, X):
        """Expected KPI when media and controls take the values in X.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_columns)
            The region-weeks of the panel, each once, in any order, with all media
            columns (currency per period) and control columns. Before the first week
            nothing was spent. A channel's spend is taken as given: it does not follow
            a change in a channel that drives it.

        Returns
        -------
        expected : ndarray of shape (n_samples,)
            Noiseless KPI, in KPI units, in the row order of X.
        """
        p = self.parameters
        media, controls = list(p["effect"]), list(p["control_effect"].index)
        rows = self._panel_rows(X, [*media, *controls])
        values = np.empty((len(X), len(media) + len(controls)))
        values[rows] = X[[*media, *controls]].to_numpy(dtype=np.float64)
        _check_values(values, media)
        grid = values.reshape(len(p["trend"]), len(p["scale"]), -1)  # (T, R, M + C)
        expected = (
            self.baseline()
            + self.media(grid[..., : len(media)]).sum(axis=-1)
            + self.controls(grid[..., len(media) :]).sum(axis=-1)
        )
        return expected.ravel()[rows]

    def baseline(self):
        """KPI without media, controls at their reference, of shape (T, R)."""
        p = self.parameters
        shared = 1.0 + p["trend"].to_numpy() + p["season"].to_numpy()
        return p["scale"].to_numpy() * (shared[:, None] + p["level"].to_numpy())

    def controls(self, values):
        """KPI due to control values of shape (T, R, C), of the same shape."""
        p = self.parameters
        deviation = values - p["control_reference"].to_numpy()
        scale = p["scale"].to_numpy()[:, None]  # (R, 1)
        return scale * p["control_effect"].to_numpy() * deviation

    def media(self, spend):
        """KPI due to spend of shape (T, R, M), of the same shape."""
        p = self.parameters
        relative = spend / p["media_scale"].to_numpy()
        carried = carry_over(relative, p["kernel"].to_numpy())
        effect = p["scale"].to_numpy()[:, None] * p["effect"].to_numpy()  # (R, M)
        drift = p["drift"].to_numpy()[:, None, :]  # (T, 1, M)
        return effect * drift * self.saturate(carried)

    def cell_curves(self, spend, once, budget, counted):
        """Spends of every region's channels, and the KPI that they cause.

        Parameters
        ----------
        spend, once : ndarray of shape (T, R, M)
            What is spent in any case, and the course of a unit more of each cell.
        budget : float
            The highest spend.
        counted : slice
            Periods whose KPI counts.

        Returns
        -------
        spends, responses : ndarray of shape (_GRID, R * M)
            Rising from zero.
        """
        p = self.parameters
        scale, kernel = p["media_scale"].to_numpy(), p["kernel"].to_numpy()
        fixed, per_unit = (
            carry_over(values / scale, kernel)[counted] for values in (spend, once)
        )
        size = p["scale"].to_numpy()[:, None] * p["effect"].to_numpy()
        size = size * p["drift"].to_numpy()[counted, None]  # (T, R, M)
        least = 1e-3 * np.minimum(budget, scale)
        grid = np.geomspace(least, np.full_like(least, budget), _GRID - 1)
        grid = np.concatenate([np.zeros((1, *least.shape)), grid])
        kpi = np.stack(
            [(size * self.saturate(fixed + x * per_unit)).sum(axis=0) for x in grid]
        )
        return grid.reshape(_GRID, -1), (kpi - kpi[0]).reshape(_GRID, -1)

    def saturate(self, carried):
        """Response to carried-over spend of shape (..., M), as a share of the most."""
        half = self.parameters["half_saturation"].to_numpy()
        if self.saturation == "hill":
            power = (carried / half) ** self.parameters["slope"].to_numpy()
            return power / (1.0 + power)
        return -np.expm1(-np.log(2.0) * carried / half)

    def _panel_rows(self, X, columns):
        """Position of each row of X in the panel sorted by week, then region."""
        missing = [c for c in [WEEK, REGION, *columns] if c not in X]
        if missing:
            raise ValueError(f"X lacks the columns {missing} of the simulated panel.")
        level = self.parameters["level"]
        panel = pd.MultiIndex.from_product([level.index, level.columns])
        rows = panel.get_indexer(pd.MultiIndex.from_frame(X[[WEEK, REGION]]))
        if (rows < 0).any():
            week, region = X[[WEEK, REGION]].to_numpy()[np.argmin(rows)]
            raise ValueError(f"Region {region!r}, week {week}, is not in the panel.")
        if len(X) != len(panel) or len(np.unique(rows)) != len(panel):
            raise ValueError(
                f"X has {len(X)} rows holding {len(np.unique(rows))} different "
                f"region-weeks. Carry-over needs each of the {len(panel)} region-weeks "
                "of the panel exactly once."
            )
        return rows


def _check_values(values, media):
    if not np.isfinite(values).all():
        raise ValueError("X has missing or infinite media or control values.")
    negative = (values[:, : len(media)] < 0).any(axis=0)
    if negative.any():
        name = media[np.argmax(negative)]
        raise ValueError(f"Negative spend in column {name!r}; spend must be >= 0.")


def carry_over(x, kernel):
    """Spread x of shape (T, R, M) over later periods by kernel of shape (M, L)."""
    carried = np.zeros_like(x)
    for lag in range(min(kernel.shape[1], len(x))):
        carried[lag:] += kernel[:, lag] * x[: len(x) - lag]
    return carried
