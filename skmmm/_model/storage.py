"""A fitted outcome model as scalars and arrays, and back."""

from dataclasses import asdict, fields

import numpy as np
import torch

from skmmm._data.panel import Panel
from skmmm._data.scales import Scales
from skmmm._model import ADSTOCKS
from skmmm._model.context import Context
from skmmm._model.demand import SHIFTS, Demand
from skmmm._model.inputs import Seasons
from skmmm._model.level import Level
from skmmm._model.likelihood import Loss
from skmmm._model.network import OutcomeNetwork
from skmmm._model.outcome import OutcomeModel
from skmmm._model.priors import ChannelPriors, Sizes, regional_priors, shared_priors
from skmmm._model.steps import Steps

# What JSON must hold of a model: the types of `scalars`.
KINDS = {
    "sizes": {f.name: bool if f.type is bool else int for f in fields(Sizes)},
    "adstock": str,
    "independent_share": float,
    "ordered": bool,
    "loss": {"kind": str, "shape": float},
    "n_harmonics": int,
    "n_train": int,
    "first_period": int,
}
_LOSSES = ("huber", "student_t")


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
        "independent_share": network.independent_share,
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
    if network.steps is not None:
        arrays |= _fields("steps", network.steps)
    if model.context is not None:
        arrays |= _fields("context", model.context)
    if model.demand is not None:
        arrays |= _fields("demand", model.demand)
    if model.level is not None:
        arrays |= _fields("level", model.level)
    if model.draws is not None:
        arrays |= {
            "conditional_contraction": model.conditional_contraction,
            "contraction": model.contraction,
            "narrow": model.narrow,
            "together": model.together,
            "draws.shared": model.draws.shared,
            "draws.regional": model.draws.regional,
        }
    if model.precision is not None:
        arrays["precision"] = model.precision
    if model.level_draws is not None:
        arrays |= _fields("level_draws", model.level_draws)
    arrays.pop("channel_priors.frequency", None)  # as `Scales` say
    return scalars, {name: _numpy(value) for name, value in arrays.items()}


def unpack_model(scalars, arrays, calendar, *, n_regions, n_media, n_controls):
    """Rebuild the model that `pack_model` split, or say what does not fit.

    Parameters
    ----------
    scalars : dict
        Of `KINDS`. Nothing is allocated for what it says that the arrays do not hold.
    arrays : StoredArrays
        What belongs to the model is taken out.
    calendar : Calendar or None
    n_regions, n_media, n_controls : int

    Raises
    ------
    ValueError
    """
    _check_words(scalars, calendar)
    n_periods = arrays.shape("history.observed")[-1]
    sizes = Sizes(
        n_regions=n_regions,
        n_media=n_media,
        n_controls=n_controls,
        n_season=_count_season(scalars["n_harmonics"], arrays, calendar),
        n_hidden=arrays.shape("context.mean")[-1] if "context.mean" in arrays else 0,
        max_lag=scalars["sizes"]["max_lag"],
        time_varying=scalars["sizes"]["time_varying"],
        negative_kpi=scalars["sizes"]["negative_kpi"],
        per_head=scalars["sizes"]["per_head"],
        n_demand=_count_demand(arrays),
    )
    _check_sizes(scalars, sizes, n_periods)
    scales = _scales(arrays, sizes)
    network = _network(scalars, arrays, sizes, scales, _steps(scalars, arrays))
    draws, conditional, contraction, narrow, together = _draws(arrays, network)
    ordered = scalars["ordered"]
    level_draws, precision = _told_of_levels(arrays, ordered, draws, sizes, n_periods)
    return OutcomeModel(
        network=network,
        draws=draws,
        level=_level(arrays, "level", 1, sizes, n_periods) if ordered else None,
        level_draws=level_draws,
        scales=scales,
        seasons=Seasons(calendar, scalars["n_harmonics"], scalars["n_train"]),
        context=_context(arrays, sizes),
        demand=_demand(arrays, sizes, n_periods),
        history=_history(arrays, sizes, n_periods, scales),
        loss=Loss(**scalars["loss"]),
        conditional_contraction=conditional,
        contraction=contraction,
        narrow=narrow,
        together=together,
        precision=precision,
    )


