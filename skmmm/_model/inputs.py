"""From a panel of numbers to the tensors that the network reads."""

from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F

from skmmm._model.sums import gathered

# Of `Inputs`: what has regions first.
_OF_REGIONS = (
    *("media", "high", "intensity", "known", "controls", "states", "demand"),
    *("frequency", "age"),
)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the network reads, as float64 tensors (R regions, T periods, L lags).

    Attributes
    ----------
    media : Tensor of shape (R, M, L + T)
        In units of typical spend, with history in front.
    high : Tensor of shape (R, M, 1)
        What spend nearly always stays below.
    intensity : Tensor of shape (R, M)
        Log of typical spend per head, by that of an average region.
    known : Tensor of shape (R, L + T)
        0 where spend is unknown.
    controls : Tensor of shape (R, K, T)
        Standardised.
    season : Tensor of shape (S, T)
        Fourier terms.
    trend : Tensor of shape (T,)
        Time in training windows, -1/2 to 1/2 inside the window.
    states : Tensor of shape (R, H, T)
        Of the GRU.
    demand : Tensor of shape (R, D, T)
        Hidden demand in this period and its neighbours, and what it may be beside that
        in this one; D = 0 if there is none.
    frequency : Tensor of shape (R, M, L + T) or None
        Log of the frequency of those reached, by its mean; 0 where nobody was, and for
        channels without one. None if no channel has one.
    steps : Tensor of shape (K, T) or None
        1 after each step of the effects. None if there are none.
    age : Tensor of shape (R, T) or None
        Periods since the first row of the region, 0 before it; None where only effects
        are asked for.
    """

    media: torch.Tensor
    high: torch.Tensor
    intensity: torch.Tensor
    known: torch.Tensor
    controls: torch.Tensor
    season: torch.Tensor
    trend: torch.Tensor
    states: torch.Tensor
    demand: torch.Tensor
    frequency: torch.Tensor | None = None
    steps: torch.Tensor | None = None
    age: torch.Tensor | None = None

    def rounded(self):
        """Return media and controls rounded to ten significant digits.

        Columns that arrive in other units, or scaled by a transformer, then start from
        the same bits, and a fit takes the same path.
        """

        def digits(values):
            mantissa, exponent = torch.frexp(values)
            mantissa.mul_(2.0**33).round_().div_(2.0**33)  # panels may be large
            return torch.ldexp(mantissa, exponent)

        return replace(
            self,
            media=digits(self.media),
            high=digits(self.high),
            intensity=digits(self.intensity),
            controls=digits(self.controls),
        )

    def among(self, channels, media):
        """Return the inputs of some channels, with other media."""
        return replace(
            self,
            media=media,
            high=self.high[:, channels],
            intensity=self.intensity[:, channels],
            frequency=_if_any(self.frequency, lambda own: own[:, channels]),
        )

    def in_regions(self, regions):
        """Return the inputs of some regions."""
        return self._with_each(lambda own: own[regions])

    def gathered(self):
        """Return the inputs of the regions of all processes."""
        return self._with_each(gathered)

    def _with_each(self, change):
        """Return inputs in which all that regions have is changed."""
        own = {name: getattr(self, name) for name in _OF_REGIONS}
        return replace(self, **{n: change(v) for n, v in own.items() if v is not None})

    def after_steps(self):
        """Return the inputs of rows in which all steps have been made."""
        return replace(self, steps=_if_any(self.steps, torch.ones_like))

    def padded(self, length):
        """Return what effects need to know, with more periods without spend.

        Of shape (R, M, length) is then the media.
        """
        more = (0, length - self.media.shape[-1])
        n_regions, n_periods = len(self.media), len(self.trend) + more[1]
        nothing = self.media.new_zeros(n_regions, 0, n_periods)
        return replace(
            self,
            media=F.pad(self.media, more),
            frequency=_if_any(self.frequency, lambda own: F.pad(own, more)),
            known=F.pad(self.known, more, value=1.0),
            states=F.pad(self.states, more),
            controls=nothing,
            demand=nothing,
            season=nothing[0],
            trend=self.media.new_zeros(n_periods),
            steps=_if_any(self.steps, lambda own: F.pad(own, more, mode="replicate")),
            age=None,
        )

    @classmethod
    def stacked(cls, several):
        """Return inputs with the regions of several that have the same periods."""
        names = ["media", "high", "intensity", "known", "controls", "states", "demand"]
        names += ["frequency"] * (several[0].frequency is not None)
        rows = {n: torch.cat([getattr(one, n) for one in several]) for n in names}
        return replace(several[0], **rows)

    def within(self, window):
        """Return the inputs of a slice of the periods, with the history before it."""
        lags = self.media.shape[-1] - len(self.trend)
        longer = slice(window.start, window.stop + lags)
        return replace(
            self,
            media=self.media[..., longer],
            known=self.known[..., longer],
            controls=self.controls[..., window],
            season=self.season[..., window],
            trend=self.trend[window],
            states=self.states[..., window],
            demand=self.demand[..., window],
            frequency=_if_any(self.frequency, lambda own: own[..., longer]),
            steps=_if_any(self.steps, lambda own: own[:, window]),
            age=_if_any(self.age, lambda own: own[:, window]),
        )


def _if_any(tensor, change):
    """Return a tensor changed, or None for None."""
    return None if tensor is None else change(tensor)


class PerPanel(WeakKeyDictionary):
    """What was computed from a panel, kept as long as the panel; copied empty."""

    def __reduce__(self):
        return PerPanel, ()

    def __deepcopy__(self, memo):
        return PerPanel()

    def get_or(self, panel, compute):
        """Return what is kept, or compute it."""
        if panel not in self:
            self[panel] = compute()
        return self[panel]


@dataclass(frozen=True, eq=False)
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
    _terms: PerPanel = field(default_factory=PerPanel, repr=False)

    def fourier(self, panel):
        """Return the Fourier terms of the season in their expected size, (S, T)."""
        return self._terms.get_or(panel, lambda: self._fourier(panel.periods))

    def _fourier(self, ordinals):
        if self.calendar is None:
            return np.zeros((0, len(ordinals)))
        return self.calendar.season(ordinals, self.n_harmonics)

    def trend(self, ordinals):
        """Return time in training windows: -1/2 at its start, 1/2 at its end."""
        return np.asarray(ordinals) / max(self.n_train - 1, 1) - 0.5


def build_inputs(panel, scales, seasons, max_lag, context, demand, steps=None):
    """Return the `Inputs` of every cell of a panel.

    Parameters
    ----------
    panel : Panel
    scales : Scales
        With one entry per region of the panel.
    seasons : Seasons
    max_lag : int
    context : Context or None
    demand : Demand or None
    steps : Steps, default=None

    Returns
    -------
    inputs : Inputs
    """
    media, known = panel.history(max_lag)
    media = media / scales.media[:, :, None]
    season = seasons.fourier(panel)
    trend = seasons.trend(panel.periods)
    if context is None:
        states = torch.zeros(len(media), 0, len(trend), dtype=torch.float64)
    else:
        states = context.states(context_columns(panel, scales, seasons))
    return Inputs(
        media=tensor_of(media),
        high=tensor_of(scales.media_high / scales.media)[..., None],
        intensity=tensor_of(scales.intensity),
        known=tensor_of(known),
        controls=tensor_of(_controls(panel, scales)),
        season=tensor_of(season),
        trend=tensor_of(trend),
        states=states,
        demand=tensor_of(
            np.zeros((len(media), 0, len(trend)))
            if demand is None
            else demand.columns(panel.periods, len(media))
        ),
        frequency=_log_frequency(panel, scales, max_lag),
        steps=_if_any(steps, lambda own: own.columns(torch.from_numpy(panel.periods))),
        age=tensor_of(_age(panel)),
    )


def _age(panel):
    """Return `Inputs.age` of a panel; rows before training do not count."""
    first = panel.periods[(panel.observed & (panel.periods >= 0)).argmax(axis=1)]
    return np.maximum(panel.periods - np.maximum(first, 0)[:, None], 0)


def _log_frequency(panel, scales, max_lag):
    """Return `Inputs.frequency` of a panel."""
    if scales.frequency is None:
        return None
    seen = np.isfinite(scales.frequency) & (panel.frequency > 0)
    relative = np.where(seen, panel.frequency / scales.frequency, 1.0)
    longer = [(0, 0), (0, 0), (max_lag, 0)]
    return tensor_of(np.pad(np.log(relative).transpose(0, 2, 1), longer))


def context_columns(panel, scales, seasons):
    """Return what the GRU reads, season, time and controls, shape (R, C, T).

    Time stands still outside the training window: what changed during training is
    not extrapolated.
    """
    season = seasons.fourier(panel)
    time = np.clip(seasons.trend(panel.periods), -0.5, 0.5)
    calendar = np.concatenate([season, time[None]])
    controls = _controls(panel, scales)
    calendar = np.broadcast_to(calendar, (len(controls), *calendar.shape))
    return tensor_of(np.concatenate([calendar, controls], axis=1))


def _controls(panel, scales):
    """Return standardised controls, zero where masked, shape (R, K, T)."""
    controls = (panel.controls - scales.control_centre[:, None]) / scales.control_scale
    return (controls * panel.observed[..., None]).transpose(0, 2, 1)


def tensor_of(array):
    """Return an array as numbers of double precision."""
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64)
