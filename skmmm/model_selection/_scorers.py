"""Scores of what a fitted estimator says of experiments."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy.stats import norm

from skmmm._data.experiments import Experiment
from skmmm._unwrapping import parameter_of, unwrap
from skmmm._utils.typing import Column, Columns, MediaCost, Table
from skmmm.inspection._predictions import counterfactual_of
from skmmm.inspection._protocol import Counterfactual, ExperimentValues

Kind: TypeAlias = Literal["log_score", "z", "relative_error"]


def make_experiment_scorer(
    experiments: pd.DataFrame | str | PathLike[str],
    *,
    kind: Kind = "log_score",
    media: Columns = None,
    region: Column | None = None,
    time: Column | None = None,
    media_cost: MediaCost = None,
) -> Callable[..., float]:
    """Make a scorer of what an estimator says of experiments.

    Greater is better, so that searches choose the highest score. The KPI is not looked
    at: with ``cv=LeaveExperimentsOut(experiments, ...)`` a search chooses by effects
    that were measured, not by forecasts.

    Parameters
    ----------
    experiments : DataFrame or path of a CSV file
        As the parameter of :class:`~skmmm.DeepCausalMMMRegressor`.
    kind : {"log_score", "z", "relative_error"}, default="log_score"
        With estimates :math:`\\hat\\tau_q`, their standard errors :math:`s_q` (of
        ``std_error`` and ``bias_sd``) and, over the draws of the estimator, mean
        :math:`m_q`, median :math:`\\tilde m_q` and standard deviation :math:`v_q`
        (zero without draws):

        - "log_score": mean of :math:`\\log s_q N(\\hat\\tau_q;\\, m_q, s_q^2 + v_q^2)`,
          the log density of what was measured, in units of the standard error. It is a
          proper score of the draws' mean and variance [1]_: being too sure costs.
        - "z": minus the root mean square of
          :math:`(\\hat\\tau_q - \\tilde m_q) / s_q`.
        - "relative_error": minus the mean of
          :math:`|\\tilde m_q / \\hat\\tau_q - 1|`.
    media : list of str or int, str, int, callable or None, default=None
        Media columns of X, for estimators that do not say.
    region, time : str, int or None, default=None
        Name or position of the column, for estimators that do not say.
    media_cost : float, mapping or None, default=None
        Cost of one unit of the media columns, for estimators that do not know it;
        needed for experiments in money.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for the ``scoring`` of
        :func:`~sklearn.model_selection.cross_validate` and searches. Scored are
        experiments of which X has rows for all regions and periods, cooldown included,
        and, for :class:`~skmmm.DeepCausalMMMRegressor`, those outside of all rows that
        say what was spent. The scorer raises if there is none, and if the estimator has
        learned from one of them.

    See Also
    --------
    LeaveExperimentsOut : Splits for this scorer.

    Notes
    -----
    :class:`~skmmm.DeepCausalMMMRegressor`, also in a search or behind steps that only
    change the units of its columns, says what an experiment measures by the code with
    which it learns from experiments. Of any other estimator, and behind other steps
    (the doubt of its draws is not in the log score then), predictions of X with and
    without the change are compared; what it carries over from before X has to be known
    to it, as to :func:`~skmmm.baselines.make_linear_mmm`.

    References
    ----------
    .. [1] Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules,
       prediction, and estimation. Journal of the American Statistical Association 102,
       359-378.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.model_selection import LeaveExperimentsOut, make_experiment_scorer
    >>> world = make_mmm_panel(2, 60, n_media=2, random_state=0)
    >>> tests = pd.DataFrame({
    ...     "media": ["media_1", "media_2"],
    ...     "start": "2021-05-03", "end": "2021-06-21", "change": 0.0,
    ...     "estimate": [-900.0, -300.0], "std_error": [90.0, 60.0],
    ... })
    >>> model = make_linear_mmm(media=world.media, region="region", time="week")
    >>> search = GridSearchCV(
    ...     model,
    ...     {"adstock__decay": [0.2, 0.8]},
    ...     scoring=make_experiment_scorer(tests),
    ...     cv=LeaveExperimentsOut(tests, n_splits=1, region="region", time="week"),
    ... ).fit(world.X, world.y)
    >>> search.cv_results_["mean_test_score"].shape
    (2,)
    """
    if kind not in _SCORES:
        raise ValueError(f"kind={kind!r} must be one of {', '.join(_SCORES)}.")
    given = {"media": media, "region": region, "time": time, "media_cost": media_cost}
    return _ExperimentScorer(experiments, kind, given)


class _ExperimentScorer:
    def __init__(self, experiments: Any, kind: Kind, given: dict[str, Any]):
        self.experiments = experiments
        self.kind = kind
        self.given = given

    def __call__(self, estimator: Any, X: Table, y: object = None) -> float:
        found = counterfactual_of(estimator, X, **self.given)
        rows = found.experiment_grid.read(self.experiments)
        scored = [one for one in rows if found.answers(one)]
        if not scored:
            raise ValueError(
                "X has the rows of no experiment: all regions and periods of one, "
                "cooldown included. Split with cv=LeaveExperimentsOut(experiments, "
                "...), or pass all rows."
            )
        _check_held_out(estimator, found, scored)
        if self.kind == "relative_error":
            _check_not_zero(scored)
        return _SCORES[self.kind](found.experiment_values(scored))

    def __repr__(self):
        table = self.experiments
        if isinstance(table, pd.DataFrame):
            table = f"<{len(table)} experiments>"
        given = {k: v for k, v in self.given.items() if v is not None}
        options = "".join(f", {name}={value!r}" for name, value in given.items())
        return f"make_experiment_scorer({table}, kind={self.kind!r}{options})"


def _check_held_out(
    estimator: Any, found: Counterfactual, scored: list[Experiment]
) -> None:
    """Raise if the estimator has learned from an experiment that is to be scored."""
    model = unwrap(estimator).model
    learned = parameter_of(model, "experiments")
    if learned is None:
        return
    known = found.experiment_grid.read(learned)
    for one, other in product(scored, known):
        if _overlap(one, other):
            raise ValueError(
                f"{one.name} of the scorer changed a channel in regions and periods "
                f"of {other.name} of those that {type(model).__name__} has learned "
                "from, so that it is not held out. Set experiments=None, or to "
                "experiments that are not scored."
            )


def _overlap(one: Experiment, other: Experiment) -> bool:
    """Return whether two reports may be of the same change."""
    return bool(
        set(one.channels) & set(other.channels)
        and np.isin(one.regions, other.regions).any()
        and one.start < other.stop
        and other.start < one.stop
    )


def _check_not_zero(scored: list[Experiment]) -> None:
    for one in scored:
        if one.estimate == 0.0:
            raise ValueError(
                f"{one.name} has an estimate of 0, and an error relative to it is "
                "undefined. Use kind='z' or 'log_score'."
            )


def _log_score(found: ExperimentValues) -> float:
    spread = np.hypot(found.std_error, found.values.std(axis=0))
    z = (found.measured - found.values.mean(axis=0)) / spread
    return float(np.mean(norm.logpdf(z) - np.log(spread / found.std_error)))


def _z(found: ExperimentValues) -> float:
    errors = (found.measured - np.median(found.values, axis=0)) / found.std_error
    return -float(np.sqrt(np.mean(errors**2)))


def _relative_error(found: ExperimentValues) -> float:
    return -float(np.mean(np.abs(np.median(found.values, axis=0) / found.measured - 1)))


_SCORES: dict[str, Callable[[ExperimentValues], float]] = {
    "log_score": _log_score,
    "z": _z,
    "relative_error": _relative_error,
}
