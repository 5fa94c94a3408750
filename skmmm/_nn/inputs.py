"""From a panel of numbers to the tensors that the network reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skmmm._nn.network import Inputs


@dataclass(frozen=True)
class Seasons:
    """What the network needs to know about time.

    Attributes
    ----------
    calendar : Calendar or None
        None where rows have no order, and therefore no season.
    n_harmonics : int
    n_train : int
        Periods in the training window.
    """

    calendar: Any
    n_harmonics: int
    n_train: int

    def fourier(self, ordinals):
        """Return the Fourier terms of the season in their expected size, (S, T)."""
        if self.calendar is None:
            return np.zeros((0, len(ordinals)))
        terms = self.calendar.fourier(ordinals, self.n_harmonics)
        return terms * self.calendar.smoothness(self.n_harmonics)[:, None]

    def trend(self, ordinals):
        """Return time in training windows: -1/2 at its start, 1/2 at its end."""
        return np.asarray(ordinals) / max(self.n_train - 1, 1) - 0.5


def build_inputs(panel, scales, seasons, max_lag):
    """Return the `Inputs` of every cell of a panel.

    Parameters
    ----------
    panel : Panel
    scales : Scales
        With one entry per region of the panel.
    seasons : Seasons
    max_lag : int

    Returns
    -------
    inputs : Inputs
    """
    media, known = panel.history(max_lag)
    media = media / scales.media[:, :, None]
    controls = (panel.controls - scales.control_centre[:, None]) / scales.control_scale
    controls = controls * panel.observed[..., None]
    season = seasons.fourier(panel.periods)
    trend = seasons.trend(panel.periods)
    return Inputs(
        media=_tensor(media),
        known=_tensor(known),
        controls=_tensor(controls.transpose(0, 2, 1)),
        season=_tensor(season),
        trend=_tensor(trend),
        context=_tensor(_context(controls, season, trend)),
    )


def context_groups(n_season, n_controls):
    """Widths of the groups of context columns: each season term, time, controls."""
    return [*[1] * n_season, 1, *([n_controls] if n_controls else [])]


def _context(controls, season, trend):
    """Stack what the GRU reads, shape (R, C, T).

    Time stands still outside the training window: what changed during training is
    not extrapolated.
    """
    calendar = np.concatenate([season, np.clip(trend, -0.5, 0.5)[None]])
    calendar = np.broadcast_to(calendar, (len(controls), *calendar.shape))
    return np.concatenate([calendar, controls.transpose(0, 2, 1)], axis=1)


def _tensor(array):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64)
