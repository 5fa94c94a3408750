"""The question that a plan answers, as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Question:
    """Who was asked for a plan, and what.

    Attributes
    ----------
    estimator : object
        As it was fitted then.
    settings : dict
        Arguments of `optimize_budget`, without the rows.
    """

    estimator: Any
    settings: dict[str, Any]

    def reviewer(self, asking: str) -> Any:
        """Return the model, or raise if it is none that reviews its plans."""
        if not hasattr(self.estimator, "_as_it_came"):
            raise ValueError(
                f"{asking} is for plans of DeepCausalMMMRegressor, and this one is of "
                f"{type(self.estimator).__name__}. Keep plan.X, and compare with "
                "predict."
            )
        return self.estimator
