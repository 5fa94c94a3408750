"""What pairs of channels cause together, as a table."""

from typing import Any

import numpy as np
import pandas as pd

from skmmm._model.threads import one_thread
from skmmm._utils.typing import Array
from skmmm.inspection._intervals import bounds
from skmmm.inspection._verdicts import ENOUGH, MIN_DRAWS, VERDICTS

NOTHING = 0.01  # share of the predicted KPI below which a pair adds about nothing


@one_thread()
def synergy_table(estimator: Any, panel: Any, tail: float) -> pd.DataFrame:
    """Return what each pair adds to the KPI of a panel's rows.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        With pairs.
    panel : Panel
    tail : float
        Probability beyond each end of an interval.
    """
    from skmmm._model.synergies import pair_rows  # torch takes seconds to import

    model = estimator._model
    rows, theta = pair_rows(model, panel, draws=False)
    point = {"contribution": rows[0].sum(axis=0), "theta": theta[0]}
    ends = {name: np.full((2, *one.shape), np.nan) for name, one in point.items()}
    if model.draws is not None:
        rows, theta = pair_rows(model, panel, draws=True)
        drawn = {"contribution": rows.sum(axis=1), "theta": theta}
        ends = {name: bounds(drawn[name], tail, point[name]) for name in point}
    total = model.components(panel).total[0].sum()
    table: dict[str, Array] = {}
    for name, one in point.items():
        table[name] = one
        table[f"{name}_low"], table[f"{name}_high"] = ends[name]
        if name == "contribution":
            table["share"] = one / total
    table["verdict"], judged = _verdicts(estimator)
    small = np.abs(ends["contribution"]).max(axis=0) < NOTHING * abs(total)
    table["note"] = np.where(judged & small, "about nothing", "").astype(object)
    return pd.DataFrame(table, index=_names(estimator)).loc[_shown(estimator)]


def _names(estimator):
    """Return the labels of the channels of each pair, those of X's first columns first.

    In the order of the model.
    """
    media, place = estimator._columns.media, estimator.media_.index
    named = [[media[m] for m in pair] for pair in estimator._learned_pairs()]
    pairs = [tuple(sorted(pair, key=place)) for pair in named]
    return pd.MultiIndex.from_tuples(pairs, names=["channel", "partner"])


def _shown(estimator):
    """Return the pairs in the order of X."""
    place = estimator.media_.index
    return sorted(_names(estimator), key=lambda pair: [place(one) for one in pair])


def _verdicts(estimator):
    """Return the verdict on each pair, and whether data judged it, both (P,).

    The verdict is None with too few draws for one.
    """
    from skmmm._model.synergies import standard_draws  # torch takes seconds to import

    model, pairs = estimator._model, np.array(estimator._learned_pairs())
    if model.draws is None or len(model.draws.shared) < MIN_DRAWS:
        return np.full(len(pairs), None, dtype=object), np.zeros(len(pairs), bool)
    drawn = standard_draws(model.draws)
    learned = 1.0 - drawn.var(axis=0, ddof=1) >= ENOUGH
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0, method="weibull")
    doubted = (estimator._doubts() != "")[pairs].any(axis=1)
    verdicts = np.where(learned, VERDICTS[0], VERDICTS[1]).astype(object)
    lost = doubted | (learned & (low * high <= 0))
    return np.where(lost, VERDICTS[2], verdicts), learned & ~doubted
