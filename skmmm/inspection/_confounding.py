"""How strong demand that nobody observed would have to be to explain an effect."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skmmm._unwrapping import unwrap
from skmmm._utils.typing import Array
from skmmm.inspection._endogeneity import (
    ROUNDING,
    _mean,
    _relative_kpi,
    _relative_spend,
    _time_terms,
)

# Added to the diagonal of correlations, so that columns may repeat each other.
_RIDGE = 1e-9


def confounding_robustness(model: Any, *, share: float = 0.5) -> pd.DataFrame:
    r"""Say how strong a confounder would have to be to lower each effect by a share.

    Something that moves both a budget and the KPI, is no control and is not told by
    other budgets (see `DeepCausalMMMRegressor.hidden_demand`) is credited to the
    channel, and no data can show it. One can say, however, how strong it would have to
    be. The robustness value [1]_ is the share of what is left of spend, and of the KPI,
    that a confounder has to explain, of both alike, to lower the effect by the share
    :math:`q`:

    .. math::

        RV_q = \tfrac12 \left(\sqrt{f^4 + 4 f^2} - f^2\right), \qquad
        f = q \, |t| / \sqrt{\text{degrees of freedom}}

    with :math:`t` the contribution over its posterior standard deviation.

    Parameters
    ----------
    model : DeepCausalMMMRegressor
        Fitted with draws; also at the end of a pipeline or search.
    share : float in (0, 1], default=0.5
        By which the effect is lowered; 1: to nothing.

    Returns
    -------
    table : DataFrame indexed by channel
        ``robustness_value`` in [0, 1], NaN for channels without effect in all draws.
        To compare it with, ``control``: the strongest observed one, with
        ``control_r2_spend`` and ``control_r2_kpi``, the shares of what is left of the
        channel's log spend and of the KPI that this control explains (partial
        R squared); the strongest is that which would bias the effect most.
        ``times_strongest_control``: the robustness value over the strength, alike in
        spend and KPI, at which a confounder does as much as this control would.
        None and NaN without controls.

    Raises
    ------
    ValueError
        If `share` is not in (0, 1], if the model was fitted without draws, or if it is
        no `DeepCausalMMMRegressor`.

    See Also
    --------
    DeepCausalMMMRegressor.hidden_demand : Demand that several budgets tell of.
    placebo_channel : Whether spend at the wrong time earns anything.

    Notes
    -----
    The formula is exact for a linear regression, and here stands for the model.
    Degrees of freedom are those that this regression would have: training rows of
    weight above zero, less one per region (its mean), times the share of regions that
    are independent of each other, less one per channel, control and Fourier term of
    the season, and two for a quadratic trend. Errors that last make fewer; then the
    values are too low. A wide interval gives a low value, whatever confounds.

    Benchmarks are linear regressions within regions, of the KPI on log spend of all
    channels, controls, season and trend, and of the log spend of a channel on all
    others of these. The bias of a confounder grows with
    :math:`f^2 = R^2_{kpi} R^2_{spend} / (1 - R^2_{spend})`, so that one that explains
    the robustness value at this f of both does as much. A confounder like the strongest
    control lowers the effect by less than `share` if ``times_strongest_control`` is
    above one. It is a comparison and no proof: hidden demand may be stronger than all
    controls.

    References
    ----------
    .. [1] Cinelli and Hazlett (2020). Making sense of sensitivity: extending omitted
       variable bias. Journal of the Royal Statistical Society B 82, 39-67.
       doi:10.1111/rssb.12348

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import confounding_robustness
    >>> world = make_mmm_panel(2, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, controls=world.controls, region="region", time="week",
    ...     graph=None, n_draws=8, max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> table = confounding_robustness(model)
    >>> table["robustness_value"].between(0, 1).all()
    np.True_
    """
    if not isinstance(share, Real) or not 0.0 < share <= 1.0:
        raise ValueError(f"share must be in (0, 1], got {share!r}.")
    model = unwrap(model).model
    check_is_fitted(model)
    if not hasattr(model, "hidden_demand"):
        raise ValueError(
            "confounding_robustness needs the draws of a DeepCausalMMMRegressor, got "
            f"{type(model).__name__}."
        )
    model._check_draws("confounding_robustness")
    t, degrees = _t_values(model), _degrees_of_freedom(model)
    found = pd.DataFrame(
        {"robustness_value": robustness_value(t, degrees, share)},
        index=pd.Index(model.media_, name="channel"),
    )
    # Arrays of the model have channels in the order of the table of `fit`.
    order = [model._columns.media.index(channel) for channel in model.media_]
    spend_r2, kpi_r2 = _control_strength(model)
    strongest = _strongest(spend_r2[order], kpi_r2, model._columns.controls)
    found = found.assign(**strongest)
    bias = _squared_bias(found["control_r2_spend"], found["control_r2_kpi"])
    times = found["robustness_value"] / _equal_strength(bias)
    return found.assign(times_strongest_control=times)


def robustness_value(t: npt.ArrayLike, degrees: float, share: float) -> Array:
    """Return the strength at which a confounder lowers an effect by a share.

    Of t values, and degrees of freedom of the regression without the confounder.
    """
    square = (share * np.asarray(t, dtype=np.float64)) ** 2 / degrees
    return _equal_strength(square)


def _equal_strength(square: Any) -> Any:
    """Return the share of spend, and of the KPI, that has this f squared."""
    return (np.sqrt(square**2 + 4.0 * square) - square) / 2.0


def _squared_bias(spend_r2: Any, kpi_r2: Any) -> Any:
    """Return the f squared of a confounder that explains shares of spend and KPI."""
    return kpi_r2 * spend_r2 / np.maximum(1.0 - spend_r2, 1e-12)


def _t_values(model: Any) -> Array:
    """Return contributions in units of their posterior sd, (n_media,); nan without."""
    effects = model.effects().counterfactual()
    point = effects.effects().contribution[0, 0]
    drawn = effects.effects(draws=True).contribution[:, 0]
    low, high = np.quantile(drawn, [0.16, 0.84], axis=0)
    spread = np.where(high > low, (high - low) / 2.0, np.nan)
    return point / spread


def _degrees_of_freedom(model: Any) -> float:
    """Return the degrees of freedom of the regression that stands for the model."""
    counted = model._model.history.weight > 0
    n_free = counted.sum() - counted.any(axis=1).sum()
    n_terms = sum(columns.shape[-1] for columns in _regressors(model))
    return n_free * model._model.network.independent_share - n_terms


def _regressors(model: Any) -> tuple[Array, Array, Array]:
    """Return log spend, controls, and season and trend, each (R, T, n_columns)."""
    panel, counted = model._model.history, model._model.history.weight > 0
    time = np.zeros((*panel.shape, 0))
    if model._calendar is not None:
        time = _time_terms(model._model.seasons.fourier(panel), panel.shape)
    media = np.where(counted[..., None], panel.media, 0.0)
    return _relative_spend(media, counted), panel.controls, time


def _control_strength(model: Any) -> tuple[Array, Array]:
    """Return partial R squared of controls with log spend, (M, K), and KPI, (K,)."""
    panel, counted = model._model.history, model._model.history.weight > 0
    spend, controls, time = _regressors(model)
    kpi = _relative_kpi(panel.y, counted)
    columns = np.concatenate([spend, controls, time, kpi], axis=2)
    columns = (columns - _mean(columns, counted))[counted]
    size = np.sqrt((columns**2).mean(axis=0))
    columns = columns / np.where(size > ROUNDING, size, np.inf)
    gram = columns.T @ columns / len(columns)
    n_media, n_controls = spend.shape[2], controls.shape[2]
    chosen = slice(n_media, n_media + n_controls)
    with_spend = _partial_r2(gram[:-1, :-1])[:n_media, chosen]
    return with_spend, _partial_r2(gram)[-1, chosen]


def _partial_r2(correlation: Array) -> Array:
    """Return squared partial correlations of each two columns given all others."""
    # With P the inverse, the partial correlation of i and j is
    # -P[i, j] / sqrt(P[i, i] P[j, j]).
    precision = np.linalg.inv(correlation + _RIDGE * np.eye(len(correlation)))
    size = np.diag(precision)
    return precision**2 / np.outer(size, size)


def _strongest(spend_r2: Array, kpi_r2: Array, names: list) -> dict[str, Any]:
    """Return for each channel the control that would bias its effect most."""
    if not names:
        nothing = np.full(len(spend_r2), np.nan)
        none = np.full(len(spend_r2), None, dtype=object)
        return {
            "control": none,
            "control_r2_spend": nothing,
            "control_r2_kpi": nothing,
        }
    chosen = _squared_bias(spend_r2, kpi_r2).argmax(axis=1)
    return {
        "control": [names[k] for k in chosen],
        "control_r2_spend": np.take_along_axis(spend_r2, chosen[:, None], 1)[:, 0],
        "control_r2_kpi": kpi_r2[chosen],
    }