def _count_season(n_harmonics, arrays, calendar):
    """Return the number of seasonal terms, which all have a parameter."""
    if n_harmonics < 0 or (calendar and n_harmonics > arrays.shape("shared")[-1]):
        raise ValueError(f"n_harmonics in its header is {n_harmonics}.")
    return 0 if calendar is None else len(calendar.smoothness(n_harmonics))


def _count_demand(arrays):
    """Return how many columns of hidden demand have a parameter."""
    if "demand.mean" not in arrays:
        return 0
    return len(SHIFTS) * arrays.shape("demand.mean")[0] + _count_unsure(arrays)


def _count_unsure(arrays):
    """Return in how many directions demand may differ; files of before have none."""
    return arrays.shape("demand.unsure")[0] if "demand.unsure" in arrays else 0


def _check_words(scalars, calendar):
    """Raise if a choice is none that a model has."""
    loss, share = scalars["loss"], scalars["independent_share"]
    for name, value, allowed in (
        ("adstock", scalars["adstock"], scalars["adstock"] in ADSTOCKS),
        ("ordered", scalars["ordered"], scalars["ordered"] == (calendar is not None)),
        ("independent_share", share, 0 < share <= 1),
        ("loss.kind", loss["kind"], loss["kind"] in _LOSSES),
        ("loss.shape", loss["shape"], 0 < loss["shape"] < np.inf),
    ):
        if not allowed:
            raise ValueError(f"model.{name} in its header is {value!r:.80}.")


def _check_sizes(scalars, sizes, n_periods):
    """Raise if the header promises other sizes than the arrays have."""
    found = asdict(sizes) | {"first_period": 0}
    for name, value in found.items():
        promised = (scalars | scalars["sizes"])[name]
        if promised != value:
            raise ValueError(
                f"{name} in its header is {promised}, but its arrays say {value}."
            )
    most = n_periods - 1 if scalars["ordered"] else 0
    if not 0 <= sizes.max_lag <= most:
        raise ValueError(f"max_lag in its header is {sizes.max_lag}, above {most}.")


def _steps(scalars, arrays):
    """Return the steps of effects after training, None if there are none."""
    if "steps.start" not in arrays:
        return None
    n_steps = arrays.shape("steps.start")[0]
    first = scalars["first_period"] + scalars["n_train"]
    start = arrays.take("steps.start", (n_steps,), "int64", least=first)
    if not n_steps or (np.diff(start) <= 0).any():
        raise ValueError("array 'steps.start' has no periods in their order.")
    sd = arrays.take("steps.sd", (n_steps,), above=0.0)
    return Steps(torch.from_numpy(start), torch.from_numpy(sd))


def _network(scalars, arrays, sizes, scales, steps):
    """Return the network at the point."""
    channels = _channel_priors(arrays, sizes, scales)
    level = scalars["ordered"]
    n_shared = shared_priors(
        scalars["adstock"], sizes, channels, level=level, steps=steps
    ).n_parameters
    n_regional = regional_priors(sizes, level=level).n_parameters
    shared, regional = _parameters(arrays, "", 1, n_shared, n_regional, sizes)
    free_sign = arrays.take("free_sign", (sizes.n_media,), "bool")
    network = OutcomeNetwork(
        sizes,
        adstock=scalars["adstock"],
        free_sign=torch.from_numpy(free_sign),
        channel_priors=channels,
        level=level,
        steps=steps,
    )
    network.independent_share = scalars["independent_share"]
    network.shared, network.regional = shared, regional
    return network


# Of `ChannelPriors`.
_FLAGS = ("pooled", "spiked", "doubted", "shown", "alike")


