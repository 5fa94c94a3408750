"""Marketing mix modelling as a scikit-learn estimator."""

from importlib import import_module
from typing import TYPE_CHECKING

from skmmm._version import __version__

if TYPE_CHECKING:
    from skmmm._grouped import GroupedRegressor
    from skmmm._regressor import DeepCausalMMMRegressor

__all__ = ["DeepCausalMMMRegressor", "GroupedRegressor", "__version__"]

_ESTIMATORS = {
    "DeepCausalMMMRegressor": "skmmm._regressor",
    "GroupedRegressor": "skmmm._grouped",
}

_MODULES = (
    "allocation",
    "baselines",
    "dask",
    "datasets",
    "distributed",
    "effects",
    "experiments",
    "graph",
    "inspection",
    "metrics",
    "model_selection",
    "plotting",
    "preprocessing",
    "report",
    "scenarios",
)


def __getattr__(name):
    # torch and pandas take seconds to import; ``skmmm --help`` needs neither.
    if name in _ESTIMATORS:
        return getattr(import_module(_ESTIMATORS[name]), name)
    if name in _MODULES:
        return import_module(f"skmmm.{name}")
    raise AttributeError(f"module 'skmmm' has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *_MODULES])
