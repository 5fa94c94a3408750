"""What an older model learned, as priors of a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit, logit

from skmmm._data.checks import in_words
from skmmm._data.costs import is_number
from skmmm._unwrapping import bare
from skmmm._utils.labels import shown
from skmmm._utils.typing import Array, Column
from skmmm._utils.warnings import warn_user
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._verdicts import MIN_DRAWS, VERDICTS

_ENDS = 0.05, 0.5, 0.95


def priors_from(
    model: Any,
    weight: float = 1.0,
    channels: Sequence[Column] | None = None,
    *,
    size: float = 1.0,
) -> dict[Any, dict[str, tuple[float, float]]]:
    """Return what a fitted model learned of its channels as `priors` of a new one.

    Another market, or earlier years, then speak where the new rows are few. No row may
    be in both fits: it would count twice, and intervals would be too narrow. Where new
    rows come after those of the model and nothing else changes, `partial_fit` takes
    them in. Experiments that the model was told are in its posterior, too: leave them
    out of `experiments` of the new one.

    Parameters
    ----------
    model : DeepCausalMMMRegressor
        Fitted, with at least 8 draws; also as the best estimator of a search.
    weight : float in (0, 1], default=1.0
        What the rows of the model count for: intervals are wider by ``1 /
        sqrt(weight)`` on the scale on which the prior is normal. 1 says that channels
        act in the new rows exactly as they did in the old ones; another market is worth
        less.
    channels : sequence of str or int, default=None
        Names or positions of the channels to speak of. None: those whose verdict is
        "data-driven". Of others the model mostly says what it expected itself, and
        the new one has expectations of its own.
    size : float, default=1.0
        How many times as large the regions of the new rows are, in the spend per row at
        which a channel saturates: the ratio of their populations, say, or of spend.
        It multiplies ``"half_saturation"``, but for channels with a frequency.

    Returns
    -------
    priors : dict
        ``{channel: {"roi": (low, high), "decay": ..., "half_saturation": ...}}``, for
        the parameter `priors` of `DeepCausalMMMRegressor`. ``"roi"`` is that of all
        training rows, in KPI units per unit of money (or of X without a cost): KPI
        and money have to be in the same units in both. ``"decay"`` is the share of the
        effect that comes in later periods, as of geometric carry-over; it is left out
        where the effect peaks later, which no decay can say, where there is no
        carry-over, and where `adstock` of the model is not "weibull" or "geometric".

    Warns
    -----
    UserWarning
        Of channels that are left out as they are not data-driven or their effect is
        negative.

    Raises
    ------
    ValueError
        If `weight`, `size` or a channel makes no sense, the model has fewer than 8
        draws, or a channel in `channels` may have no or a negative effect.

    Notes
    -----
    Quantities are taken one by one: what their draws have in common is lost. An ROI
    depends on spend: the nearer a channel is to saturation in the new rows, the less
    the old one fits, and the smaller `weight` should be.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import priors_from
    >>> world = make_mmm_panel(1, 104, n_media=2, random_state=0)
    >>> settings = dict(
    ...     media=world.media, controls=world.controls, time="week", region="region",
    ...     n_draws=8, random_state=0,
    ... )
    >>> model = DeepCausalMMMRegressor(**settings).fit(world.X, world.y)
    >>> priors = priors_from(model, weight=0.5, channels=["media_1"])
    >>> list(priors["media_1"])
    ['roi', 'decay', 'half_saturation']
    >>> other = DeepCausalMMMRegressor(**settings, priors=priors)  # for other rows
    """
    for name, given in (("weight", weight), ("size", size)):
        most = 1.0 if name == "weight" else np.inf
        if not is_number(given) or not 0 < given <= most:
            range_ = "in (0, 1]" if name == "weight" else "above 0"
            raise ValueError(f"{name} must be a number {range_}, got {shown(given)}.")
    inner = bare(model)
    if not hasattr(inner, "_anchor_draws"):
        raise ValueError(
            "priors_from needs a DeepCausalMMMRegressor, got "
            f"{type(model).__name__}. Of groups pass one of estimators_."
        )
    found = counterfactual_of(inner)
    if found.n_draws < MIN_DRAWS:
        raise ValueError(
            f"priors_from needs at least {MIN_DRAWS} draws, the model has "
            f"{found.n_draws}. Fit it with a larger n_draws."
        )
    draws = {"roi": found.effects(draws=True).roi[:, 0], **inner._anchor_draws()}
    positive = np.quantile(draws["roi"], _ENDS[0], axis=0) > 0
    some = _chosen(found, channels, positive)
    priors: dict[Any, dict[str, tuple[float, float]]] = {}
    for m in some:
        label = found.labels[m]
        own = {"roi": _interval(np.log(draws["roi"][:, m]), weight, np.exp)}
        falls = found.lag_weights()[0, m].argmax() == 0
        if "decay" in draws and falls:
            own["decay"] = _interval(logit(draws["decay"][:, m]), weight, expit)
        times = 1.0 if label in inner._frequency_columns else size
        half = np.log(times * draws["half_saturation"][:, m])
        own["half_saturation"] = _interval(half, weight, np.exp)
        priors[label] = own
    return priors


def _chosen(found: Any, channels: Any, positive: np.ndarray) -> list[int]:
    """Return the positions of the channels to speak of."""
    if channels is None:
        told = found.judgements()["verdict"] == VERDICTS[0]
        left = [c for c, t in zip(found.labels, told & positive, strict=True) if not t]
        if left:
            warn_user(
                f"No priors from {in_words(left)}: the rows of the model do not tell "
                "what they cause, or it may be negative. Name channels to have priors "
                "from them nevertheless."
            )
        return np.flatnonzero(told & positive).tolist()
    if isinstance(channels, str) or not np.iterable(channels):
        raise ValueError(f"channels must be a list of channels, got {channels!r}.")
    some = [found.position(channel, "channels") for channel in channels]
    for m in some:
        if not positive[m]:
            raise ValueError(
                f"{found.labels[m]!r} may cause nothing, or less than nothing, which "
                "no prior on its ROI can say. Leave it out of channels."
            )
    return list(dict.fromkeys(some))


def _interval(draws: Array, weight: float, inverse: Any) -> tuple[float, float]:
    """Return the 90 % interval of draws on the scale of the prior, made wider."""
    low, middle, high = np.quantile(draws, _ENDS)
    times = 1.0 / np.sqrt(weight)
    ends = middle - times * (middle - low), middle + times * (high - middle)
    low, high = (float(inverse(end)) for end in ends)
    return low, high
