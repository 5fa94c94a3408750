"""DeepCausalMMMRegressor: the outcome model behind scikit-learn's interface."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from typing import Any, Literal, Self

import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone

from skmmm._data.faults import (
    kpi_outliers,
    stuck_cells,
    without,
)
from skmmm._estimator.defaults import ADSTOCK, MAX_ITER, MAX_LAG, N_DRAWS
from skmmm._estimator.designs import DesignsMixin
from skmmm._estimator.parts import ModelPartsMixin
from skmmm._estimator.questions import QuestionsMixin
from skmmm._estimator.ranks import fitted_on_ranks
from skmmm._estimator.reading import ReadingMixin
from skmmm._estimator.refitting import RefitMixin
from skmmm._estimator.refreshing import RefreshMixin
from skmmm._estimator.saving import SavingMixin
from skmmm._estimator.simulation import SimulationMixin
from skmmm._estimator.warm_start import LastFit
from skmmm._model import ADSTOCKS, Adstock
from skmmm._unwrapping import rows_of
from skmmm._utils.callbacks import CallbackSupportMixin, with_callbacks
from skmmm._utils.sklearn import HasMethods, Interval, Options, StrOptions
from skmmm._utils.typing import Array, Column, Columns, Frame, MediaCost, Seed, Table
from skmmm.graph import NOTEARS, StructuralVAR

_COLUMNS = ["array-like", str, Integral, callable, None]


class DeepCausalMMMRegressor(
    QuestionsMixin,
    ModelPartsMixin,
    SimulationMixin,
    RefreshMixin,
    RefitMixin,
    ReadingMixin,
    SavingMixin,
    DesignsMixin,
    CallbackSupportMixin,
    RegressorMixin,
    BaseEstimator,
):
    """Marketing mix model with carry-over, saturation and a moving level.

    The KPI of region r in period t is a baseline (intercept, trend, season, a level
    that moves), plus controls, plus what each channel causes: the effect at typical
    spend times a Hill curve of adstocked spend, times a slow drift of effectiveness.
    Regions share all parameters and deviate from them as far as the data support. See
    the user guide for the equations.

    Parameters
    ----------
    media : list of str or int, str, int, callable or None, default=None
        Media columns (spend or delivery per row, not negative), by name, position or
        a callable that takes the frame. None: every column not named otherwise. An
        empty list: a model without media.
    controls : list of str or int, str, int, callable or None, default=None
        Columns that move the KPI but are no media: price, promotion, weather.
    region : str, int or None, default=None
        Column with the region (geo). None: one series.
    time : str, int or None, default=None
        Column with the period: datetimes, Periods, ISO strings or integers; weeks,
        days, months and other lengths are inferred. None: rows have no order, and there
        is no carry-over, season, trend, level or GRU.
    population : str, int or None, default=None
        Column with the size of the region, the same in all its rows; used in `fit`
        alone. How far all regions are on one curve in spend per head is then learned.
        None: each region is on a scale of its own.
    max_lag : int, default=13
        Periods over which spend may act; for slow brand channels see `brand_channels`.
    adstock : {"weibull", "geometric", "delayed", "free", "gru"}, default="weibull"
        Shape of the carry-over, learned per channel and normalised to sum to one:
        Weibull density (falling from the start, or with a later peak); geometric
        decay [1]_; geometric around a later peak [1]_; any smooth lag weights; or a
        small recurrent cell over the channel's own spend that is increasing in it.
    free_sign : list of str or int, str, int, callable or None, default=None
        Media columns whose effect may be negative.
    brand_channels : list of str or int, str, int, callable or None, default=None
        Media columns with a slow stock: a share of what they cause does not arrive at
        once but fades in over months, out of a stock whose half-life is expected to be
        half a year, one for all. The share of each is learned, and shrunk to none
        (half of its prior is below .12); `brand_effects` says what came at once, what
        late, and what is still to come. See "Slow effects" in the user guide. It needs
        a time column. None: all effects are over after `max_lag` periods.
    media_share : float in (0, 1), default=0.3
        Prior median of the share of the KPI that all media together cause, before the
        data speak. It is lowered where errors show that regions move in groups.
    media_cost : float, mapping or None, default=None
        Cost of one unit of the media columns: 1 if they are money, the cost of one
        impression if they are impressions, or a mapping from columns (names or
        positions) to costs. Where the money stands in a column of X of its own beside
        delivery (GRPs, impressions), a text in the mapping is its name,
        ``{"tv_grps": "tv_spend"}``: a unit then costs total money / total delivery over
        the training rows. `channel_summary`, ``roi`` and the report divide by the money
        of the rows they are asked about; marginal returns, curves and plans count at
        that mean price, and so do rows of which X has no such column. Such a column has
        no other role. Columns with a cost are expected to earn the same return
        on it, give or take a spread that is learned; the others to have the same
        effect, more widely. None: no column is taken for money.
    frequency : mapping or None, default=None
        Columns with the average frequency of channels, by name or position:
        ``{"video": "video_frequency"}``. The media column then holds reach (people, or
        a share of them, each counted once in a period), the other one impressions /
        reach, at least 1 where somebody was reached; it is not read where nobody was,
        and has no other role. Effects are linear in reach, and a Hill curve of
        frequency [6]_, half of which is expected at .1 + LogNormal(.7, .4) exposures
        with a slope of LogNormal(.7, .4): see "Reach and frequency" in the user guide.
        Not with ``adstock="gru"``. None: all columns saturate by themselves.
    synergies : list of pairs of str or int, or None, default=None
        Media columns that may cause more, or less, together than each by itself:
        ``[("tv", "search")]``, by name or position. A pair whose channels cause e and f
        adds ``theta * e * f / (e + f)`` in each region and period: beside a far larger
        partner a channel works ``1 + theta`` times as well as alone. That factor is
        LogNormal(0, 0.5) before the data speak, one for all regions; of a channel in n
        pairs, theta is as much less. What a pair adds is shared by both, half each;
        `synergy_summary` tells it. Not for channels in `free_sign`, with a ``"roi"`` in
        `priors`, or a KPI that is negative nearly throughout, and not together with
        `brand_channels`. None: effects add up.
    priors : mapping or None, default=None
        What is known of channels, by name or position: ``{column: {quantity: (low,
        high)}}``, 90 % intervals before seeing the data. Quantities are ``"roi"`` (KPI
        units per unit of money, or of X without a cost, over all training rows: the
        one that `channel_summary` reports), ``"decay"`` (of geometric carry-over, or of
        the Weibull density of shape one) and ``"half_saturation"`` (adstocked spend per
        row, units of X; exposures for channels in `frequency`). The effect of a
        channel with ``"roi"`` is positive and not pooled.
    experiments : DataFrame (pandas or Polars), path of a CSV file or None, default=None
        Lift tests, a row each: ``media``, ``start``, ``end``, ``estimate``,
        ``std_error``, what was changed (``change``, ``spend_change``), and more: see
        "Experiments" in the user guide. They join the rows in the likelihood.
    n_harmonics : int, default=3
        Harmonics of the yearly season; the k-th is expected to fall with ``k ** -2``.
        Daily data get three harmonics of the week as well, business days two.
    periods_per_year : float or None, default=None
        Length of the season, in periods. None: read from the dates; integers are
        taken as weeks.
    n_hidden : int, default=4
        Units of the GRU that reads calendar and controls, and moves baseline and
        effectiveness. Its weights are drawn, what is read out of it is learned. 0: no
        GRU.
    time_varying : bool, default=True
        Whether the GRU may move the effectiveness of channels. How far is learned,
        and shrunk to constant effectiveness unless the data say otherwise.
    loss : {"huber", "student_t"}, default="huber"
        Density of one period's error: Huber's [2]_ or Student's t.
    huber_delta : float, default=1.345
        Where Huber's density turns from Gaussian to exponential, in noise scales.
    degrees_of_freedom : float, default=4.0
        Of Student's t.
    n_draws : int, default=64
        Draws from the posterior, learned spreads included, for intervals. 0: point fit
        only.
    max_iter : int, default=400
        Iterations of L-BFGS at most, over rounds of 15; a ConvergenceWarning says if
        they did not suffice. From 256 regions on, half of them are for samples.
    tol : float, default=1e-8
        A round of training ends when the loss per row falls by less in one iteration,
        relative to its size.
    graph : {"svar", "notears"}, estimator or None, default="svar"
        How to find which channel drives which: :class:`~skmmm.graph.StructuralVAR` or
        :class:`~skmmm.graph.NOTEARS` with its defaults, or an instance of either, whose
        settings are then reached as ``graph__tiers`` and so on. None, and models
        without a time column: no graph.
    gap : {"error", "mask"}, default="error"
        What to do if periods between the training data and X are missing in all
        regions: refuse, or leave them out of the carry-over. A period that only some
        regions miss is always left out: its lags are dropped and the weights of the
        others rescaled.
    unseen_region : {"error", "average"}, default="error"
        Whether `predict` refuses regions without training rows, or takes them as
        average regions of average size. Their slow stocks (`brand_channels`) hold at
        their first row what usual spend would have left, as part of the baseline.
    effect_drift : float in [0, 1), default=0.0
        By how much effects may change per period after training, as the standard
        deviation of a random walk of the log effect of each channel: 0.05 is 18 % in a
        quarter of weeks, 36 % in a year. Rows that `partial_fit` takes in say where
        effects went, and ask about late rows, ``channel_summary(X[late])``, for what
        they came to; verdicts are of that: the larger, the sooner a change is seen, and
        the fewer channels stay data-driven. Forecasts and plans take effects as they
        are after the last row. It needs a time column.
    verbose : int, default=0
        Prints the loss every ``50 // verbose`` iterations. scikit-learn 1.9 callbacks
        (``set_callbacks(ProgressBar())``) are supported too.
    warm_start : bool, default=False
        Whether `fit` starts training where the last fit of this estimator ended, if
        there was one, with the same channels and controls. Regions that are new, and
        parameters that other settings bring, start as ever. It saves iterations of
        training, not draws, which take most of the time of a fit; results are near to
        those of a cold start, not the same. Clones start cold, so those that
        `GroupedRegressor`, searches and cross-validation fit do. For rows of new
        periods see `partial_fit`.
    random_state : int, RandomState instance or None, default=None
        Weights of the GRU and draws. Pass an int for the same result every time.

    Attributes
    ----------
    carryover_ : ndarray of shape (n_media, max_lag + 1)
        Share of the effect at each lag, without what goes into a slow stock; only lag 0
        if rows have no order.
    carryover_share_ : ndarray of shape (n_media,)
        What comes at later lags (the decay rate, up to truncation, if geometric),
        without what goes into a slow stock.
    half_saturation_ : ndarray of shape (n_media,)
        Adstocked spend per row at which half of the maximum effect is reached, in the
        units of X, averaged over regions; exposures for channels in `frequency`.
    slope_ : ndarray of shape (n_media,)
        Slope of the Hill curve; above 1 it is S-shaped.
    per_head_exponent_ : float or None
        0: regions saturate on scales of their own, 1: on one curve in spend per head.
        None without a `population`, or with one region.
    coef_ : ndarray of shape (n_media,)
        Effect at full saturation (for channels in `frequency`, of typical reach at full
        saturation by frequency), in KPI units per row, averaged over regions.
    control_coef_ : ndarray of shape (n_controls,)
        KPI units per unit of the control, averaged over regions.
    causal_graph_ : ndarray of shape (n_media, n_media)
        ``[i, j]``: how i drives j over all lags, in standard deviations of each; zero
        without an edge, or a graph. Rows and columns are those of `media_`. With names:
        ``channel_graph().weights``, beside probabilities and verdicts.
    media_, controls_ : list
        Columns, in the order of X and of the arrays above.
    media_cost_ : dict
        Cost of one unit of each media column whose cost is known; the mean over the
        training rows where a column of X holds the money.
    regions_ : ndarray of shape (n_regions,)
    period_ : str or None
        Length of a period: "day", "business day", "week", "two weeks", "four weeks",
        "month", "retail month", "quarter" or "integer".
    n_iter_ : int
    loss_curve_ : ndarray of shape (`n_iter_`,)
        Negative log posterior per row after each iteration.
    remarks_ : list of str
        Problems found in the training rows, as in the warnings of `fit`.
    experiments_ : DataFrame of shape (n_experiments, 15) or None
        What each experiment measured, what the model said before and says now.
    sampling_diagnostics_ : DataFrame of shape (n_media + 1, 8) or None
        How far draws can be trusted, by channel and of the log posterior: ``r_hat``
        [4]_, ``nested_r_hat`` [5]_, ``drift`` (posterior sds), ``ess_bulk`` and so on;
        see "Uncertainty" in the user guide. None without draws.
    n_features_in_ : int
        Columns of X in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if the columns of X have names.

    See Also
    --------
    skmmm.baselines.make_linear_mmm : The linear model for the same X and y.
    skmmm.graph.StructuralVAR : The channel graph alone.

    References
    ----------
    .. [1] Jin, Wang, Sun, Chan, Koehler (2017). Bayesian Methods for Media Mix
       Modeling with Carryover and Shape Effects. Google Research.
    .. [2] Huber (1964). Robust Estimation of a Location Parameter. Annals of
       Mathematical Statistics 35.
    .. [3] DeepCausalMMM (2025). arXiv 2510.13087.
    .. [4] Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021). Rank-normalization,
       folding, and localization: an improved R-hat. Bayesian Analysis 16.
    .. [5] Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari, Gelman (2024). Nested
       R-hat: assessing the convergence of Markov chain Monte Carlo when running many
       short chains. Bayesian Analysis.
    .. [6] Zhang, Wurm, Wakim, Li, Liu (2023). Bayesian Hierarchical Media Mix Model
       Incorporating Reach and Frequency Data. Google Research.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> world = make_mmm_panel(1, 104, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, controls=world.controls, time="week", region="region",
    ...     n_draws=8, random_state=0,
    ... ).fit(world.X, world.y)
    >>> model.predict(world.X).shape
    (104,)
    >>> list(model.contributions().columns)
    ['baseline', 'media_1', 'media_2', 'price', 'holiday']
    """

    _parameter_constraints = {
        "media": _COLUMNS,
        "controls": _COLUMNS,
        "region": [str, Integral, None],
        "time": [str, Integral, None],
        "population": [str, Integral, None],
        "max_lag": [Interval(Integral, 0, None, closed="left")],
        "adstock": [StrOptions(set(ADSTOCKS))],
        "free_sign": _COLUMNS,
        "brand_channels": _COLUMNS,
        "media_share": [Interval(Real, 0, 1, closed="neither")],
        "media_cost": [Interval(Real, 0, None, closed="neither"), Mapping, None],
        "frequency": [Mapping, None],
        "synergies": ["array-like", None],
        "priors": [Mapping, None],
        "experiments": [pd.DataFrame, HasMethods("iter_rows"), str, PathLike, None],
        "n_harmonics": [Interval(Integral, 0, None, closed="left")],
        "periods_per_year": [Interval(Real, 1, None, closed="neither"), None],
        "n_hidden": [Interval(Integral, 0, None, closed="left")],
        "time_varying": ["boolean"],
        "loss": [StrOptions({"huber", "student_t"})],
        "huber_delta": [Interval(Real, 0, None, closed="neither")],
        "degrees_of_freedom": [Interval(Real, 0, None, closed="neither")],
        "n_draws": [
            Options(Integral, {0}),
            Interval(Integral, 2, None, closed="left"),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "graph": [StrOptions({"svar", "notears"}), StructuralVAR, NOTEARS, None],
        "gap": [StrOptions({"error", "mask"})],
        "unseen_region": [StrOptions({"error", "average"})],
        "effect_drift": [Interval(Real, 0, 1, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        media: Columns = None,
        controls: Columns = None,
        region: Column | None = None,
        time: Column | None = None,
        population: Column | None = None,
        max_lag: int = MAX_LAG,
        adstock: Adstock = ADSTOCK,
        free_sign: Columns = None,
        brand_channels: Columns = None,
        media_share: float = 0.3,
        media_cost: MediaCost = None,
        frequency: Mapping[Any, Column] | None = None,
        synergies: Sequence[Sequence[Column]] | None = None,
        priors: Mapping[Any, Any] | None = None,
        experiments: Frame | str | PathLike[str] | None = None,
        n_harmonics: int = 3,
        periods_per_year: float | None = None,
        n_hidden: int = 4,
        time_varying: bool = True,
        loss: Literal["huber", "student_t"] = "huber",
        huber_delta: float = 1.345,
        degrees_of_freedom: float = 4.0,
        n_draws: int = N_DRAWS,
        max_iter: int = MAX_ITER,
        tol: float = 1e-8,
        graph: Literal["svar", "notears"] | StructuralVAR | NOTEARS | None = "svar",
        gap: Literal["error", "mask"] = "error",
        unseen_region: Literal["error", "average"] = "error",
        effect_drift: float = 0.0,
        verbose: bool | int = 0,
        warm_start: bool = False,
        random_state: Seed = None,
    ) -> None:
        self.media = media
        self.controls = controls
        self.region = region
        self.time = time
        self.population = population
        self.max_lag = max_lag
        self.adstock = adstock
        self.free_sign = free_sign
        self.brand_channels = brand_channels
        self.media_share = media_share
        self.media_cost = media_cost
        self.frequency = frequency
        self.synergies = synergies
        self.priors = priors
        self.experiments = experiments
        self.n_harmonics = n_harmonics
        self.periods_per_year = periods_per_year
        self.n_hidden = n_hidden
        self.time_varying = time_varying
        self.loss = loss
        self.huber_delta = huber_delta
        self.degrees_of_freedom = degrees_of_freedom
        self.n_draws = n_draws
        self.max_iter = max_iter
        self.tol = tol
        self.graph = graph
        self.gap = gap
        self.unseen_region = unseen_region
        self.effect_drift = effect_drift
        self.verbose = verbose
        self.warm_start = warm_start
        self.random_state = random_state

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the model, and of an instance in `graph`.

        Parameters
        ----------
        **params
            By name; ``graph__tiers`` is the parameter `tiers` of the instance.

        Returns
        -------
        self : DeepCausalMMMRegressor

        Raises
        ------
        ValueError
            If there is no such parameter, or `graph` is no instance that has it.
        """
        graph = params.get("graph", self.graph)
        of_graph = [name for name in params if name.startswith("graph__")]
        if of_graph and not hasattr(graph, "set_params"):
            raise ValueError(
                f"{of_graph[0]} is a parameter of an instance, but graph={graph!r}. "
                "Set graph to one first: graph=skmmm.graph.StructuralVAR()."
            )
        return super().set_params(**params)

    def fit(
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            One row per region and period, in any order.
        y : array-like of shape (n_rows,)
            KPI. Region-periods that were not observed are left out of X and y.
        sample_weight : array-like of shape (n_rows,), default=None
            With a time column, the precision of each row's KPI relative to the other
            rows: its noise has the variance of its region over its weight. Only ratios
            of weights matter; equal weights change nothing. Without a time column a row
            of weight k counts as k rows. A row of weight zero counts as not observed,
            but carries its media into later periods.

        Warns
        -----
        UserWarning
            Of X and y with the same index labels in another order; of
            periods that no region has, and of too few rows; of rows in which the
            KPI stands still, from which nothing is learned, of values that can hardly
            be right, of regions whose KPI is negative; of a KPI of small counts, with
            many zeros or at times below zero; of channels and controls from which
            nothing can be learned, and of channels whose spend rings an alarm.
        ConvergenceWarning
            If training stopped before it had settled, or draws are not yet those of
            the posterior (`sampling_diagnostics_`).

        Returns
        -------
        self : DeepCausalMMMRegressor
            The fitted estimator. A fit that raises, or is interrupted, leaves the
            estimator as it was.

        Raises
        ------
        ValueError
            If X, y or a parameter makes no sense, or with ``warm_start=True`` channels
            or controls are others than in the last fit.
        """
        fitted = fitted_on_ranks(self, self._fitted, X, y, sample_weight)
        self.__dict__ = fitted.__dict__
        return self

    def _fitted(self, X, y, sample_weight):
        """Return a fitted copy."""
        self._validate_params()
        fitted = copy.copy(self)
        fitted._fit(rows_of(X), y, sample_weight)
        return fitted

    @with_callbacks
    def _fit(self, X, y, sample_weight):
        """Set all fitted attributes."""
        before = self._last_fit()
        rows = self._read_training(X, y)
        if before is not None:
            before.check_columns(self._columns)
        population = self._read_population(rows)
        y, weight = self._read_target(rows, y, sample_weight)
        panel, frame = self._arrange_training(rows, y, weight), rows.frame
        del rows  # of whose numbers the panel has a copy
        stuck = stuck_cells(panel, self._season_length)
        learned = without(panel, stuck)
        outliers = kpi_outliers(learned, self._season_length)
        self._remark(panel, learned, stuck, outliers)
        graph = self._graph_estimator(frame)
        del frame
        from skmmm._estimator.fitting import fit_model  # torch takes seconds to import

        state, losses = fit_model(
            self, learned, stuck, outliers, population, graph, X, y, before
        )
        self.__dict__.update(state)
        self._publish(losses)

    def _last_fit(self):
        """Return what the last fit found if this one starts there, else None."""
        if not (self.warm_start and self.__sklearn_is_fitted__()):
            return None
        return LastFit(self._model.network, self._columns, self.regions_)

    def _graph_estimator(self, frame):
        """Return a copy of what estimates the graph, None without a graph."""
        if self.graph is None:
            return None
        named = {"svar": StructuralVAR, "notears": NOTEARS}
        by_name = isinstance(self.graph, str)
        graph = named[self.graph]() if by_name else clone(self.graph)
        graph._check_within(
            frame,
            self._columns,
            n_harmonics=self.n_harmonics,
            periods_per_year=self.periods_per_year,
        )
        return graph

    def _fit_graph(self, model, graph, seed):
        """Estimate the channel graph; None without one."""
        panel, media = model.history, self._columns.media
        if graph is None or self._calendar is None or len(media) < 2:
            return None
        season = model.seasons.fourier(panel)
        return graph._estimate(panel, season, media, self._labels, seed)

    def _publish(self, losses):
        """Set the public attributes."""
        self.__dict__.update(self._public_state(self._model, losses))
        self.sampling_diagnostics_ = self._sampling_table()
        self._fitted_parameters = copy.deepcopy(self.get_params(deep=False))
        if self._graph is not None:
            self.causal_graph_ = self.channel_graph().weights.to_numpy(copy=True)

    def predict(self, X: Table) -> Array:
        """Predict the KPI.

        Rows in the training window get the level that was seen there; rows after it
        continue carry-over and level from its end. Where X and the training data have
        a row for the same region and period, the media of X count.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_columns)
            A frame need not have the columns of `fit` that the model does not use.

        Returns
        -------
        y_pred : ndarray of shape (n_rows,)
            In KPI units.
        """
        _, _, panel = self._read(X)
        return self._components(panel).total[0]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_model")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # With every column a medium, no column may be negative.
        tags.input_tags.positive_only = self.media is None and self.controls is None
        # Effects are shares of the mean KPI, which in the common checks is zero.
        tags.regressor_tags.poor_score = True
        return tags