def _channel_priors(arrays, sizes, scales):
    found = {"frequency": None, "stock": None, "usual": None}
    found["pairs"] = _pairs(arrays, sizes)
    if "channel_priors.slope_reach" not in arrays:  # of earlier versions
        found["slope_reach"] = None
    if scales.frequency is not None:
        found["frequency"] = torch.from_numpy(np.isfinite(scales.frequency))
    if "channel_priors.stock" in arrays:
        found |= _stock(arrays, sizes)
    for field in fields(ChannelPriors):
        if field.name in found:
            continue
        array = arrays.take(
            f"channel_priors.{field.name}",
            (sizes.n_media,),
            "bool" if field.name in _FLAGS else "float64",
            above=0.0 if field.name.endswith(("_spread", "_reach")) else -np.inf,
        )
        found[field.name] = torch.from_numpy(array)
    return ChannelPriors(**found)


def _pairs(arrays, sizes):
    """Return the pairs of channels that cause something together, None without any."""
    name = "channel_priors.pairs"
    if name not in arrays:
        return None
    pairs = arrays.take(name, (arrays.shape(name)[0], 2), "int64", least=0)
    if not len(pairs) or (pairs >= sizes.n_media).any() or not _in_order(pairs):
        raise ValueError(f"array {name!r} has no pairs of channels in their order.")
    return torch.from_numpy(pairs)


def _in_order(pairs):
    """Return whether pairs are in order, each too, and none is there twice."""
    rows = [tuple(pair) for pair in pairs]
    return rows == sorted(set(rows)) and (pairs[:, 0] < pairs[:, 1]).all()


def _stock(arrays, sizes):
    """Return what `ChannelPriors` know of slow stocks."""
    found = {
        name: arrays.take(f"channel_priors.{name}", (sizes.n_media,), least=0.0)
        for name in ("stock", "usual")
    }
    lives = np.unique(found["stock"][found["stock"] > 0])
    if len(lives) != 1:
        raise ValueError("array 'channel_priors.stock' has not one half-life.")
    return {name: torch.from_numpy(array) for name, array in found.items()}


def _parameters(arrays, prefix, n_draws, n_shared, n_regional, sizes):
    """Return shared and regional parameters, standardised."""
    return [
        torch.from_numpy(arrays.take(f"{prefix}{name}", shape, above=-np.inf))
        for name, shape in (
            ("shared", (n_draws, n_shared)),
            ("regional", (n_draws, sizes.n_regions, n_regional)),
        )
    ]


def _draws(arrays, network):
    """Return the twin with one entry per draw and what the data say, if any."""
    if "draws.shared" not in arrays:
        return None, None, None, None, None
    n_draws = arrays.shape("draws.shared")[0]
    n_shared, n_regional = network.shared.shape[1], network.regional.shape[2]
    sizes = network.sizes
    if not n_draws:
        raise ValueError("array 'draws.shared' has no draws.")
    drawn = _parameters(arrays, "draws.", n_draws, n_shared, n_regional, sizes)
    told = [
        arrays.take(name, (sizes.n_media,), above=-np.inf)
        for name in ("conditional_contraction", "contraction")
    ]
    narrow = arrays.take("narrow", (sizes.n_media,), "bool")
    together = arrays.take("together", (sizes.n_media,), "int64", least=-1)
    return network.at(*drawn), *told, narrow, together


def _told_of_levels(arrays, ordered, draws, sizes, n_periods):
    """Return the level of draws, or the precision of rows, from which it follows."""
    if not ordered or draws is None:
        return None, None
    if "level_draws.mean" in arrays:  # of earlier versions
        n_draws = len(draws.shared)
        return _level(arrays, "level_draws", n_draws, sizes, n_periods), None
    precision = arrays.take("precision", (sizes.n_regions, n_periods), least=0.0)
    return None, torch.from_numpy(precision)


def _level(arrays, prefix, n_draws, sizes, n_periods):
    grid = (n_draws, sizes.n_regions, n_periods)
    found = {
        "mean": arrays.take(f"{prefix}.mean", grid, above=-np.inf),
        "variance": arrays.take(f"{prefix}.variance", grid, least=0.0),
        "persistence": arrays.take(f"{prefix}.persistence", grid[:1], least=0.0),
        "shock": arrays.take(f"{prefix}.shock", grid[:2], least=0.0),
    }
    if (found["persistence"] > 1.0).any():
        raise ValueError(f"array '{prefix}.persistence' has values above 1.")
    return Level(**{name: torch.from_numpy(array) for name, array in found.items()})


