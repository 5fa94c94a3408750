"""What channels cause if the spend of some rows is multiplied.

Unless adstock is recurrent it is linear in spend as far as spend is believed::

    adstock(damped(rest + f * own)) = adstock(rest) + f * adstock(own)
                                        - adstock(excess(rest + f * own))

with an excess in the few cells that are spikes. Where nothing else is carried in and
nothing is in excess, ``hill`` depends on f through its odds alone::

    hill(f * a) = odds / (1 + odds)
    odds        = f ** slope * (a / half_saturation) ** slope

so that a whole response curve costs little more than one point of it. Channels with a
frequency are linear in reach, and what is scaled is reach.
"""

from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from skmmm._model.adstock import carry_known
from skmmm._model.draws import select
from skmmm._model.frequency import heard
from skmmm._model.saturation import half_saturations, hill_odds
from skmmm._model.spikes import believed_share, find_spikes, take_excess
from skmmm._model.stock import arriving
from skmmm._model.synergies import together


class ScaledChannel:
    """The effect of one channel as a function of the size of some of its spend.

    Parameters
    ----------
    network : OutcomeNetwork
        With E draws.
    channel : int
    inputs : Inputs
    own, rest : Tensor of shape (R, 1, L + T)
        Spend that is scaled and spend that is not, in units of typical spend.
    weight : Tensor of shape (R, T)
        Of each cell in the sums: 0 where the KPI does not count.
    """

    def __init__(self, network, channel, inputs, own, rest, weight):
        self.network, self.values = network.among([channel])
        self.inputs = inputs.among([channel], own + rest)
        self.own, self.rest = own, rest
        self.slope = torch.exp(self.values["slope_log"])[:, None]  # (E, 1, 1)
        self.half_log = half_saturations(self.values, self.inputs.intensity)
        self.full = self.network.full_effects(self.values, inputs)[:, :, 0]
        self.late = None  # weight of effects that arrive later
        if self.network.channel_priors.stock is None:
            self.full = self.full * weight
        else:
            self.late = weight
        self.spiked = bool(self.network.channel_priors.spiked.any())
        gaps = self.spiked and not inputs.known.all()
        self.linear = self.network.adstock != "gru" and not gaps
        self.heard = None
        if self.network.channel_priors.frequency is not None:
            self.heard = heard(self.inputs.frequency, self.half_log, self.slope)
            self.linear = not self.spiked
        self.partners = self._partners(network, channel, inputs, weight)
        self.kernel = None
        if self.network.adstock != "gru" and self.network.sizes.max_lag:
            self.kernel = self.network.kernel(self.values)

    @staticmethod
    def _partners(network, channel, inputs, weight):
        """Return theta, (E, 1, 1), and what the other does, (E, R, T), of each pair."""
        pairs = network.channel_priors.pairs
        if pairs is None:
            return []
        strength, found = network.values()["synergy"], []
        for p, pair in enumerate(pairs.tolist()):
            if channel in pair:
                (other,) = {*pair} - {channel}
                media = inputs.media[..., [other], :]
                effects = network.channel_effects([other], inputs, media)[:, :, 0]
                found.append((strength[:, p, None, None], effects * weight))
        return found

    def in_regions(self, regions):
        """Return the same in some regions; nothing is carried over yet."""
        twin = copy(self)
        for name in ("own_carried", "rest_carried", "own_odds"):
            vars(twin).pop(name, None)
        twin.network = self.network.in_regions(regions)
        twin.inputs = self.inputs.in_regions(regions)
        twin.own, twin.rest = self.own[regions], self.rest[regions]
        twin.full = self.full[:, regions]
        if self.late is not None:
            twin.late = self.late[regions]
        if self.half_log.shape[1] > 1:
            twin.half_log = self.half_log[:, regions]
        if self.heard is not None:
            twin.heard = self.heard[:, regions]
        twin.partners = [(theta, own[:, regions]) for theta, own in self.partners]
        return twin

    @cached_property
    def own_carried(self):
        return self._carried(self.own)

    @cached_property
    def rest_carried(self):
        return self._carried(self.rest) if self.rest.any() else None

    @cached_property
    def own_odds(self):
        return self._odds(self.own_carried)

    def effects(self, factor):
        """Return the effect of all spend of the channel, with all that pairs add.

        Parameters
        ----------
        factor : float or Tensor of shape (R, 1)

        Returns
        -------
        effects : Tensor of shape (E, R, T)
        """
        return self._effects(self._odds_under(factor))

    def under(self, media):
        """Return the effect of the channel under other spend, (E, R, T).

        Parameters
        ----------
        media : Tensor of shape ([E,] R, 1, L + T)
            In units of typical spend.
        """
        return self._effects(self._odds_of(media))

    def _effects(self, odds):
        if self.heard is not None:  # of reach that was heard and carried over
            found = odds * self.full
        else:
            # odds / (1 + odds) = 1 - 1 / (1 + odds), which is 1 where odds are infinite
            missed = odds.add_(1.0).reciprocal_().mul_(self.full)
            found = missed.neg_().add_(self.full)
        if self.late is not None:
            channels = self.network.channel_priors
            found = arriving(channels, self.values, found[:, :, None])[:, :, 0]
            return found * self.late
        # What a pair adds is as many times as large as both effects: weights pass.
        added = [theta * together(found, other) for theta, other in self.partners]
        return sum(added, found)

    def _odds_of(self, media):
        inputs = replace(self.inputs, media=media)
        return self._odds(self._carried(self.network.damped(self.values, inputs)))

    def _odds_under(self, factor):
        by_region = factor[..., None] if torch.is_tensor(factor) else factor
        if self.spiked or not self.linear:
            spend = self.rest + by_region * self.own  # (R, 1, L + T)
            cells = find_spikes(spend, self.inputs.high)
            if not self.linear or cells is None:
                return self._odds_of(spend)
            if len(cells[0]):
                return self._odds(self._damped(self._all_carried(factor), spend, cells))
        if self.rest_carried is None:
            power = self.slope if self.heard is None else 1.0
            return self.own_odds * factor**power
        return self._odds(self._all_carried(factor))

    def _all_carried(self, factor):
        """Return adstock as if all spend was believed, (E, R, T)."""
        carried = factor * self.own_carried
        return carried if self.rest_carried is None else self.rest_carried + carried

    def _damped(self, adstock, spend, cells):
        """Return adstock, (E, R, T), less what the excess of spikes carries over."""
        share, kernel = believed_share(self.values), self.kernel
        if kernel is None:
            kernel = share.new_ones(*share.shape, 1)
        adstock = adstock[:, :, None]
        high = self.inputs.high
        return take_excess(adstock, spend, high, share, kernel, cells)[:, :, 0]

    def _carried(self, media):
        known = self.inputs.known
        if self.heard is not None:
            media = media * self.heard
        if self.kernel is None:
            carried = self.network.adstocked(self.values, media, known)
        else:
            carried = carry_known(media, known, self.kernel)
        return carried[:, :, 0].contiguous()

    def _odds(self, adstock):
        if self.heard is not None:
            return adstock
        return hill_odds(adstock, self.half_log, self.slope)


