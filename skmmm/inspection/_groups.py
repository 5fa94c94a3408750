"""Channels of which only the sum is known, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skmmm._utils.docs import documented_by
from skmmm._utils.labels import called
from skmmm._utils.typing import Array, Columns, MediaCost, Table
from skmmm.inspection._effects import channel_summary
from skmmm.inspection._intervals import bounds, tail_probability
from skmmm.inspection._predictions import counterfactual_of


@documented_by(channel_summary)
def channel_groups(
    estimator: Any,
    X: Table | None = None,
    *,
    confidence_level: float = 0.9,
    media: Columns = None,
    media_cost: MediaCost = None,
) -> pd.DataFrame:
    """Return groups of channels whose total is known although its split is not.

    Returns
    -------
    groups : DataFrame indexed by group, "tv + search"
        No rows if there is no group, as always for estimators without verdicts.

        - ``channels``: tuple of labels;
        - ``spend``, ``contribution``, ``roi``: as of `channel_summary`, of the channels
          together (spend and ROI NaN if one is money and another is not);
          ``contribution_low`` and so on are bounds from draws of their sum;
        - ``sentence``: the same in words.

    Notes
    -----
    No channel of a group is data-driven by itself, none rings an alarm, and their sum
    meets what `channel_summary` asks of a data-driven channel: its prior spread more
    than halved, the upper bound of its 90 % interval at most four times the lower one.
    They trade with each other: the spend of two has a correlation of at least 0.99, or
    draws of each have one of at most -0.5 with those of the others together. That is
    found in the training rows; amounts are those of the rows of X. A channel is in one
    group at most. `optimize_budget` moves those that have a cost by one factor.

    Examples
    --------
    >>> from skmmm.baselines import make_linear_mmm
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.inspection import channel_groups
    >>> data = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = make_linear_mmm(media=data.media, region="region", time="week")
    >>> len(channel_groups(model.fit(data.X, data.y), data.X))  # without verdicts
    0
    """
    tail = tail_probability(confidence_level)
    counterfactual = counterfactual_of(estimator, X, media=media, media_cost=media_cost)
    groups = counterfactual.known_together()
    rows = [_row(counterfactual, members, tail) for members in groups]
    names = [" + ".join(map(called, row["channels"])) for row in rows]
    amounts = [
        f"{name}{end}"
        for name in ("contribution", "roi")
        for end in ("", "_low", "_high")
    ]
    table = pd.DataFrame(
        rows,
        index=pd.Index(names, name="group", dtype=object),
        columns=["channels", "spend", *amounts, "sentence"],
    )
    return table.astype(dict.fromkeys(["spend", *amounts], float))


def _row(counterfactual, members, tail):
    """Return what is known of the channels of one group together."""
    point = counterfactual.effects()
    drawn = counterfactual.effects(draws=True)
    channels = tuple(counterfactual.labels[m] for m in members)
    least = counterfactual.least_effect[members].min()
    spend = point.spend[0, 0, members].sum()
    money = counterfactual.is_money
    if not (money[members].all() or not money.any()):
        spend = np.nan  # a sum of money and impressions
    unit = spend if spend > 0 else np.nan
    row = {"channels": channels, "spend": spend}
    for name, per, values in (
        ("contribution", 1.0, "contribution"),
        ("roi", unit, "incremental"),
    ):
        amount = _together(point, values, members)[0] / per
        draws = _together(drawn, values, members) / per
        row[name] = amount
        row[f"{name}_low"], row[f"{name}_high"] = bounds(
            draws, tail, amount, least=least
        )
    row["sentence"] = (
        f"{', '.join(map(called, channels[:-1]))} and {called(channels[-1])} together: "
        f"{_plain(row['contribution_low'])} to {_plain(row['contribution_high'])}; "
        "the split is not identified."
    )
    return row


def _together(effects, values, members) -> Array:
    """Return what channels cause together, (E,)."""
    return getattr(effects, values)[:, 0, members].sum(axis=1)


def _plain(amount):
    """Return an amount as people write it, with three digits or more."""
    return f"{amount:,.0f}" if abs(amount) >= 1000 else f"{amount:,.3g}"
