"""Which channel drives which, from spend alone: estimators that need no KPI."""

from skmmm.graph._estimators import NOTEARS, StructuralVAR

__all__ = ["NOTEARS", "StructuralVAR"]
