"""How a model was fitted, in words."""

from collections.abc import Mapping

import numpy as np

from skmmm import __version__
from skmmm._unwrapping import parameters_of

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
    regions = f" in {len(estimator.regions_)} regions" if regional else ""
    usual = type(estimator)().get_params(deep=False)
    rows = [
        ("Version of skmmm", __version__),
        ("Training rows", f"{len(history.cell):,}{regions}, {first} to {last}"),
        ("Iterations of the fit", f"{estimator.n_iter_:,}"),
    ]
    for name, value in parameters_of(estimator).items():
        if name not in _TOLD_ELSEWHERE:
            same = value is usual[name] or in_words(value) == in_words(usual[name])
            rows.append((name, f"{in_words(value)}{' (default)' if same else ''}"))
    return rows


def in_words(value):
    """Return a parameter as text that is the same in every run."""
    if isinstance(value, Mapping):
        said = "; ".join(f"{key}: {in_words(own)}" for key, own in value.items())
        return said or "none"
    if isinstance(value, list | tuple | np.ndarray):
        return f"({', '.join(in_words(own) for own in value)})"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return type(value).__name__  # its text holds an address
    return getattr(value, "__name__", None) or str(value)
