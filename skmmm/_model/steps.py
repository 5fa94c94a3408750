"""Effects that go on changing after training: a random walk of their logarithms."""

import copy
from dataclasses import dataclass

import torch

from skmmm._model.priors import shared_priors

_APART = 4  # periods between steps


@dataclass(frozen=True, eq=False)
class Steps:
    """Periods in which log effects step, each channel by its own.

    Attributes
    ----------
    start : Tensor of shape (K,), int
        First period after each step, in their order.
    sd : Tensor of shape (K,)
        Standard deviation of each.
    """

    start: torch.Tensor
    sd: torch.Tensor

    def columns(self, periods):
        """Return 1 from each step on and 0 before, (K, T)."""
        return (periods >= self.start[:, None]).double()


def later_steps(before, trained, panel, n_new, drift):
    """Return the steps of periods that came, beside those before; None for none.

    They lie on a grid that begins after training: in how many calls periods come makes
    no difference.

    Parameters
    ----------
    before : Steps or None
    trained : int
        How many periods there were in `fit`.
    panel : Panel
        All rows.
    n_new : int
        How many of its last periods are new.
    drift : float
        Standard deviation of the random walk per period; 0: no steps.
    """
    grid = torch.arange(trained, panel.shape[1], _APART)
    start = panel.first_period + grid[grid >= panel.shape[1] - n_new]
    if not drift or not len(start):
        return before
    sd = torch.full((len(start),), drift * _APART**0.5, dtype=torch.float64)
    if before is None:
        return Steps(start, sd)
    return Steps(torch.cat([before.start, start]), torch.cat([before.sd, sd]))


def with_steps(network, steps, chance):
    """Return a network with more steps.

    Parameters
    ----------
    network : OutcomeNetwork
    steps : Steps
        Those it has already come first.
    chance : Tensor of shape (E, n_media, n_more)
        New steps, in their standard deviations.
    """
    n_media = network.sizes.n_media
    known = 0 if network.steps is None else n_media * len(network.steps.start)
    others, own = network.shared.split([network.shared.shape[1] - known, known], dim=1)
    own = torch.cat([own.reshape(len(own), n_media, -1), chance], dim=2)
    twin = copy.copy(network)
    twin.steps = steps
    twin.shared = torch.cat([others, own.flatten(1)], dim=1)
    twin.shared_priors = shared_priors(
        network.adstock,
        network.sizes,
        network.channel_priors,
        level=network.level,
        steps=steps,
    )
    return twin
