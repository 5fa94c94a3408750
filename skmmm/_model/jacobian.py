"""How errors respond to each parameter."""

import torch

from skmmm._model.likelihood import whiten
from skmmm._model.stock import remains
from skmmm._model.synergies import most_pairs, pair_terms, slopes

_STEP = 1e-4  # of the finite differences, in prior standard deviations
_CHUNK = 4  # groups of entries at once: bounds the memory


def responses(network, inputs, target):
    """Return the derivatives of the errors, (n_shared, R, T) and (n_regional, R, T).

    Those of log spreads are the responses of the deviations that they multiply.
    """
    shared, regional = (
        jacobian(network, inputs, target, part, priors.positions())
        for part, priors in parts_of(network)
    )
    return _with_spread_responses(network, shared, regional), regional


def jacobian(network, inputs, target, part, positions):
    """Return the derivative of the errors with respect to each entry of parameters.

    Of what is no factor of a fixed column, by central differences of the additive part
    that the parameter acts on. Regional parameters are moved in all regions at once and
    those of channels in all channels at once: each moves only its own.

    Parameters
    ----------
    part : {"shared", "regional"}
    positions : iterable of tuple
        Priors, and the slices of their entries in that part.

    Returns
    -------
    response : Tensor of shape (n_entries, R, T)
        Masked cells are zero.
    """
    empty = network.shared.new_zeros(0, *target.y.shape)
    found, changes = [empty], {}
    with torch.no_grad():
        for prior, where in positions:
            entries = list(range(where.start, where.stop))
            if prior.acts == "level":
                found.append(_level_change(network, inputs, target, part, entries))
                continue
            if prior.acts not in ("scale", "nothing") and entries:
                changes[len(found)] = structural_change(
                    network, inputs, part, prior, entries
                )
            found.append(empty.new_zeros(prior.size, *target.y.shape))
        if changes:
            change = torch.cat(list(changes.values()))
            left = -whiten(network, change, target, network.values())
            for place, own in zip(
                changes, left.split([len(c) for c in changes.values()]), strict=True
            ):
                found[place] = own
    return torch.cat(found) * target.observed


def _level_change(network, inputs, target, part, entries):
    """Return the derivative of the errors by what the level follows, (n, R, T)."""
    residual = target.y - network.total(inputs)
    twin = _moved(network, part, [[e] for e in entries])
    return _difference(whiten(twin, residual, target, twin.values()))


def structural_change(network, inputs, part, prior, entries):
    """Return the derivative of the structural part, shape (prior.size, R, T)."""
    columns = _columns(network, inputs, prior.name)
    if columns is not None:  # what the parameter is multiplied with
        unit = spreads_of(network)[prior.name] if prior.hierarchical else prior.scale
        if torch.is_tensor(unit) and unit.ndim and not prior.hierarchical:
            unit = unit.expand(prior.shape).reshape(-1, 1, 1)
        return unit * columns.expand(-1, len(inputs.media), len(inputs.trend))

    weight = _weight_of_effects(network, inputs)

    def changed(groups):
        effects = _of_channels(_moved(network, part, groups), inputs)
        effects = effects if weight is None else weight * effects
        return _difference(effects if prior.acts == "channel" else effects.sum(dim=2))

    if prior.acts == "channel":
        # Entries are (channel, column): a draw moves one column of every channel.
        n_columns = prior.size // prior.shape[0]
        groups = [entries[column::n_columns] for column in range(n_columns)]
    else:
        groups = [[entry] for entry in entries]
    change = torch.cat(
        [changed(groups[i : i + _CHUNK]) for i in range(0, len(groups), _CHUNK)]
    )
    if prior.acts == "channel":  # (column, R, M, T) -> (M * column, R, T)
        return change.permute(2, 0, 1, 3).flatten(0, 1)
    return change


