"""The channel graph as tables: weights, lags, probabilities and verdicts."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from skmmm._utils.labels import called, counted
from skmmm._utils.typing import Table
from skmmm.graph._estimate import MIN_ROWS
from skmmm.graph._experiments import ObservedSpend, check_edges
from skmmm.graph._features import TAIL_DECAY

CROWDED = 0.3
ABSORBED = 0.9
FEW_REGIONS = 10
TAIL_PERIODS = 10


@dataclass(frozen=True, eq=False)
class ChannelGraph:
    """Which channel drives which, how strongly, how late and how surely.

    A candidate for how channels feed each other, right if nothing unobserved moves
    several budgets of the same region in the same period beyond what was adjusted for.
    Before acting on an edge, test it: hold the parent back in some regions.

    Attributes
    ----------
    weights : DataFrame of shape (n_media, n_media)
        Rows drive columns: change of the child, in standard deviations of what region
        and period effects leave of it, per standard deviation of what drives it (see
        `link`), over all lags, with other channels and the child's past held. Zero
        where no edge is retained.
    same_period : DataFrame of shape (n_media, n_media)
        The part of the weights within the period; without cycles.
    lags : DataFrame of shape (n_edges, 1 + max_lag + 10)
        One row per retained edge, ``parent`` and ``child`` in the index, the change of
        the child's ``log(1 + spend / unit)`` at lags 0, 1, ... per unit of what drives
        it, before the child's own persistence.
    probability : DataFrame of shape (n_media, n_media)
        Share of resampled panels in which the row drives the column. With one region:
        with a lag, the smaller of the shares with and without hidden demand, and at
        most one half where the lags are not significant beside all other channels.
    verdict : DataFrame of shape (n_media, n_media)
        "edge", "no edge" or "undecided"; empty on the diagonal.
    link : Series of shape (n_media,)
        How each channel drives others: "logarithmic" (by ``log(1 + spend / unit)``),
        "saturating" or "proportional" to spend.
    cautions : list of str
        What speaks against trusting the graph as a whole.
    n_regions, n_rows : int
        Regions that were looked at (of many, a part), and their rows less what the
        adjustment for region and period effects took.
    """

    weights: pd.DataFrame
    same_period: pd.DataFrame
    lags: pd.DataFrame
    probability: pd.DataFrame
    verdict: pd.DataFrame
    link: pd.Series
    cautions: list
    n_regions: int
    n_rows: int
    _spend: ObservedSpend = field(repr=False)

    def check(self, experiments: Table | str) -> pd.DataFrame:
        """Hold tests of one channel against what the graph says of another's spend.

        A test that changes television in some regions, with the spend of search
        observed in them and in others, is a test of all paths from television to
        search: its outcome is search spend instead of the KPI. What the graph says is
        the counterfactual by which total effects are computed.

        Parameters
        ----------
        experiments : DataFrame or path of a CSV file
            As the parameter `experiments` of :class:`~skmmm.DeepCausalMMMRegressor`,
            with one channel in ``media`` and one more column, ``child``: the channel
            whose spend was measured. ``estimate`` and ``std_error`` are the spend of
            the child that the change brought, in total over window, cooldown and
            regions, in the units of X (``spend_change`` as well).

        Returns
        -------
        tests : DataFrame
            One row per test:

            - ``parent``, ``child``, ``start``, ``end``, ``n_regions``;
            - ``estimate``, ``std_error`` (``bias_sd`` included);
            - ``predicted``, ``predicted_low``, ``predicted_high``: what the graph says,
              mean and 90 % interval over resampled panels;
            - ``z``: standard deviations between the two, and ``conflict``: more than 2;
            - ``verdict``: of the graph on the pair;
            - ``probability``, ``probability_after``: that the child answers at all,
              by the share of resampled panels in which it does (with half a panel of
              each kind added), and after the test by Bayes' rule [1]_, if an answer is
              as large as those panels say; the second is nan if none has one;
            - ``finding``: one sentence.

        Raises
        ------
        ValueError
            If a row cannot be understood; it is named, with what to do.

        References
        ----------
        .. [1] Cooper, Yoo (1999). Causal discovery from a mixture of experimental and
           observational data. UAI.
        """
        return check_edges(self, self._spend, experiments)

    @property
    def edges(self):
        """Retained edges, strongest first.

        Returns
        -------
        edges : DataFrame
            Columns ``parent``, ``child``, ``weight``, ``same_period`` and
            ``probability``.
        """
        pairs = self.pairs
        edges = pairs[pairs["verdict"] == "edge"].drop(columns="verdict")
        order = edges["weight"].abs().sort_values(ascending=False, kind="stable").index
        return edges.loc[order].reset_index(drop=True)

    @property
    def pairs(self):
        """All ordered pairs of channels.

        Returns
        -------
        pairs : DataFrame of shape (n_media * (n_media - 1), 6)
            Columns ``parent``, ``child``, ``weight``, ``same_period``,
            ``probability`` and ``verdict``.
        """
        channels = list(self.weights.index)
        rows = [
            (
                parent,
                child,
                self.weights.loc[parent, child],
                self.same_period.loc[parent, child],
                self.probability.loc[parent, child],
                self.verdict.loc[parent, child],
            )
            for parent in channels
            for child in channels
            if parent != child
        ]
        names = ["parent", "child", "weight", "same_period", "probability", "verdict"]
        return pd.DataFrame(rows, columns=names)

    def to_networkx(self):
        """Return the retained edges as a directed graph of networkx.

        Returns
        -------
        graph : networkx.DiGraph
            Nodes are channels; edges carry ``weight`` and ``probability``.

        Raises
        ------
        ImportError
            If networkx is not installed.
        """
        try:
            import networkx
        except ImportError as error:
            raise ImportError(
                "to_networkx needs the package networkx: pip install networkx."
            ) from error
        graph = networkx.DiGraph()
        graph.add_nodes_from(self.weights.index)
        for edge in self.edges.itertuples():
            graph.add_edge(
                edge.parent,
                edge.child,
                weight=float(edge.weight),
                probability=float(edge.probability),
            )
        return graph

    def __repr__(self):
        counts = self.pairs["verdict"].value_counts()
        head = ", ".join(
            f"{counts.get(verdict, 0)} {word}"
            for verdict, word in (
                ("edge", "edges"),
                ("no edge", "pairs without"),
                ("undecided", "undecided"),
            )
        )
        lines = [f"ChannelGraph of {len(self.weights)} channels: {head}."]
        if len(self.edges):
            lines.append(self.edges.to_string(index=False, float_format="%.2f"))
        return "\n".join([*lines, *self.cautions])


def make_channel_graph(fitted, media, order, spend):
    """Lay out a fitted graph.

    Parameters
    ----------
    fitted : FittedGraph
    media : list
        Labels of the channels as they are shown.
    order : list of int
        Where each of them is in the fitted graph.
    spend : ObservedSpend
        Channels as in the fitted graph.
    """

    def table(values):
        return pd.DataFrame(values[np.ix_(order, order)], index=media, columns=media)

    return ChannelGraph(
        weights=table(fitted.weight),
        same_period=table(fitted.same),
        lags=_lags(fitted, media, order),
        probability=table(fitted.probability),
        verdict=table(fitted.verdict),
        link=pd.Series(fitted.link[order], index=media),
        cautions=_cautions(fitted, media, order),
        n_regions=fitted.n_regions,
        n_rows=fitted.n_rows,
        _spend=spend,
    )


def _lags(fitted, media, order):
    """Return the weight of every retained edge at every lag."""
    equations = fitted.equations
    same, late = equations.same[0], equations.late[0]
    n_lags = late.shape[2] - 1
    tail = TAIL_DECAY ** np.arange(TAIL_PERIODS)
    pairs = [
        (a, b)
        for a in range(len(media))
        for b in range(len(media))
        if a != b and fitted.edges[order[a], order[b]]
    ]
    rows = []
    for a, b in pairs:
        i, j = order[a], order[b]
        rows.append([same[i, j], *late[i, j, :n_lags], *(late[i, j, n_lags] * tail)])
    index = pd.MultiIndex.from_tuples(
        [(media[a], media[b]) for a, b in pairs], names=["parent", "child"]
    )
    n_columns = 1 + n_lags + TAIL_PERIODS
    return pd.DataFrame(
        np.reshape(rows, (len(rows), n_columns)), index=index, columns=range(n_columns)
    )


def _cautions(fitted, media, order):
    cautions = []
    if fitted.n_rows < MIN_ROWS:
        cautions.append(
            f"Only {fitted.n_rows} rows are left after the adjustment for regions, "
            "periods and controls: nothing is decided."
        )
    if fitted.n_regions == 1:
        cautions.append(
            "One region: which of two channels leads within a period cannot be told, "
            "and hardly what demand moves from what channels move. More regions decide "
            "more pairs."
        )
    elif 1 < fitted.n_regions < FEW_REGIONS:
        cautions.append(
            f"{fitted.n_regions} regions: with ten or more, more pairs are decided."
        )
    n_pairs = len(media) * (len(media) - 1)
    if fitted.edges.sum() > CROWDED * n_pairs:
        cautions.append(
            f"{fitted.edges.sum()} of {n_pairs} pairs are edges: more likely is that "
            "something unobserved moves many budgets. Add what planners react to as a "
            "control."
        )
    absorbed = [
        channel
        for channel, i in zip(media, order, strict=True)
        if fitted.absorbed[i] > ABSORBED
    ]
    if absorbed:
        cautions.append(
            f"Over 90 % of how spend on {', '.join(map(called, absorbed))} moves "
            "within regions is the same in all of them, or season: their edges rest on "
            "the little that is left."
        )
    if fitted.hidden_demand:
        cautions.append(
            "One hidden movement per region explains part of what channels share, and "
            "was adjusted for: probably local demand. An observed measure of it, as a "
            "control, is better."
        )
    if fitted.n_factors:
        cautions.append(
            f"Adjusted for {counted(fitted.n_factors, 'common movement')} to which "
            "regions respond with different strength."
        )
    return cautions
