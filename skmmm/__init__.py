"""Marketing mix modelling as a scikit-learn estimator."""

from skmmm._regressor import DeepCausalMMMRegressor
from skmmm._version import __version__

__all__ = ["DeepCausalMMMRegressor", "__version__"]
