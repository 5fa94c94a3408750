"""Marketing panels: one shipped example, a simulator and a market, with the truth."""

from skmmm.datasets._environment import MarketEnvironment
from skmmm.datasets._loaders import load_mmm_example
from skmmm.datasets._synthetic import make_mmm_panel

__all__ = ["MarketEnvironment", "load_mmm_example", "make_mmm_panel"]
