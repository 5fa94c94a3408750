"""Draws of a fitted model for ArviZ."""

from typing import Any

import numpy as np

from skmmm._model.threads import one_thread


def inference_data(model):
    """Return the groups of `DeepCausalMMMRegressor.to_inference_data`."""
    try:
        import arviz
        import xarray
    except ImportError as error:
        raise ImportError(
            "to_inference_data needs ArviZ: pip install 'skmmm[arviz]'."
        ) from error
    groups = {
        name: xarray.Dataset(variables, coords=_coords(model, variables))
        for name, variables in _groups(model).items()
    }
    # ArviZ 1 has no class of its own any more.
    own: Any = getattr(arviz, "InferenceData", None)
    return xarray.DataTree.from_dict(groups) if own is None else own(**groups)


def _groups(model):
    """Return variables by group, each as (dimensions, values)."""
    from skmmm._model.stock import stock_parameters  # torch takes seconds to import

    fitted, history = model._model, model._model.history
    with one_thread():
        summary = fitted.summary(draws=True)
        parts = fitted.components(history, draws=True)
    media = _order(model.media_, model._columns.media)
    controls = _order(model.controls_, model._columns.controls)

    def drawn(values, *dimensions):
        return ("chain", "draw", *dimensions), values[None]

    posterior = {
        name: drawn(summary[name][:, media], "channel")
        for name in ("carryover_share", "half_saturation", "slope", "coef")
    }
    posterior["carryover"] = drawn(summary["carryover"][:, media], "channel", "lag")
    if fitted.network.channel_priors.stock is not None:
        share, life = stock_parameters(fitted.draws)
        posterior["stock_share"] = drawn(share[:, media], "channel")
        posterior["stock_half_life"] = drawn(life)
    posterior["control_coef"] = drawn(summary["control_coef"][:, controls], "control")
    posterior["contribution"] = drawn(parts.media.sum(axis=1)[:, media], "channel")
    posterior["expected_kpi"] = drawn(parts.total, "row")
    rows = history.rows(np.moveaxis(history.media, 2, 0))[media]
    constant = {
        "media": (("channel", "row"), rows),
        "region": ("row", model.regions_[history.cell // history.shape[1]]),
    }
    if model._calendar is not None:
        periods = history.periods[history.cell % history.shape[1]]
        values = [model._calendar.value(period) for period in periods]
        constant["time"] = ("row", np.array(values))
    return {
        "posterior": posterior,
        "observed_data": {"kpi": ("row", history.y.ravel()[history.cell])},
        "constant_data": constant,
    }


def _coords(model, variables):
    """Return the labels of the dimensions that some variables have."""
    used = {
        name for dimensions, _ in variables.values() for name in np.ravel(dimensions)
    }
    labels = {
        "channel": [str(channel) for channel in model.media_],
        "control": [str(control) for control in model.controls_],
        "lag": range(model.carryover_.shape[1]),
    }
    return {name: list(label) for name, label in labels.items() if name in used}


def _order(shown, inside):
    return [inside.index(label) for label in shown]
