"""Plots of fitted models: each holds its data and draws them on given axes."""

from skmmm.plotting._baseline import BaselineDisplay
from skmmm.plotting._contributions import (
    ContributionsDisplay,
    ContributionSharesDisplay,
    WaterfallDisplay,
)
from skmmm.plotting._curves import ResponseCurvesDisplay
from skmmm.plotting._demand import HiddenDemandDisplay
from skmmm.plotting._diagnostics import HoldoutDisplay, ResidualsDisplay, SkillDisplay
from skmmm.plotting._experiments import ExperimentsDisplay
from skmmm.plotting._fit import FitDisplay
from skmmm.plotting._frequency import FrequencyDisplay
from skmmm.plotting._graph import ChannelGraphDisplay, ChannelGraphHeatmapDisplay
from skmmm.plotting._input import InputDataDisplay
from skmmm.plotting._plans import BudgetPathDisplay, BudgetPlanDisplay, ScenariosDisplay
from skmmm.plotting._regions import RegionRankingDisplay
from skmmm.plotting._returns import ReturnsDisplay, SpendShareDisplay, VerdictsDisplay
from skmmm.plotting._review import PlanReviewDisplay
from skmmm.plotting._shapes import (
    AdstockDisplay,
    EffectivenessDisplay,
    PaybackDisplay,
    SaturationDisplay,
)
from skmmm.plotting._training import TrainingDisplay

__all__ = [
    "AdstockDisplay",
    "BaselineDisplay",
    "BudgetPathDisplay",
    "BudgetPlanDisplay",
    "ChannelGraphDisplay",
    "ChannelGraphHeatmapDisplay",
    "ContributionSharesDisplay",
    "ContributionsDisplay",
    "EffectivenessDisplay",
    "ExperimentsDisplay",
    "FitDisplay",
    "FrequencyDisplay",
    "HiddenDemandDisplay",
    "HoldoutDisplay",
    "InputDataDisplay",
    "PaybackDisplay",
    "PlanReviewDisplay",
    "RegionRankingDisplay",
    "ResidualsDisplay",
    "ResponseCurvesDisplay",
    "ReturnsDisplay",
    "SaturationDisplay",
    "ScenariosDisplay",
    "SkillDisplay",
    "SpendShareDisplay",
    "TrainingDisplay",
    "VerdictsDisplay",
    "WaterfallDisplay",
]
