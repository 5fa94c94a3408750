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

QUANTITIES = "roi", "decay", "half_saturation"
_ENDS = 0.05, 0.5, 0.95
# On which priors are normal, and back.
_SCALES = {
    "roi": (np.log, np.exp),
    "decay": (logit, expit),
    "half_saturation": (np.log, np.exp),
}


def priors_from(
    model: Any,
    weight: float = 1.0,
    channels: Sequence[Column] | None = None,
    *,
    quantities: Sequence[str] = QUANTITIES,
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
    quantities : sequence of str, default=("roi", "decay", "half_saturation")
        What to speak of. Markets may share how spend acts over time and not what it
        returns: leave out ``"roi"`` unless returns are known to be alike, or intervals
        become narrow and wrong.
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
        and money have to be in the same units in both; it is left out for channels of a
        pair in `synergies`, of which a fit refuses it. ``"decay"`` is the share of the
        effect that comes in later periods, as of geometric carry-over; it is left out
        where the effect peaks later, which no decay can say, where there is no
        carry-over, and where `adstock` of the model is not "weibull" or "geometric".

    Warns
    -----
    UserWarning
        Of channels that are left out as they are not data-driven or their effect is
        negative, and of channels without ``"roi"`` as they form pairs.

    Raises
    ------
    ValueError
        If `weight`, `size`, a quantity or a channel makes no sense, the model has fewer
        than 8 draws, or a channel in `channels` may have no or a negative effect.

    Notes
    -----
    Quantities are taken one by one: what their draws have in common is lost. An ROI
    depends on spend, and on how much a market sells: the more both differ, the less the
    old one fits, and the smaller `weight` should be.

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
    _check(weight, quantities, size)
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
    positive = np.quantile(draws["roi"], _ENDS[0], axis=0, method="weibull") > 0
    carryover = found.carryover_weights()[0]  # without what goes into slow stocks
    paired = _paired(inner) if "roi" in quantities else set()
    priors: dict[Any, dict[str, tuple[float, float]]] = {}
    chosen = _chosen(found, channels, positive | ("roi" not in quantities))
    with_pair = [label for m in chosen if (label := found.labels[m]) in paired]
    if with_pair:
        warn_user(
            f"No 'roi' from {in_words(with_pair)}: half of what a pair in synergies "
            "adds is in it, and how much that is depends on the partner."
        )
    for m in chosen:
        label = found.labels[m]
        if label not in inner._frequency_columns:
            draws["half_saturation"][:, m] *= size
        skipped = {"decay"} if carryover[m].argmax() > 0 else set()
        skipped |= {"roi"} if label in paired else set()
        priors[label] = {
            name: _interval(draws[name][:, m], weight, *_SCALES[name])
            for name in QUANTITIES
            if name in quantities and name in draws and name not in skipped
        }
    return priors


def _check(weight: Any, quantities: Any, size: Any) -> None:
    """Raise if an argument makes no sense."""
    if not is_number(weight) or not 0 < weight <= 1:
        raise ValueError(f"weight must be a number in (0, 1], got {shown(weight)}.")
    if not is_number(size) or size <= 0:
        raise ValueError(f"size must be a number above 0, got {shown(size)}.")
    several = np.iterable(quantities) and not isinstance(quantities, str)
    named = list(quantities) if several else []
    if not named or not all(name in QUANTITIES for name in named):
        raise ValueError(
            f"quantities must be a list of some of {list(QUANTITIES)}, got "
            f"{quantities!r}."
        )


def _paired(model: Any) -> set:
    """Return the labels of the channels that form pairs."""
    return {model._columns.media[m] for pair in model._learned_pairs() for m in pair}


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


def _interval(
    draws: Array, weight: float, scale: Any, inverse: Any
) -> tuple[float, float]:
    """Return the 90 % interval of draws, wider on the scale where it is normal."""
    # As in reported intervals, which of few draws are wider than others.
    low, middle, high = np.quantile(scale(draws), _ENDS, method="weibull")
    times = 1.0 / np.sqrt(weight)
    ends = middle - times * (middle - low), middle + times * (high - middle)
    low, high = (float(inverse(end)) for end in ends)
    return low, high
