"""Splits of a panel forward in time, across regions and by experiments; scores."""

from skmmm.model_selection._experiments import LeaveExperimentsOut
from skmmm.model_selection._scorers import make_experiment_scorer
from skmmm.model_selection._splits import LeaveRegionsOut, PanelTimeSeriesSplit

__all__ = [
    "LeaveExperimentsOut",
    "LeaveRegionsOut",
    "PanelTimeSeriesSplit",
    "make_experiment_scorer",
]
