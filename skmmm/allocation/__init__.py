"""Where the next unit of spend should go: plans for a budget, of any estimator."""

from skmmm.allocation._given import GivenCurves
from skmmm.allocation._levers import Lever
from skmmm.allocation._optimize import optimize_budget
from skmmm.allocation._path import budget_path
from skmmm.allocation._plan import BudgetPlan
from skmmm.allocation._policy import BudgetPolicy
from skmmm.allocation._review import PlanReview

__all__ = [
    "BudgetPlan",
    "BudgetPolicy",
    "GivenCurves",
    "Lever",
    "PlanReview",
    "budget_path",
    "optimize_budget",
]
