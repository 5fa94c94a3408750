"""What a deep MMM has to beat: a linear MMM pipeline and naive forecasts."""

from skmmm.baselines._linear import (
    LastValueRegressor,
    SeasonalNaiveRegressor,
    make_linear_mmm,
)

__all__ = ["LastValueRegressor", "SeasonalNaiveRegressor", "make_linear_mmm"]
