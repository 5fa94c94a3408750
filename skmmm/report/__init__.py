"""One self-contained web page about a fitted model, for people who do not code."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmmm._regressor import DeepCausalMMMRegressor
from skmmm._storage.files import replacing
from skmmm._unwrapping import rows_of, unwrap
from skmmm._utils.labels import counted, shown
from skmmm._utils.typing import Table
from skmmm.inspection._compare import compare_models, refits_needed
from skmmm.inspection._intervals import tail_probability
from skmmm.report._content import CHANGE, read_content
from skmmm.report._page import make_page

__all__ = ["make_report"]


def make_report(
    estimator: BaseEstimator,
    X: Table,
    y: npt.ArrayLike,
    path: str | PathLike[str],
    *,
    X_test: Table | None = None,
    y_test: npt.ArrayLike | None = None,
    skill: pd.DataFrame | None = None,
    previous: BaseEstimator | pd.DataFrame | None = None,
    title: str | None = None,
    confidence_level: float = 0.9,
    callback: Callable[[str], object] | None = None,
) -> Path:
    """Write a report of a fitted model as one HTML file.

    The file opens in any browser, needs no network and sends nothing. Its charts are
    interactive: a region can be chosen, a channel, and a total budget, for each of
    which the best plan has been computed: for the coming quarter (13 weeks, 3 months,
    91 days, 65 business days, 6 periods of two weeks, 3 of four weeks, or 13 integers),
    or as many periods as there are in the training data. Text and tables are there
    without JavaScript, too.

    Parameters
    ----------
    estimator : DeepCausalMMMRegressor
        Fitted, with a `time` column. Also a search over such models, of which it takes
        the best, and a pipeline that ends with one, if its other steps leave the media
        columns of X as they are.
    X : DataFrame or array-like of shape (n_rows, n_columns)
        Rows to report on, in general those of training. Contributions, returns, curves
        and plans are about these rows.
    y : array-like of shape (n_rows,)
        Their KPI. The name of a Series names it in the report.
    path : str or path-like
        File to write; one that exists is replaced as a whole, once the new one is
        complete.
    X_test, y_test : as `X` and `y`, default=None
        Later rows, which the estimator has not seen, to show a forecast of.
    skill : DataFrame, default=None
        As returned by :func:`skmmm.metrics.rolling_skill`, the first estimator of
        which is the one reported on; a column ``origin`` may name the splits. None: the
        report says that forecasts were not compared.
    previous : DeepCausalMMMRegressor or DataFrame, default=None
        An earlier model of the same KPI, also at the end of a pipeline or search, to
        say which returns have changed since and why, by
        :func:`skmmm.inspection.compare_models`. That fits up to seven models, without
        draws and graph; a table that it has returned costs nothing.
    title : str, default=None
        None: "Marketing mix report" and the KPI.
    confidence_level : float in (0, 1), default=0.9
        Of all intervals.
    callback : callable, default=None
        Called with the name of each step when it begins.

    Returns
    -------
    path : Path
        Where the report is.

    Raises
    ------
    ImportError
        If plotly, which draws the charts, is not installed.
    TypeError
        If `estimator` or `previous` is no DeepCausalMMMRegressor, nor ends with one.
    ValueError
        If the estimator has no `time` column or no media, a step before it changes
        media, the holdout does not come after X, or `previous` cannot be compared.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import tempfile
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.report import make_report
    >>> world = make_mmm_panel(1, 104, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, controls=world.controls, time="week", region="region",
    ...     n_draws=8, random_state=0,
    ... ).fit(world.X, world.y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = make_report(model, world.X, world.y, f"{folder}/report.html")
    ...     path.stat().st_size < 8e6
    True
    """
    X, inside = rows_of(X), unwrap(estimator)
    _check(inside.model)
    _check_media(inside, X)
    tail_probability(confidence_level)
    plotly = _plotly()
    tell = callback or (lambda step: None)
    changes = _changes(previous, inside.model, confidence_level, tell)
    content = read_content(
        inside.model,
        inside.rows(X),
        y,
        None if X_test is None else inside.rows(X_test),
        y_test,
        skill=skill,
        level=confidence_level,
        tell=tell,
        changes=changes,
    )
    page = make_page(content, title=title, plotly=plotly)
    path = Path(path)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return path


def _check_media(inside, X):
    """Raise if the steps before a model change what is spent."""
    for name in inside.model.media_ if inside.steps else ():
        scale = inside.media_scale(X, [name])
        if scale is None or scale[0] != 1.0:
            raise ValueError(
                f"A report is about spend as it is in X, but the steps before the "
                f"model change the media column {name!r}. Leave media out of these "
                "steps, or report on pipeline[-1] with X=pipeline[:-1].transform(X), "
                "if the result still is spend."
            )


def _changes(previous, model, level, tell):
    """Return how returns have changed since an earlier model; None without one."""
    if previous is None:
        return None
    if isinstance(previous, pd.DataFrame):
        lacking = [name for name in CHANGE if name not in previous]
        if lacking:
            raise ValueError(
                f"previous is a table without the columns {lacking}. Pass the earlier "
                "model, or what compare_models has returned."
            )
        return previous
    earlier = unwrap(previous).model
    if not isinstance(earlier, DeepCausalMMMRegressor):
        raise TypeError(
            "previous must be a fitted DeepCausalMMMRegressor or what compare_models "
            f"has returned, got {shown(previous)}. A file of a model is read by "
            "DeepCausalMMMRegressor.load."
        )
    n_fits = refits_needed(earlier, model)
    fits = f", {counted(n_fits, 'fit')}" if n_fits else ""
    tell(f"comparison with the earlier model{fits}")
    return compare_models(earlier, model, confidence_level=level)


def _check(estimator):
    if not isinstance(estimator, DeepCausalMMMRegressor):
        raise TypeError(
            f"A report needs a DeepCausalMMMRegressor, got {type(estimator).__name__}. "
            "Of other estimators skmmm.inspection and skmmm.allocation tell what they "
            "can."
        )
    check_is_fitted(estimator)
    if estimator._columns.time is None:
        raise ValueError(
            "A report shows the KPI over time, so it needs an estimator with a time "
            "column; this one has time=None."
        )
    if not estimator.media_:
        raise ValueError("A report is about channels, but the model has no media.")


def _plotly():
    """Return the source of plotly.js, which the Python package brings along."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError(
            "The report needs plotly for its charts: pip install 'skmmm[report]'."
        ) from error
    return get_plotlyjs()
