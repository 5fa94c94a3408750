"""Marketing panels: one shipped example and a simulator that returns the truth."""

from skmmm.datasets._loaders import load_mmm_example
from skmmm.datasets._synthetic import make_mmm_panel

__all__ = ["load_mmm_example", "make_mmm_panel"]
