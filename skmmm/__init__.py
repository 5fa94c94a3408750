"""Marketing mix modelling as a scikit-learn estimator."""

__version__ = "0.1.0"

__all__ = ["__version__"]
