"""A fitted outcome model as scalars and arrays, and back."""

from dataclasses import asdict, fields

import numpy as np
import torch
from torch import nn

from skmmm._nn.context import Context
from skmmm._nn.inputs import Seasons
from skmmm._nn.level import Level
from skmmm._nn.likelihood import Loss
from skmmm._nn.network import OutcomeNetwork
from skmmm._nn.outcome import OutcomeModel
from skmmm._nn.priors import ChannelPriors, Sizes
from skmmm._panel import Panel
from skmmm._scales import Scales


def pack_model(model):
    """Split a model into what JSON can hold and arrays.

    Returns
    -------
    scalars : dict
    arrays : dict of str to ndarray
    """
    network = model.network
    scalars = {
        "sizes": asdict(network.sizes),
        "adstock": network.adstock,
        "independent": network.independent,
        "ordered": network.level,
        "loss": asdict(model.loss),
        "n_harmonics": model.seasons.n_harmonics,
        "n_train": model.seasons.n_train,
        "first_period": model.history.first_period,
    }
    arrays = {
        "shared": network.shared,
        "regional": network.regional,
        "free_sign": network.free_sign,
        **_fields("channel_priors", network.channel_priors),
        **_fields("scales", model.scales),
        **_fields("history", model.history),
    }
    if model.context is not None:
        arrays |= _fields("context", model.context)
    if model.level is not None:
        arrays |= _fields("level", model.level)
    if model.draws is not None:
        arrays |= {
            "alone": model.alone,
            "together": model.together,
            "draws.shared": model.draws.shared,
            "draws.regional": model.draws.regional,
        }
    if model.level_draws is not None:
        arrays |= _fields("level_draws", model.level_draws)
    return scalars, {name: _numpy(value) for name, value in arrays.items()}


def unpack_model(scalars, arrays, calendar):
    """Rebuild the model that `pack_model` split.

    Parameters
    ----------
    calendar : Calendar or None
    """
    sizes = Sizes(**scalars["sizes"])
    network = OutcomeNetwork(
        sizes,
        adstock=scalars["adstock"],
        free_sign=torch.from_numpy(arrays["free_sign"]),
        channel_priors=ChannelPriors(
            **{
                name: torch.from_numpy(v)
                for name, v in _of("channel_priors", arrays).items()
            }
        ),
        level=scalars["ordered"],
    )
    network.independent = scalars["independent"]
    network.shared = nn.Parameter(torch.from_numpy(arrays["shared"]))
    network.regional = nn.Parameter(torch.from_numpy(arrays["regional"]))
    draws = None
    if "draws.shared" in arrays:
        draws = network.at(
            torch.from_numpy(arrays["draws.shared"]),
            torch.from_numpy(arrays["draws.regional"]),
        )
    return OutcomeModel(
        network=network,
        draws=draws,
        level=_level("level", arrays),
        level_draws=_level("level_draws", arrays),
        scales=Scales(**_of("scales", arrays)),
        seasons=Seasons(calendar, scalars["n_harmonics"], scalars["n_train"]),
        context=_context(arrays),
        history=Panel(first_period=scalars["first_period"], **_of("history", arrays)),
        loss=Loss(**scalars["loss"]),
        alone=arrays.get("alone"),
        together=arrays.get("together"),
    )


def _context(arrays):
    own = {name: torch.from_numpy(v) for name, v in _of("context", arrays).items()}
    return Context(**own) if own else None


def _level(prefix, arrays):
    own = {name: torch.from_numpy(v) for name, v in _of(prefix, arrays).items()}
    return Level(**own) if own else None


def _fields(prefix, instance):
    """Return the arrays and tensors of a dataclass, named ``prefix.field``."""
    values = {f.name: getattr(instance, f.name) for f in fields(instance)}
    return {
        f"{prefix}.{name}": value
        for name, value in values.items()
        if isinstance(value, np.ndarray | torch.Tensor)
    }


def _of(prefix, arrays):
    """Return the arrays named ``prefix.field`` by field."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): array
        for name, array in arrays.items()
        if name.startswith(start)
    }


def _numpy(value):
    return value.detach().numpy() if isinstance(value, torch.Tensor) else value
