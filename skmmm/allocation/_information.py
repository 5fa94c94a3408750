"""What it is worth to a plan to know more about its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from skmmm._planning.information import FEWEST_DRAWS, Tables, Value, value_of_signal
from skmmm._planning.separable import tabulate
from skmmm.allocation._words import infeasible, knowledge_in_words

if TYPE_CHECKING:
    from skmmm.allocation._results import PlanResults


class Knowledge:
    """The value of signals to the plan by channel of a question.

    Plans are the best on average over draws. After a test that settles the effect of a
    channel, the plan may move it by itself, also where `fit` warns of it or where only
    a total with others is known.

    Parameters
    ----------
    results : PlanResults
        With a budget, and no limits but bounds.

    Raises
    ------
    ValueError
        If the question is another, or there are too few draws.
    """

    def __init__(self, results: PlanResults):
        _check_question(results)
        self.today, self.labels = results.problem, results.problem.labels
        self.index = results.counterfactual.cells_index(None)
        self.together = [
            [self.labels[m] for m in members]
            for members in results.counterfactual.known_together()
        ]
        self.apart = {label: results.apart(label) for label in self.labels}
        counterfactual = results.counterfactual
        widest = results.apart(*self.labels)
        one = np.ones(len(self.labels))
        curves = tabulate(counterfactual, widest, None, one, draws=True)
        problems = [self.today, widest, *self.apart.values()]
        self.tables = Tables.of(curves, problems)
        self.caused = counterfactual.effects(draws=True).incremental[:, 0]  # (E, M)

    def value(
        self, signal: np.ndarray, error_variance: float = 0.0, settles: object = None
    ) -> Value:
        """Return what a signal, (E,), is worth; it may settle the effect of a channel.

        Parameters
        ----------
        signal : ndarray of shape (E,)
        error_variance : float, default=0.0
        settles : label of a channel, default=None
        """
        after = self.today if settles is None else self.apart[settles]
        return value_of_signal(self.tables, signal, error_variance, self.today, after)

    def of_channels(self) -> pd.DataFrame:
        """Return what it is worth to know what each channel causes, best first."""
        found = [
            self.value(self.caused[:, m], settles=label)
            for m, label in enumerate(self.labels)
        ]
        table = pd.DataFrame(
            {
                "plan_value": [one.value for one in found],
                "plan_value_error": [one.error for one in found],
            },
            index=self.index,
        )
        table["reason"] = [
            knowledge_in_words(label, value, error)
            for label, value, error in table.itertuples()
        ]
        return table.sort_values("plan_value", ascending=False, kind="stable")


def can_know(results: PlanResults) -> bool:
    """Return whether the value of knowing more can be asked for."""
    return _why_not(results) is None


def _check_question(results):
    reason = _why_not(results)
    if reason is not None:
        raise ValueError(f"What a test is worth to a plan is not known: {reason}")
    missed = infeasible(results.problem, responds=False)
    if missed is not None:
        raise ValueError(missed)


def _why_not(results):
    """Return why the value of a signal cannot be computed, None if it can."""
    problem, counterfactual = results.problem, results.counterfactual
    if not counterfactual.has_draws or results.n_draws < FEWEST_DRAWS:
        return f"that takes at least n_draws={FEWEST_DRAWS} draws of the model."
    if results.by != "channel" or counterfactual.responds:
        return "plan by channel, for direct effects."
    if not counterfactual.additive:
        return "it needs channels whose effects add up: fit with synergies=None."
    if problem.has_target or len(problem.rows):
        return "plan a budget, without targets and constraints."
    return None
