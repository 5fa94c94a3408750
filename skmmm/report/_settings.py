"""How a model was fitted, in words."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator

from skmmm import __version__
from skmmm._unwrapping import parameters_of
from skmmm._utils.labels import counted

_TOLD_ELSEWHERE = ("media", "controls", "verbose")  # roles: in the table of columns


def settings_of(estimator):
    """Return how a model was fitted.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        Fitted.

    Returns
    -------
    settings : list of (str, str)
        What was set, and how; parameters that are the default are marked so.
    """
    history, calendar = estimator._model.history, estimator._calendar
    first, last = (calendar.label(history.periods[i]) for i in (0, -1))
    regional = estimator._columns.region is not None
    regions = f" in {counted(len(estimator.regions_), 'region')}" if regional else ""
    rows = [
        ("Version of skmmm", __version__),
        ("Training rows", f"{len(history.cell):,}{regions}, {first} to {last}"),
        ("Iterations of the fit", f"{estimator.n_iter_:,}"),
    ]
    parameters = parameters_of(estimator)
    rest = {n: v for n, v in parameters.items() if n not in _TOLD_ELSEWHERE}
    return rows + parameters_in_words(rest, type(estimator)())


def parameters_in_words(parameters, usual, prefix=""):
    """Return names of parameters with their values in words.

    After an estimator among them come its own parameters, as ``graph__tiers``.

    Parameters
    ----------
    parameters : dict of str to object
    usual : estimator
        Has the defaults.
    prefix : str
        Of all names.

    Returns
    -------
    rows : list of (str, str)
    """
    rows = []
    for name, value in parameters.items():
        default = getattr(usual, name)
        if isinstance(value, BaseEstimator):
            rows.append((f"{prefix}{name}", type(value).__name__))
            own = value.get_params(deep=False)
            rows += parameters_in_words(own, type(value)(), f"{prefix}{name}__")
            continue
        same = value is default or in_words(value) == in_words(default)
        said = f"{in_words(value)}{' (default)' if same else ''}"
        rows.append((f"{prefix}{name}", said))
    return rows


def in_words(value):
    """Return a parameter as text that is the same in every run."""
    if isinstance(value, Mapping):
        said = "; ".join(f"{key}: {in_words(own)}" for key, own in value.items())
        return said or "none"
    if isinstance(value, list | tuple | np.ndarray):
        return f"({', '.join(in_words(own) for own in value)})"
    if hasattr(value, "columns"):
        return f"a table of {counted(len(value), 'row')}"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return type(value).__name__  # its text holds an address
    return getattr(value, "__name__", None) or str(value)
