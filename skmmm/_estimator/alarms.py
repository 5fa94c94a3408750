"""Alarms: spend that was placed so that it tells nothing of its effect."""

import numpy as np

from skmmm._model.demand import with_suspects
from skmmm._model.priors import CARRYOVER
from skmmm._utils.regions import some_regions
from skmmm._utils.warnings import warn_user
from skmmm.inspection._ahead import goes_ahead_of_spend
from skmmm.inspection._payback import arrival
from skmmm.inspection._placement import (
    ACCOMPANIES,
    ADVICE,
    AHEAD,
    CONSEQUENCES,
    DISPUTED,
    GROUPS,
    HALVED,
    LASTS,
    LOWERS,
    SUSPECTS,
    TOGETHER,
    WHOLE,
    is_kpi,
    spend_alarms,
)

# Draws of the prior, and the share of them beyond which carry-over is a surprise.
_N_GUESSES, _LATE = 1000, 0.95


def alarms_of_spend(estimator, panel, season):
    """Return what the placement of spend says against each channel, (n_media,)."""
    alarms = np.full(len(estimator._columns.media), "", dtype=object)
    if estimator._calendar is not None and len(alarms):
        media, kpi, seen, controls = _looked_at(panel)
        alarms[:] = spend_alarms(media, kpi, seen, controls, season)
    return alarms


def _looked_at(panel):
    """Return media, KPI, cells that count, and controls of enough regions."""
    some = some_regions(*panel.media.shape)
    seen = panel.weight[some] > 0
    return panel.media[some], panel.y[some], seen, panel.controls[some]


def placement_alarms(model, target, alarms, places):
    """Return why a channel's spend tells nothing of its effect, "" if it may.

    An array of str, one per channel: what the placement of spend says, and what the
    trained model, with draws at these places or None, adds.
    """
    # Of a channel that may lower the KPI it is no surprise.
    alarms[model.network.free_sign.numpy() & (alarms == LOWERS)] = ""
    alarms[model.network.grouped.numpy() & (alarms == "")] = GROUPS
    if model.demand is not None and (places is None or model.demand.moves_kpi(places)):
        alarms[model.demand.moving_together() & (alarms == "")] = TOGETHER
    effects = model.mean_effects_of(model.network, target)[0]
    positive = model.network.channel_priors.pooled & ~model.network.free_sign
    alarms[(effects > 1.0) & positive.numpy() & (alarms == "")] = WHOLE
    alarms[_lasts(model) & (alarms == "")] = LASTS
    # Last, what may leave estimates as they are.
    alarms[_with_suspects(model, alarms) & (alarms == "")] = ACCOMPANIES
    alarms[_ahead_of_spend(model) & (alarms == "")] = AHEAD
    return alarms


def _lasts(model):
    """Return channels whose effect arrives later than expected, (n_media,), bool.

    Half of it: later than in most draws of the prior, and than a quarter of all lags.
    Where the user says how large the effect or how long carry-over is, that is
    believed.
    """
    network = model.network
    channels = network.channel_priors
    center, spread = CARRYOVER.get(network.adstock, (0.0, 1.0))
    usual = (channels.carryover == center) & (channels.carryover_spread == spread)
    judged = (usual & channels.pooled).numpy()
    if not network.sizes.max_lag or not judged.any():
        return np.zeros_like(judged)
    guesses = model.carryover_of(network.prior_guess(_N_GUESSES))
    expected = np.quantile(arrival(guesses, 0.5)[:, judged], _LATE)  # alike in all
    limit = max(expected, (network.sizes.max_lag + 1) / 4.0)
    return judged & (arrival(model.carryover_of(network)[0], 0.5) > limit)


def _ahead_of_spend(model):
    """Return channels of a panel with whose spend to come the KPI goes, (n_media,).

    Beside hidden demand that the model knows of.
    """
    panel = model.history
    if not model.network.level:
        return np.zeros(panel.media.shape[2], dtype=bool)
    media, kpi, seen, controls = _looked_at(panel)
    if model.demand is not None:
        some = some_regions(*panel.media.shape)
        demand = model.demand.columns(panel.periods, len(panel.media))[some]
        controls = np.concatenate([controls, demand.swapaxes(1, 2)], axis=2)
    season = model.seasons.fourier(panel)
    return goes_ahead_of_spend(media, kpi, seen, controls, season)


def _with_suspects(model, alarms):
    """Return channels that move with one which may be moved by what moves the KPI.

    A share of the KPI moves with what causes the KPI, and says nothing against that.
    """
    suspects = np.isin(alarms, SUSPECTS)
    if not suspects.any():
        return suspects
    media, kpi, seen, controls = _looked_at(model.history)
    for m in np.flatnonzero(suspects):
        suspects[m] = not is_kpi(media[..., m], kpi, seen)
    season = model.seasons.fourier(model.history)
    found = with_suspects(media, seen, controls, season, suspects)
    return found if model.demand is None else found & ~model.demand.told()


def warn_of_alarms(estimator, alarms, doubted):
    """Warn of channels whose spend tells nothing of their effect, and what is doubted.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
    alarms : ndarray of shape (n_media,) of str
    doubted : ndarray of shape (n_media,), bool
        Channels of whose estimate a part only is called their effect.
    """
    channels = list(zip(estimator._columns.media, alarms, doubted, strict=True))
    for reason, advice in ADVICE.items():
        names = [c for c, alarm, _ in channels if alarm == reason]
        if not names or reason == DISPUTED:  # of which findings have warned
            continue
        halved = [c for c, alarm, doubt in channels if alarm == reason and doubt]
        words = ""
        if halved and reason not in CONSEQUENCES:  # of which the advice says it
            all_of_them = "it" if len(names) == 1 else "them"
            words = HALVED.format(all_of_them if halved == names else halved)
        warn_user(f"The spend of {names} {advice}{words}")


def with_those_of_fit(estimator, alarms):
    """Return alarms, (n_media,) of str, of which those of the fit go on ringing.

    Of others it warns: what they change, only a fit does.
    """
    before = np.array(estimator._alarms, dtype=object)
    media = estimator._columns.media
    rings = [
        f"{label!r} ({alarm})"
        for label, alarm, rang in zip(media, alarms, before, strict=True)
        if alarm and not rang
    ]
    if rings:
        warn_user(
            f"With the new rows an alarm rings on {', '.join(rings)}: no longer "
            "data-driven. Fit again, for what the alarm says of the estimate."
        )
    return np.where(before == "", alarms, before)
