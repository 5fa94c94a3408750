"""Marketing mix modelling as a scikit-learn estimator."""

from importlib import import_module
from typing import TYPE_CHECKING

from skmmm._version import __version__

if TYPE_CHECKING:
    from skmmm._regressor import DeepCausalMMMRegressor

__all__ = ["DeepCausalMMMRegressor", "__version__"]

_MODULES = (
    "allocation",
    "baselines",
    "datasets",
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
    if name == "DeepCausalMMMRegressor":
        return import_module("skmmm._regressor").DeepCausalMMMRegressor
    if name in _MODULES:
        return import_module(f"skmmm.{name}")
    raise AttributeError(f"module 'skmmm' has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *_MODULES])
