"""Other ways to a channel graph, on the same footing.

A contender takes log spend, shape (n_regions, n_weeks, n_channels), and returns edges
and scores, both (n_channels, n_channels), ``[i, j]``: i drives j, in the same week or
later. A higher score is a likelier edge. All see log spend without region and week
effects (`demeaned`), except `deepcausalmmm`, which takes spend as it is.

`sortnregress` and `dynotears` need scikit-learn and skmmm only; the others the
environment of requirements-graph.txt. Settings are those of each package's own
examples except where a docstring says so. Penalty and threshold of `dagma` and
`dynotears` are those of the best average F1 over seeds 100 to 102 of gauss, hill and
localconf with 20 regions; never score them on these.
"""

import contextlib
import io

import numpy as np
from sklearn.linear_model import LassoLarsIC, LinearRegression

from skmmm.graph._notears import default_penalty, edges_of, notears_weights

WEEKS_A_YEAR = 365.25 / 7
N_HARMONICS = 3
# Lags that enter one by one; a geometric tail stands for those behind them.
N_LAGS = 2
TAIL_DECAY = 0.6
DAGMA_THRESHOLD = 0.03
DEEPCAUSALMMM_EPOCHS = 600


def demeaned(log_spend):
    """Return log spend without region and week means, each channel of unit variance.

    With one region week means are all there is; trend and three waves of a year are
    taken out instead.

    Parameters
    ----------
    log_spend : ndarray of shape (n_regions, n_weeks, n_channels)

    Returns
    -------
    panel : ndarray of the same shape
    """
    panel = log_spend - log_spend.mean(axis=1, keepdims=True)
    if len(panel) > 1:
        panel = panel - panel.mean(axis=0)
    else:
        calendar = _trend_and_season(panel.shape[1])
        coef, *_ = np.linalg.lstsq(calendar, panel[0], rcond=None)
        panel = panel - calendar @ coef
    return panel / panel.std(axis=(0, 1))


def with_past(panel):
    """Return this week's values, two lags and a geometric tail from lag three.

    Parameters
    ----------
    panel : ndarray of shape (n_regions, n_weeks, n_channels)

    Returns
    -------
    rows : ndarray of shape (n_rows, n_channels, 4)
        Weeks with a complete past, all regions stacked; mean zero, unit variance.
    """
    behind = N_LAGS + 1
    tail = np.zeros_like(panel)
    for t in range(behind, panel.shape[1]):
        tail[:, t] = TAIL_DECAY * tail[:, t - 1] + panel[:, t - behind]
    n_weeks = panel.shape[1] - behind
    past = [panel[:, behind - lag :][:, :n_weeks] for lag in range(behind)]
    rows = np.stack([*past, tail[:, behind:]], axis=-1)
    rows = rows.reshape(-1, *rows.shape[2:])
    rows = rows - rows.mean(axis=0)
    return rows / rows.std(axis=0)


def sortnregress(log_spend):
    """R2-SortnRegress (Reisach et al. 2023): what sorting by R² alone gives.

    Channels ordered by how well all others explain them, each regressed on those
    before it by an adaptive lasso with BIC. No lags. A floor: what it finds, the
    simulation gives away.
    """
    rows = np.vstack(demeaned(log_spend))
    r2 = 1 - 1 / np.diag(np.linalg.inv(np.corrcoef(rows.T)))
    order = np.argsort(r2)
    weights = np.zeros((len(order), len(order)))
    for k in range(1, len(order)):
        weights[order[:k], order[k]] = _adaptive_lasso(
            rows[:, order[:k]], rows[:, order[k]]
        )
    return weights != 0, np.abs(weights)


def pcmci_plus(log_spend):
    """PCMCI+ (Runge 2020) with partial correlations, each region a data set of its own.

    A same-week link without direction counts as an edge both ways.
    """
    from tigramite.data_processing import DataFrame
    from tigramite.independence_tests.parcorr import ParCorr
    from tigramite.pcmci import PCMCI

    panel = demeaned(log_spend)
    if len(panel) > 1:
        data = DataFrame(panel, analysis_mode="multiple")
    else:
        data = DataFrame(panel[0])
    found = PCMCI(data, ParCorr(), verbosity=0).run_pcmciplus(
        tau_min=0, tau_max=3, pc_alpha=0.01
    )
    graph = found["graph"]  # (M, M, lags)
    linked = np.isin(graph, ["-->", "o-o", "x-x"])
    strength = np.abs(found["val_matrix"]) * (graph != "<--")
    return _without_own(linked.any(axis=2)), strength.max(axis=2)


def varlingam(log_spend):
    """VAR-LiNGAM (Hyvärinen et al. 2010) with two lags, regions pooled.

    The package takes one series only. So its three steps are done here on the rows of
    all regions, none across a border: least squares for the VAR, the package's
    DirectLiNGAM on its residuals, the package's adaptive lasso for each channel on
    those before it this week and on all lags.
    """
    from lingam import DirectLiNGAM
    from lingam.utils import predict_adaptive_lasso

    rows = with_past(demeaned(log_spend))[:, :, : N_LAGS + 1]
    n_channels = rows.shape[1]
    now, past = rows[:, :, 0], rows[:, :, 1:].reshape(len(rows), -1)
    coef, *_ = np.linalg.lstsq(past, now, rcond=None)
    order = np.array(DirectLiNGAM(random_state=0).fit(now - past @ coef).causal_order_)
    weights = np.zeros((n_channels, n_channels))
    for k, j in enumerate(order):
        columns = np.column_stack([now[:, order[:k]], past, now[:, j]])
        found = np.abs(
            predict_adaptive_lasso(
                columns, np.arange(columns.shape[1] - 1), columns.shape[1] - 1
            )
        )
        weights[:, j] = found[k:].reshape(n_channels, N_LAGS).max(axis=1)
        weights[order[:k], j] = np.maximum(weights[order[:k], j], found[:k])
    weights = _without_own(weights)
    return weights != 0, weights


