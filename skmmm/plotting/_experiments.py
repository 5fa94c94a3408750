"""Experiments: what each measured, what the model said before and says now."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmmm._unwrapping import bare
from skmmm._utils.typing import Array
from skmmm.plotting._style import (
    BLUE,
    INK,
    OTHERS,
    SMALL,
    VERMILLION,
    WIDTH,
    AxesOrNone,
    Display,
    add_title,
    display,
    name_rows,
    row_height,
    tidy_rows,
)

_NONE = "The model was fitted without experiments."
_REACH = 1.645  # of a 90 % interval, in standard deviations
# What stands beside each other: columns of value and sd, label, color.
SHOWN = {
    "measured": ("estimate", "std_error", "experiment", INK),
    "before": ("before", "before_sd", "rows alone", OTHERS),
    "after": ("after", "after_sd", "rows and experiments", BLUE),
}
_APART = 0.22  # distance of the bars of one experiment


@display
class ExperimentsDisplay(Display):
    """Experiments: measurements with 90 % intervals beside the model's, relatively.

    Values of one experiment are shown by the size of its estimate, so that tests of
    different measures and sizes stand on one axis: 1 is what was measured.

    Parameters
    ----------
    experiments : DataFrame
        As the attribute `experiments_` of a fitted model.

    Attributes
    ----------
    containers_ : dict of str to ErrorbarContainer
        By "measured", "before" and "after"; empty without experiments.

    See Also
    --------
    ReturnsDisplay : What channels return, experiments included.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import ExperimentsDisplay
    >>> experiments = pd.DataFrame({
    ...     "media": ["tv", "search"], "start": ["2023-01-02", "2023-03-06"],
    ...     "estimate": [120.0, -40.0], "std_error": [20.0, 8.0],
    ...     "before": [180.0, -90.0], "before_sd": [60.0, 15.0],
    ...     "after": [126.0, -52.0], "after_sd": [19.0, 7.0],
    ...     "conflict": [False, True],
    ... })
    >>> display = ExperimentsDisplay(experiments=experiments).plot()
    >>> list(display.containers_)
    ['measured', 'before', 'after']
    """

    experiments: pd.DataFrame

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: AxesOrNone = None) -> Self:
        """Plot the experiments that a model was fitted with.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted.
        """
        check_is_fitted(bare(estimator))
        experiments = bare(estimator).experiments_
        if experiments is None:
            experiments = pd.DataFrame()
        return cls(experiments=experiments).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, max(1.6, row_height(len(self.experiments))))

    def _draw(self, ax):
        self.containers_ = {}
        if not len(self.experiments):
            ax.set_axis_off()
            place = {"ha": "center", "va": "center", "fontsize": SMALL}
            ax.text(0.5, 0.5, _NONE, transform=ax.transAxes, **place)
            add_title(ax, "Experiments")
            return
        table = self.experiments.iloc[::-1]
        size = size_of(table)
        for i, (name, (middle, sd, label, color)) in enumerate(SHOWN.items()):
            self.containers_[name] = ax.errorbar(
                table[middle] / size,
                np.arange(len(table)) + (1 - i) * _APART,
                xerr=_REACH * table[sd].fillna(0.0) / np.abs(size),
                fmt="o",
                markersize=4,
                color=color,
                label=label,
            )
        ax.axvline(1.0, color=INK, linewidth=0.8, linestyle="--")
        name_rows(ax, names_of(table), width=32)
        for text, conflict in zip(ax.get_yticklabels(), table["conflict"], strict=True):
            if conflict:
                text.set_color(VERMILLION)
        tidy_rows(ax)
        ax.set_xlabel("by what the experiment measured", fontsize=SMALL)
        add_title(ax, "Experiments", list(self.containers_.values()))


def size_of(experiments: pd.DataFrame) -> Array:
    """Return by what values are shown: estimates, errors where these are zero."""
    size = experiments["estimate"].to_numpy()
    return np.where(size == 0.0, experiments["std_error"], size)


def names_of(experiments: pd.DataFrame) -> list[str]:
    """Return what was tested when, and where it contradicts the rows."""
    return [
        f"{row.media}, {str(row.start)[:10]}{' (conflict)' if row.conflict else ''}"
        for row in experiments.itertuples()
    ]
