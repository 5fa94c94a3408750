"""Marketing mix modelling as a scikit-learn estimator."""

from skmmm._regressor import DeepCausalMMMRegressor

__version__ = "0.1.0"

__all__ = ["DeepCausalMMMRegressor", "__version__"]