def dagma(log_spend):
    """DAGMA (Bello et al. 2022), linear, its past as columns nothing may point to.

    At the package's own penalty (.03) and threshold (.3) next to nothing is left of
    standardised channels; the penalty is that of `dynotears`.
    """
    from dagma.linear import DagmaLinear

    rows = with_past(demeaned(log_spend))
    n_channels, width = rows.shape[1:]
    columns = rows.transpose(0, 2, 1).reshape(len(rows), -1)  # this week's come first
    n_columns = width * n_channels
    into_past = tuple(
        (i, j) for i in range(n_columns) for j in range(n_channels, n_columns)
    )
    with contextlib.redirect_stderr(io.StringIO()):
        weights = DagmaLinear("l2").fit(
            columns,
            lambda1=default_penalty(len(rows)),
            w_threshold=0.0,
            exclude_edges=into_past,
        )
    weights = weights[:, :n_channels].reshape(width, n_channels, n_channels)
    scores = _without_own(np.abs(weights).max(axis=0))
    return scores > DAGMA_THRESHOLD, scores


def dynotears(log_spend):
    """DYNOTEARS (Pamfil et al. 2020) as restated in skmmm."""
    rows = with_past(demeaned(log_spend))
    n_channels, width = rows.shape[1:]
    columns = rows.reshape(len(rows), -1)
    position = np.arange(columns.shape[1]).reshape(n_channels, width)
    problem = columns.T @ columns, len(rows), position[:, 0], position[:, 1:], []
    allowed = np.ones((n_channels, n_channels), dtype=bool)
    now, later = notears_weights(*problem, allowed=allowed)
    scores = np.maximum(np.abs(now), np.abs(later).max(axis=2))
    same, late = edges_of(now, later)
    return same | late, scores


def deepcausalmmm(log_spend):
    """DeepCausalMMM (Puttaparthi Tirumala 2026): what it learns on the way to sales.

    It needs a KPI: one is made from all channels' log spend with equal weights and as
    much noise. Default configuration, in its NOTEARS mode (the default mask lets a
    channel drive later columns only), trained for 600 epochs instead of 1500; 12 % of
    weeks are held out. Edges are the 15 that the package's own picture would show; at
    its pruning threshold of .3 there are often none.
    """
    import logging

    import torch
    from deepcausalmmm.core import get_default_config
    from deepcausalmmm.core.data import UnifiedDataPipeline
    from deepcausalmmm.core.trainer import ModelTrainer

    logging.getLogger("deepcausalmmm").setLevel(logging.WARNING)
    media, controls, kpi = _with_kpi(log_spend)
    config = get_default_config()
    config |= {"dag_mode": "notears", "n_epochs": DEEPCAUSALMMM_EPOCHS}
    torch.manual_seed(config["random_seed"])
    pipeline = UnifiedDataPipeline(config)
    training, holdout = pipeline.temporal_split(media, controls, kpi)
    training = pipeline.fit_and_transform_training(training)
    holdout = pipeline.transform_holdout(holdout)
    trainer = ModelTrainer(config)
    model = trainer.create_model(
        n_media=media.shape[2], n_control=1, n_regions=len(media)
    )
    trainer.create_optimizer_and_scheduler()
    parts = "X_media", "X_control", "R", "y"
    trainer.train(
        *(training[part] for part in parts),
        *(holdout[part] for part in parts),
        pipeline=pipeline,
        verbose=False,
    )
    scores = _without_own(model.get_dag_adjacency_matrix().detach().numpy())
    shown = config["visualization"]
    least = max(
        np.sort(scores, axis=None)[-shown["dag_top_n_edges"] :].min(),
        shown["correlation_threshold"],
    )
    return scores >= least, scores


CONTENDERS = {
    function.__name__: function
    for function in (
        sortnregress,
        pcmci_plus,
        varlingam,
        dagma,
        dynotears,
        deepcausalmmm,
    )
}


def _trend_and_season(n_weeks):
    week = np.arange(n_weeks)
    angle = 2 * np.pi * week[:, None] / WEEKS_A_YEAR * np.arange(1, N_HARMONICS + 1)
    trend = week / n_weeks
    return np.column_stack([np.ones(n_weeks), trend, np.sin(angle), np.cos(angle)])


def _adaptive_lasso(inputs, output):
    size = np.abs(LinearRegression().fit(inputs, output).coef_)
    return LassoLarsIC(criterion="bic").fit(inputs * size, output).coef_ * size


def _without_own(matrix):
    matrix = matrix.copy()
    np.fill_diagonal(matrix, 0)
    return matrix


def _with_kpi(log_spend):
    """Return media, a control that is noise (it wants one) and a KPI, in float32."""
    rng = np.random.default_rng(0)
    effect = log_spend.sum(axis=2)
    noise = effect.std(axis=1, keepdims=True) * rng.standard_normal(effect.shape)
    kpi = effect + noise
    kpi = kpi - kpi.min() + kpi.std()
    controls = rng.standard_normal((*kpi.shape, 1))
    return [values.astype(np.float32) for values in (np.exp(log_spend), controls, kpi)]