def _scales(arrays, sizes):
    R, M, K = sizes.n_regions, sizes.n_media, sizes.n_controls
    frequency = None
    if "scales.frequency" in arrays:
        frequency = arrays.take("scales.frequency", (M,))
        known = frequency[~np.isnan(frequency)]
        if not len(known) or not ((known >= 1.0) & (known < np.inf)).all():
            raise ValueError("array 'scales.frequency' has values below 1, or none.")
    return Scales(
        frequency=frequency,
        kpi=arrays.take("scales.kpi", (R,), least=0.0),
        media=arrays.take("scales.media", (R, M), above=0.0),
        media_high=arrays.take("scales.media_high", (R, M), above=0.0),
        intensity=arrays.take("scales.intensity", (R, M), above=-np.inf),
        control_centre=arrays.take("scales.control_centre", (R, K), above=-np.inf),
        control_scale=arrays.take("scales.control_scale", (K,), above=0.0),
    )


def _context(arrays, sizes):
    if not sizes.n_hidden:
        return None
    H, n_columns = sizes.n_hidden, sizes.n_season + 1 + sizes.n_controls
    shapes = {"weight": (2, H, n_columns), "bias": (2, H), "mean": (sizes.n_regions, H)}
    return Context(
        **{
            name: torch.from_numpy(arrays.take(f"context.{name}", shape, above=-np.inf))
            for name, shape in shapes.items()
        }
    )


def _demand(arrays, sizes, n_periods):
    if "demand.mean" not in arrays:
        return None
    n_parts = arrays.shape("demand.mean")[0]
    unsure = np.zeros((_count_unsure(arrays), sizes.n_regions, n_periods))
    if "demand.unsure" in arrays:
        unsure = arrays.take("demand.unsure", unsure.shape, above=-np.inf)
    shapes = {
        "mean": (n_parts, sizes.n_regions, n_periods),
        "loading": (n_parts, sizes.n_media),
        "persistence": (n_parts,),
        "known": (n_parts,),
    }
    return Demand(
        **{
            name: arrays.take(f"demand.{name}", shape, above=-np.inf)
            for name, shape in shapes.items()
        },
        unsure=unsure,
        national=arrays.take("demand.national", (n_parts,), "bool"),
    )


def _history(arrays, sizes, n_periods, scales):
    """Return the training rows, each of which has one cell of the grid."""
    frequency = None
    if scales.frequency is not None:
        shape = sizes.n_regions, n_periods, sizes.n_media
        frequency = arrays.take("history.frequency", shape, least=0.0)
    grid = (sizes.n_regions, n_periods)
    observed = arrays.take("history.observed", grid, "bool")
    cell = arrays.take("history.cell", (int(observed.sum()),), "int64", least=0)
    if not np.array_equal(np.sort(cell), np.flatnonzero(observed)):
        raise ValueError("array 'history.cell' is not where 'history.observed' is.")
    history = Panel(
        media=arrays.take("history.media", (*grid, sizes.n_media), least=0.0),
        controls=arrays.take(
            "history.controls", (*grid, sizes.n_controls), above=-np.inf
        ),
        observed=observed,
        first_period=0,
        cell=cell,
        y=arrays.take("history.y", grid, above=-np.inf),
        weight=arrays.take("history.weight", grid, least=0.0),
        frequency=frequency,
    )
    for name in ("media", "controls", "y", "weight"):
        if getattr(history, name)[~observed].any():
            raise ValueError(f"array 'history.{name}' has values where no row is.")
    return history


def _fields(prefix, instance):
    """Return the arrays and tensors of a dataclass, named ``prefix.field``."""
    values = {f.name: getattr(instance, f.name) for f in fields(instance)}
    return {
        f"{prefix}.{name}": value
        for name, value in values.items()
        if isinstance(value, np.ndarray | torch.Tensor)
    }


def _numpy(value):
    return value.detach().numpy() if isinstance(value, torch.Tensor) else value
