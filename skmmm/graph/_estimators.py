"""Estimators of the channel graph: a long table of media in, its graph out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from skmmm._data import checks
from skmmm._data.calendar import infer_calendar
from skmmm._data.panel import make_panel
from skmmm._data.tables import read_table, row_namer
from skmmm._utils.sklearn import Interval
from skmmm._utils.typing import Column, Columns, Seed, Table
from skmmm.graph._channel_graph import ChannelGraph, make_channel_graph
from skmmm.graph._estimate import fit_channel_graph
from skmmm.graph._experiments import ObservedSpend
from skmmm.graph._notears import THRESHOLD, search_notears
from skmmm.graph._rules import make_rules
from skmmm.graph._search import search

_COLUMN = [str, Integral, None]
_COLUMNS = ["array-like", str, Integral, callable, None]
_N_HARMONICS = 3

Edges: TypeAlias = Sequence[tuple[Column, Column]] | None
Tiers: TypeAlias = Sequence[Sequence[Column]] | None


class _GraphEstimator(BaseEstimator):
    """What the estimators of a graph share; subclasses say how they search.

    They write ``_find()``, which returns a function with the signature of
    `skmmm.graph._search.search`.
    """

    _parameter_constraints = {
        "media": _COLUMNS,
        "controls": _COLUMNS,
        "region": _COLUMN,
        "time": _COLUMN,
        "forbidden_edges": ["array-like", None],
        "required_edges": ["array-like", None],
        "tiers": ["array-like", None],
        "min_edge_effect": [Interval(Real, 0, 1, closed="neither")],
        "max_lag": [Interval(Integral, 1, None, closed="left")],
        "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
        "n_harmonics": [Interval(Integral, 0, None, closed="left"), None],
        "periods_per_year": [Interval(Real, 1, None, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        media: Columns = None,
        controls: Columns = None,
        region: Column | None = None,
        time: Column | None = None,
        forbidden_edges: Edges = None,
        required_edges: Edges = None,
        tiers: Tiers = None,
        min_edge_effect: float = 0.0075,
        max_lag: int = 2,
        n_bootstraps: int = 20,
        n_harmonics: int | None = None,
        periods_per_year: float | None = None,
        random_state: Seed = None,
    ) -> None:
        self.media = media
        self.controls = controls
        self.region = region
        self.time = time
        self.forbidden_edges = forbidden_edges
        self.required_edges = required_edges
        self.tiers = tiers
        self.min_edge_effect = min_edge_effect
        self.max_lag = max_lag
        self.n_bootstraps = n_bootstraps
        self.n_harmonics = n_harmonics
        self.periods_per_year = periods_per_year
        self.random_state = random_state

    def fit(self, X: Table, y: npt.ArrayLike | None = None) -> Self:
        """Estimate the graph.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            One row per region and period, in any order, with spend or delivery of at
            least two channels.
        y : None
            Ignored: no KPI chooses edges.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `time` is None or there are fewer than two media columns, and as in `fit`
            of :class:`~skmmm.DeepCausalMMMRegressor`; the message names the column.
        """
        self._validate_params()
        frame = read_table(self, X, reset=True)
        columns = checks.resolve_columns(
            frame,
            media=self.media,
            controls=self.controls,
            region=self.region,
            time=self.time,
        )
        self._check_enough(columns, frame)
        self._rules(columns.media, self._labels)  # which may raise, before all else
        panel, calendar, regions = self._arrange(frame, columns)
        n_harmonics = _N_HARMONICS if self.n_harmonics is None else self.n_harmonics
        season = calendar.season(panel.periods, n_harmonics)
        # One thread, as in the regressor: sums of several differ in their last bit.
        with threadpool_limits(1, user_api="blas"):
            self._graph = self._estimate(panel, season, columns.media, self._labels)
        self._spend = ObservedSpend(
            media=panel.media,
            equations=self._graph.draws,
            channels=list(columns.media),
            regions=regions,
            calendar=calendar,
        )
        self.media_ = [label for label in self._labels if label in columns.media]
        self._order = [columns.media.index(label) for label in self.media_]
        self.causal_graph_ = self.channel_graph().weights.to_numpy(copy=True)
        return self

    def channel_graph(self) -> ChannelGraph:
        """Return the graph as tables.

        Returns
        -------
        graph : ChannelGraph
            As `channel_graph` of :class:`~skmmm.DeepCausalMMMRegressor` returns it:
            ``edges`` and ``pairs`` as long tables, ``weights``, ``probability`` and
            ``verdict`` ("edge", "no edge" or "undecided") as square ones.
        """
        check_is_fitted(self)
        return make_channel_graph(self._graph, self.media_, self._order, self._spend)

    def _check_enough(self, columns, frame):
        name = type(self).__name__
        if len(columns.media) < 2:
            raise ValueError(
                f"{name} needs at least two media columns, but X with {len(frame)} "
                f"sample(s) and {frame.shape[1]} feature(s) has {len(columns.media)}: "
                f"{list(columns.media)}. Name more in media."
            )

    def _arrange(self, frame, columns):
        """Return the rows on the grid, the calendar and the labels of regions."""
        where = row_namer(frame, columns.region, columns.time)
        region, code = None, np.zeros(len(frame), dtype=np.int64)
        labels = np.array(["all"], dtype=object)
        if columns.region is not None:
            region = checks.region_values(frame, columns.region)
            labels, code = np.unique(region, return_inverse=True)
        calendar, period = self._times(frame, columns, region)
        media = checks.numeric_block(frame, columns.media, where)
        name = type(self).__name__
        checks.check_non_negative_media(media, columns.media, where, name)
        controls = checks.numeric_block(frame, columns.controls, where)
        checks.check_no_duplicates(code, period, where)
        still = checks.still_value(controls)
        controls = np.where(np.isfinite(still), still, controls)
        n_regions = int(code.max()) + 1
        panel = make_panel(code, period, media, controls, n_regions=n_regions)
        return panel, calendar, labels

    def _times(self, frame, columns, region):
        """Return the calendar, and the period of every row."""
        if columns.time is None:
            raise ValueError(
                f"{type(self).__name__} needs to know which row comes after which: set "
                "time to the column with the period."
            )
        column = frame[columns.time]
        calendar = infer_calendar(column, columns.time, region, self.periods_per_year)
        return calendar, calendar.ordinals(column, columns.time)

    def _estimate(self, panel, season, media, labels, seed=None):
        """Return the `FittedGraph` of a panel.

        Parameters
        ----------
        panel : Panel
        season : ndarray of shape (n_terms, n_periods)
        media, labels : sequences
            Labels of the channels in the order of the panel, and of all columns of X.
        seed : int, default=None
            Where `random_state` is None.
        """
        if seed is None or self.random_state is not None:
            random_state = check_random_state(self.random_state)
            seed = random_state.randint(np.iinfo(np.int32).max)
        return fit_channel_graph(
            panel.media,
            panel.controls,
            panel.observed,
            season,
            self._rules(media, labels),
            n_lags=self.max_lag,
            n_bootstraps=self.n_bootstraps,
            rng=np.random.RandomState(seed),
            find=self._find(),
        )

    def _rules(self, media, labels):
        """Return what the parameters say of edges."""
        frame = pd.DataFrame(columns=labels)

        def position(key, role):
            if not isinstance(key, str | Integral):
                raise ValueError(
                    f"{role} names {key!r}, which is neither the name nor the position "
                    "of a media column."
                )
            label = checks.resolve_column(frame, key, role)
            checks.check_channel(label, media, role, key=key)
            return media.index(label)

        return make_rules(
            media,
            position,
            forbidden=self.forbidden_edges,
            required=self.required_edges,
            tiers=self.tiers,
            min_effect=self.min_edge_effect,
        )

    def _check_within(self, frame, columns, **settings):
        """Raise if parameters are invalid, or contradict those of the model around.

        Parameters
        ----------
        frame : DataFrame
            X of the model.
        columns : Columns
            Of the model.
        **settings
            Other parameters of the model that the graph has as well.
        """
        self._validate_params()
        for role in ("media", "controls", "region", "time"):
            own = getattr(self, role)
            if own is None:
                continue
            outside = getattr(columns, role)
            if role in ("region", "time"):
                same = checks.resolve_column(frame, own, f"graph__{role}") == outside
            else:
                labels = checks.resolve_many(frame, own, f"graph__{role}")
                same, outside = set(labels) == set(outside), list(outside)
            self._check_same(role, own, outside, same)
        for name, outside in settings.items():
            own = getattr(self, name)
            self._check_same(name, own, outside, own is None or own == outside)
        self._rules(columns.media, checks.labels_of(frame))

    def _check_same(self, name, own, outside, same):
        if not same:
            raise ValueError(
                f"graph has {name}={own!r}, but the model around it has "
                f"{name}={outside!r}. Leave {name} of {type(self).__name__} None: it "
                "takes that of the model."
            )

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_graph")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # With every column a medium, no column may be negative.
        tags.input_tags.positive_only = self.media is None and self.controls is None
        return tags


class StructuralVAR(_GraphEstimator):
    """Channel graph from a structural vector autoregression.

    Spend of each channel, on its own scale and adjusted for region and period effects,
    is regressed on its past and on the other channels' spend of now and before. The
    edges are those of the best of all orders of the channels [1]_ [2]_ that come back
    when regions are drawn again. See the user guide for the equations, and for how far
    to trust a graph.

    Parameters
    ----------
    media : list of str or int, str, int, callable or None, default=None
        Media columns (spend or delivery per row, not negative), by name, position or
        a callable that takes the frame. None: every column not named otherwise.
    controls : list of str or int, str, int, callable or None, default=None
        Columns that move budgets but are no media; a measure of local demand above all.
    region : str, int or None, default=None
        Column with the region (geo). None: one series, which decides little.
    time : str, int or None, default=None
        Column with the period, as in :class:`~skmmm.DeepCausalMMMRegressor`; needed.
    forbidden_edges, required_edges : list of pairs or None, default=None
        Pairs ``(parent, child)`` of media columns that cannot, or do, drive each
        other.
    tiers : list of lists or None, default=None
        Media columns from the upper to the lower funnel: a later tier does not drive
        an earlier one. Columns that are not named may be anywhere.
    min_edge_effect : float in (0, 1), default=0.0075
        Share of a channel's otherwise unexplained variance that a parent must explain
        to count; in large panels much smaller effects are significant.
    max_lag : int, default=2
        Periods of past spend that enter one by one; what is further back enters through
        a geometric tail.
    n_bootstraps : int, default=20
        Times that the graph is estimated again with regions drawn anew (with fewer
        than ten, with blocks of 13 periods).
    n_harmonics : int or None, default=None
        Harmonics of the yearly season that a single series is adjusted for. None: 3.
    periods_per_year : float or None, default=None
        Periods in a year. None: what the period length says.
    random_state : int, RandomState instance or None, default=None
        Of the regions that are drawn. Pass an int for the same result every time.

    Attributes
    ----------
    causal_graph_ : ndarray of shape (n_media, n_media)
        ``[i, j]``: weight with which i drives j, over all lags, in standard deviations
        of the child per one of the parent; zero where no edge is retained. With names:
        ``channel_graph().weights``.
    media_ : list
        Media columns, in the order of X and of `causal_graph_`.
    n_features_in_ : int
        Columns of X in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if the columns of X have names.

    See Also
    --------
    NOTEARS : The same by continuous optimisation, for comparison.
    skmmm.DeepCausalMMMRegressor : Takes an instance as its parameter `graph`.

    Notes
    -----
    Inside the regressor, columns, season, year and seed that are None are those of the
    regressor; columns, season and year that contradict it are an error.

    References
    ----------
    .. [1] Swanson, Granger (1997). Impulse Response Functions Based on a Causal
       Approach to Residual Orthogonalization in Vector Autoregressions. JASA 92.
    .. [2] Silander, Myllymäki (2006). A Simple Approach for Finding the Globally
       Optimal Bayesian Network Structure. UAI.

    Examples
    --------
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.graph import StructuralVAR
    >>> drives = [[0.0, 0.0, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    >>> world = make_mmm_panel(12, 60, n_media=3, graph=drives, random_state=0)
    >>> graph = StructuralVAR(
    ...     media=world.media, region="region", time="week", n_bootstraps=5,
    ...     random_state=0,
    ... ).fit(world.X)
    >>> graph.channel_graph().edges[["parent", "child"]].to_numpy().tolist()
    [['media_1', 'media_3']]
    """

    def _find(self):
        return search


class NOTEARS(_GraphEstimator):
    """Channel graph by continuous optimisation: DYNOTEARS with the same adjustments.

    A smooth function says how cyclic the weights within a period are, and least squares
    with an L1 penalty are minimised while it is driven to zero [1]_ [2]_. Scales,
    adjustments, resamples and verdicts are those of `StructuralVAR`; the search alone
    is another one. For comparison: where the graph is known it is wrong about more
    pairs (scorecard, ``benchmarks/results/graph.csv``).

    Parameters
    ----------
    media, controls, region, time, forbidden_edges, required_edges, tiers
        As in `StructuralVAR`.
    min_edge_effect : float in (0, 1), default=0.0075
        Has no part in the search, but in what counts as hidden demand and as "no edge".
    max_lag, n_bootstraps, n_harmonics, periods_per_year
        As in `StructuralVAR`.
    lambda1 : float or None, default=None
        L1 penalty per weight, with features of unit variance. None: 0.05, or 1.5
        standard errors of a correlation where rows are so few that this is more.
    threshold : float, default=0.03
        Weights that are not larger are no edges, with features of unit variance.
    random_state : int, RandomState instance or None, default=None
        As in `StructuralVAR`.

    Attributes
    ----------
    causal_graph_, media_, n_features_in_, feature_names_in_
        As in `StructuralVAR`.

    See Also
    --------
    StructuralVAR : The default.

    References
    ----------
    .. [1] Pamfil et al. (2020). DYNOTEARS: Structure Learning from Time-Series Data.
       AISTATS. arXiv 2002.00498.
    .. [2] Zheng et al. (2018). DAGs with NO TEARS: Continuous Optimization for
       Structure Learning. NeurIPS. arXiv 1803.01422.

    Examples
    --------
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.graph import NOTEARS
    >>> world = make_mmm_panel(12, 60, n_media=3, random_state=0)
    >>> graph = NOTEARS(
    ...     media=world.media, region="region", time="week", n_bootstraps=2,
    ...     random_state=0,
    ... ).fit(world.X)
    >>> graph.causal_graph_.shape
    (3, 3)
    """

    _parameter_constraints = {
        **_GraphEstimator._parameter_constraints,
        "lambda1": [Interval(Real, 0, None, closed="left"), None],
        "threshold": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        media: Columns = None,
        controls: Columns = None,
        region: Column | None = None,
        time: Column | None = None,
        forbidden_edges: Edges = None,
        required_edges: Edges = None,
        tiers: Tiers = None,
        min_edge_effect: float = 0.0075,
        max_lag: int = 2,
        n_bootstraps: int = 20,
        n_harmonics: int | None = None,
        periods_per_year: float | None = None,
        lambda1: float | None = None,
        threshold: float = THRESHOLD,
        random_state: Seed = None,
    ) -> None:
        super().__init__(
            media=media,
            controls=controls,
            region=region,
            time=time,
            forbidden_edges=forbidden_edges,
            required_edges=required_edges,
            tiers=tiers,
            min_edge_effect=min_edge_effect,
            max_lag=max_lag,
            n_bootstraps=n_bootstraps,
            n_harmonics=n_harmonics,
            periods_per_year=periods_per_year,
            random_state=random_state,
        )
        self.lambda1 = lambda1
        self.threshold = threshold

    def _find(self):
        return partial(search_notears, penalty=self.lambda1, threshold=self.threshold)
