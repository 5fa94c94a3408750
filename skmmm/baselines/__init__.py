"""What a deep MMM has to beat: a linear MMM pipeline and naive forecasts."""

from skmmm.baselines._linear import make_linear_mmm
from skmmm.baselines._naive import LastValueRegressor, SeasonalNaiveRegressor

__all__ = ["LastValueRegressor", "SeasonalNaiveRegressor", "make_linear_mmm"]
