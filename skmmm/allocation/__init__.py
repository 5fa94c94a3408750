"""Where the next unit of spend should go: plans for a budget, of any estimator."""

from skmmm.allocation._optimize import optimize_budget
from skmmm.allocation._path import budget_path

__all__ = ["budget_path", "optimize_budget"]