def _columns(network, inputs, name):
    """Return the derivative by a parameter in its own units, None if it is no column.

    Of shape (prior.size, R or 1, T or 1).
    """
    later = network.channel_priors.stock is not None
    if name == "effect_log" or (
        name in ("context_effect", "effect_step") and not later
    ):
        effects = _of_channels(network, inputs)[0]
        weight = _weight_of_effects(network, inputs)
        effects = effects if weight is None else weight * effects
        effects = effects.transpose(0, 1)  # (M, R, T)
        if name == "effect_log":
            return effects
        if name == "effect_step":
            return (effects[:, None] * inputs.steps[:, None]).flatten(0, 1)
        return (effects[:, None] * inputs.states.transpose(0, 1)).flatten(0, 1)
    if name == "synergy_log":
        return _columns_of_pairs(network, inputs)
    found = {
        "intercept": inputs.trend.new_ones(1, 1, 1),
        "trend": inputs.trend[None, None],
        "season": inputs.season[:, None],
        "control": inputs.controls.transpose(0, 1),
        "context_baseline": inputs.states.transpose(0, 1),
        "demand": inputs.demand.transpose(0, 1),
    }
    return found.get(name)


def _weight_of_effects(network, inputs):
    """Return by how much the KPI moves with each effect, (R, M, T); None: as much."""
    pairs = network.channel_priors.pairs
    if pairs is None:
        return None
    values = network.values()
    effects = network.visible_media_effects(values, inputs)
    return slopes(effects, pairs, values["synergy"])[0]


def _columns_of_pairs(network, inputs):
    """Return the derivative by the log factor of each pair, (P, R, T)."""
    pairs, values = network.channel_priors.pairs, network.values()
    terms = pair_terms(network.visible_media_effects(values, inputs), pairs)[0]
    steep = values["synergy"][0] + 1.0 / most_pairs(pairs)
    return steep[:, None, None] * terms.transpose(0, 1)


def _of_channels(network, inputs):
    """Return what rows show of each channel, (E, R, M, T)."""
    values = network.values()
    effects = network.visible_media_effects(values, inputs)
    if network.channel_priors.stock is None:
        return effects
    return effects + remains(network, values, inputs)


def _moved(network, part, groups):
    """Return a twin with two draws per group of entries, moved ahead and behind.

    All that are ahead come first.
    """
    points = {
        name: getattr(network, name).repeat_interleave(2 * len(groups), dim=0)
        for name in ("shared", "regional")
    }
    for draw, entries in enumerate(groups):
        points[part][draw, ..., entries] += _STEP
        points[part][len(groups) + draw, ..., entries] -= _STEP
    return network.at(**points)


def _difference(values):
    """Return the derivative from values at the draws of `_moved`."""
    ahead, behind = values.tensor_split(2)
    return (ahead - behind) / (2 * _STEP)


def _with_spread_responses(network, shared, regional):
    """Give log spreads the response of the deviations that they multiply."""
    shared = shared.clone()
    places = {p.name: where for p, where in network.shared_priors.positions()}
    scales = {p.name: p.scale for p in network.shared_priors}
    shared_z, regional_z = network.shared[0], network.regional[0]
    for part, priors in parts_of(network):
        for prior, where in priors.positions():
            if not prior.hierarchical:
                continue
            if part == "shared":
                response = torch.einsum("p,prt->rt", shared_z[where], shared[where])
            else:
                response = torch.einsum(
                    "rp,prt->rt", regional_z[:, where], regional[where]
                )
            spread = f"{prior.name}_spread_log"
            shared[places[spread]] = scales[spread] * response
    return shared


def spreads_of(network):
    """Return the spread of every kind of deviation, by the name of its prior."""
    values = network.shared_priors.unpack(network.shared)
    suffix = "_spread_log"
    return {
        name.removesuffix(suffix): torch.exp(value)
        for name, value in values.items()
        if name.endswith(suffix)
    }


def parts_of(network):
    """Return the two flat vectors of parameters with their priors."""
    return (
        ("shared", network.shared_priors),
        ("regional", network.regional_priors),
    )
