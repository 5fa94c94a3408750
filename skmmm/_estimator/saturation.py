"""At which spend channels reach half of the most that they can cause, as a table."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from skmmm._model.threads import one_thread
from skmmm._utils.typing import Array
from skmmm.inspection._intervals import bounds
from skmmm.inspection._verdicts import (
    MIN_DRAWS,
    VERDICTS,
    is_known,
    is_narrow,
)

_N_GUESSES = 4000  # draws of the prior


@one_thread()
def half_saturation_table(estimator: Any, tail: float) -> pd.DataFrame:
    """Return half saturation by channel, with what was expected of it.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
    tail : float
        Probability beyond each end of an interval.
    """
    model, order = estimator._model, estimator._shown_order()
    guessed = replace(model, draws=model.network.prior_guess(_N_GUESSES))
    point, prior = estimator.half_saturation_, _drawn(guessed, order)
    ends, drawn = np.full((2, len(point)), np.nan), None
    if model.draws is not None and order:
        drawn = _drawn(model, order)
        ends = np.exp(bounds(np.log(drawn), tail, np.log(point)))
    expected = np.quantile(prior, [tail, 1.0 - tail], axis=0)
    seen = model.adstocked()[order]  # (n_media, n_rows)
    heard = np.isin(estimator.media_, list(estimator._frequency_columns))
    table = {
        "half_saturation": point,
        "half_saturation_low": ends[0],
        "half_saturation_high": ends[1],
        "half_saturation_prior_low": expected[0],
        "half_saturation_prior_high": expected[1],
        "observed": (seen <= point[:, None]).mean(axis=1),
        "unit": np.where(heard, "frequency", "spend per row").astype(object),
        "verdict": half_saturation_verdicts(
            drawn, prior, estimator._shown_doubts() != ""
        ),
    }
    return pd.DataFrame(table, pd.Index(estimator.media_, name="channel"))


def _drawn(model, order) -> Array:
    return model.summary(draws=True)["half_saturation"][:, order]


def half_saturation_verdicts(drawn, prior, doubted):
    """Return whether data tell half saturation, (n_media,), as of `payback`."""
    if drawn is None or len(drawn) < MIN_DRAWS:
        return np.full(prior.shape[1], None, dtype=object)
    before, after = (np.log(one).var(axis=0, ddof=1) for one in (prior, drawn))
    known = is_known(1.0 - after / before, is_narrow(drawn))
    verdict = np.where(known, VERDICTS[0], VERDICTS[1])
    return np.where(doubted, VERDICTS[2], verdict).astype(object)