class SpendResponses:
    """The effects of one channel as a function of its spend in some regions.

    Parameters
    ----------
    network : OutcomeNetwork
        With E draws.
    split : Split
    channel : int
    typical : ndarray of shape (R, 1)
        Typical spend of the channel, in the units of X.
    draw : ndarray of shape (E,), int
        Which of D spends each draw has; -1: left out.
    """

    def __init__(self, network, split, channel, typical, draw):
        self._draw, self._chosen = draw, np.flatnonzero(draw >= 0)
        self._typical, self._before = typical, network.sizes.max_lag
        own, rest = split.own[:, [channel]], split.rest[:, [channel]]
        few = select(network, self._chosen)
        with torch.no_grad():
            self._every = ScaledChannel(
                few, channel, split.inputs, own, rest, split.weight
            )

    def __call__(self, regions, spend):
        """Return effects, (K, E, regions), in KPI units; zero for draws left out.

        Parameters
        ----------
        regions : slice
        spend : ndarray of shape (D, K, regions, T)
            In the units of X, in the window of the split.
        """
        chosen = self._chosen
        found = np.zeros((spend.shape[1], len(self._draw), spend.shape[2]))
        with torch.no_grad():
            one = self._every.in_regions(regions)
            media = (one.own + one.rest).repeat(len(chosen), 1, 1, 1)
            now = media[:, :, 0, self._before :]
            for k, effect in enumerate(found):
                spent = spend[self._draw[chosen], k] / self._typical[regions]
                now[:] = torch.from_numpy(spent)
                effect[chosen] = one.under(media).sum(dim=-1).numpy()
        return found


class Flights:
    """The effect of all media as a function of multiples of some spend by period.

    Parameters
    ----------
    network : OutcomeNetwork
        With E draws.
    window : slice
        Periods of the grid that `inputs` hold.
    inputs : Inputs
    own, rest : Tensor of shape (R, M, L + T)
        Spend that is multiplied and spend that is not, in units of typical spend.
    weight : Tensor of shape (R, T)
        Of each cell in the sums: 0 where the KPI does not count.
    """

    def __init__(self, network, window, inputs, own, rest, weight):
        with torch.inference_mode(False), torch.no_grad():
            self.network, self.window = network, window
            self.own, self.rest, self.weight = own.clone(), rest.clone(), weight.clone()
            every = range(self.own.shape[1])
            self.inputs = inputs.among(every, self.rest)
            self.values = network.values()

    def __call__(self, multiples, weigh):
        """Return effects and the gradient of their weighted sum.

        Parameters
        ----------
        multiples : ndarray of shape (n_media, n_periods of the grid)
        weigh : callable
            From effects to their weights, both ndarrays of shape (E,).

        Returns
        -------
        effects : ndarray of shape (E,)
            Of all spend, in KPI units.
        gradient : ndarray of shape (n_media, n_periods of the grid)
        """
        before = self.own.shape[-1] - self.weight.shape[1]
        longer = np.pad(multiples, ((0, 0), (before, 0)), constant_values=1.0)
        within = slice(self.window.start, self.window.stop + before)
        with torch.inference_mode(False), torch.enable_grad():
            multiple = torch.tensor(longer[:, within], requires_grad=True)
            inputs = replace(self.inputs, media=self.rest + self.own * multiple)
            effects = self.network.media_effects(self.values, inputs)
            totals = torch.einsum("ermt,rt->e", effects, self.weight)
            weights = torch.from_numpy(weigh(totals.detach().numpy()))
            (totals @ weights).backward()
        gradient = np.zeros_like(longer)
        gradient[:, within] = torch.as_tensor(multiple.grad).numpy()
        return totals.detach().numpy(), gradient[:, before:]
