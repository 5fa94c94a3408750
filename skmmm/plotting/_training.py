"""Whether training has settled, and how far its draws can be trusted."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmmm._unwrapping import unwrap
from skmmm._utils.labels import counted
from skmmm._utils.typing import Array
from skmmm.inspection._sampling import COLUMNS, is_untrusted, limits
from skmmm.plotting._style import (
    BLUE,
    OTHERS,
    SMALL,
    TINY,
    VERMILLION,
    WIDTH,
    AxesOrNone,
    Display,
    add_title,
    display,
    name_rows,
    row_height,
    tidy,
    tidy_rows,
    width_of,
)

# Of the diagnostics: what one panel shows, by column.
_SHOWN = {
    "nested_r_hat": "nested R-hat\n(at best 1)",
    "drift": "drift\n(posterior sd)",
    "ess_bulk": "independent draws\n(bulk ESS)",
}


@display
class TrainingDisplay(Display):
    """Loss of training, and diagnostics of the draws, in one look.

    Parameters
    ----------
    loss : ndarray of shape (n_iter,)
        After each iteration, per row, as ``loss_curve_``.
    diagnostics : DataFrame or None, default=None
        As ``sampling_diagnostics_``; None without draws.

    Attributes
    ----------
    axes_ : ndarray of shape (2,) or (5,) of Axes
        The loss, how much each iteration changes it, and, with draws, nested R-hat,
        drift and independent draws of each quantity.
    loss_, steps_ : Line2D
    points_ : dict of str to PathCollection
        By column of the diagnostics; also ``r_hat`` where chains are long enough.
    untrusted_ : ndarray of shape (n_quantities,), bool
        Whose draws `fit` warns of, drawn in another colour.

    See Also
    --------
    ResidualsDisplay : What the model has not explained.
    VerdictsDisplay : What data tell of each channel.

    Notes
    -----
    Training goes in rounds: after each the spreads of the prior are estimated again,
    which makes another loss of it, so that it jumps there, less and less. In large
    panels the first rounds see samples of the regions. Dashed lines are the limits
    beyond which `fit` warns; they depend on the number of chains. Split R-hat is there
    for chains of 40 transitions or more.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import TrainingDisplay
    >>> world = make_mmm_panel(1, 60, n_media=2, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", graph=None, n_draws=8,
    ...     max_iter=20, random_state=0,
    ... ).fit(world.X, world.y)
    >>> display = TrainingDisplay.from_estimator(model)
    >>> len(display.loss_.get_ydata()) == model.n_iter_
    True
    """

    loss: Array
    diagnostics: pd.DataFrame | None = None

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: AxesOrNone = None) -> Self:
        """Plot what `fit` has left.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor
            Fitted; also at the end of a pipeline or search.

        Raises
        ------
        TypeError
            If the estimator has no ``loss_curve_``.
        """
        model = unwrap(estimator).model
        check_is_fitted(model)
        if not hasattr(model, "sampling_diagnostics_"):
            raise TypeError(
                f"{type(model).__name__} tells nothing of its training. Pass a "
                "DeepCausalMMMRegressor; of groups, one of estimators_."
            )
        display = cls(loss=model.loss_curve_, diagnostics=model.sampling_diagnostics_)
        return display.plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, 2.3 + self._height_below())

    def _height_below(self):
        """Return the height of what is said of draws, in inches."""
        return (
            0.3
            if self.diagnostics is None
            else 0.35 + row_height(len(self.diagnostics))
        )

    def _draw(self, ax):
        self.bounding_ax_ = ax
        ax.set_axis_off()
        ratios = [2.3, self._height_below()]
        grid = ax.get_subplotspec().subgridspec(2, 1, height_ratios=ratios)
        upper = grid[0].subgridspec(1, 2)
        self.axes_ = np.array([self.figure_.add_subplot(cell) for cell in upper])
        self._draw_loss(*self.axes_)
        self.points_, self.untrusted_ = {}, np.zeros(0, dtype=bool)
        if self.diagnostics is None:
            note = self.figure_.add_subplot(grid[1])
            note.set_axis_off()
            text = "No draws (n_draws=0): there is nothing to say of them."
            note.text(0.0, 1.0, text, va="top", fontsize=SMALL)
            return
        lower = grid[1].subgridspec(1, len(_SHOWN))
        panels = [self.figure_.add_subplot(lower[0])]
        panels += [
            self.figure_.add_subplot(c, sharey=panels[0]) for c in list(lower)[1:]
        ]
        self.axes_ = np.array([*self.axes_, *panels])
        self._draw_diagnostics(panels, self.diagnostics)

    def _draw_loss(self, left, right):
        from matplotlib.ticker import LogFormatterSciNotation

        loss = np.asarray(self.loss, dtype=float)
        iteration = np.arange(1, len(loss) + 1)
        step = np.abs(np.diff(loss))
        (self.loss_,) = left.plot(iteration, loss, color=BLUE, lw=1.4)
        (self.steps_,) = right.plot(
            iteration[1:], np.where(step > 0.0, step, np.nan), color=BLUE, lw=1.0
        )
        if (step > 0.0).any():
            right.set_yscale("log")
        for ax in (left, right):
            tidy(ax)
            ax.tick_params(labelsize=TINY)
            ax.set_xlabel("iteration", fontsize=TINY)
        if right.get_yscale() == "log":
            right.yaxis.set_major_formatter(LogFormatterSciNotation())
        _draw_title(left, "Training", "negative log posterior per row")
        _draw_title(right, "", "by how much it changes, log scale")

    def _draw_diagnostics(self, panels, diagnostics):
        table = diagnostics[::-1]
        first = table.iloc[0]
        self.untrusted_ = is_untrusted(diagnostics[list(COLUMNS)].to_numpy(float))
        rows = np.arange(len(table))
        colors = np.where(self.untrusted_[::-1], VERMILLION, BLUE)
        for (name, label), ax in zip(_SHOWN.items(), panels, strict=True):
            values = table[name].to_numpy(dtype=float)
            self.points_[name] = ax.scatter(values, rows, s=24, c=colors, zorder=3)
            ax.set_xlabel(label, fontsize=TINY)
        if table["r_hat"].notna().any():
            self.points_["r_hat"] = panels[0].scatter(
                table["r_hat"], rows, s=24, facecolors="none", edgecolors=colors
            )
            panels[0].set_xlabel("R-hat\n● nested, ○ split", fontsize=TINY)
        self._draw_limits(panels, int(first["n_chains"]))
        name_rows(panels[0], table.index, width=26 if width_of(panels[0]) > 1.2 else 12)
        for ax in panels:
            tidy_rows(ax)
            ax.tick_params(axis="x", labelsize=TINY)
            ax.margins(x=0.12)
        for ax in panels[1:]:
            ax.tick_params(labelleft=False)
        said = _in_words(first)
        if self.untrusted_.any():
            said += "; orange: not trusted"
        _draw_title(panels[0], "Draws", said)

    def _draw_limits(self, panels, n_chains):
        highest, most = limits(n_chains)
        marks = ([1.0, highest], [-most, 0.0, most], [0.0])
        for ax, places in zip(panels, marks, strict=True):
            for place in places:
                at_rest = place in (0.0, 1.0)
                style = ":" if at_rest else "--"
                ax.axvline(place, color=OTHERS, lw=0.9, ls=style)


def _draw_title(ax, title, said):
    """Write a title and a note that may be wider than the axes."""
    add_title(ax, title, note=" ")
    note = ax.annotate(
        said,
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=TINY,
        color="#555555",
    )
    note.set_in_layout(False)


def _in_words(row):
    """Return what the sampler did, for the note below the title."""
    return (
        f"{counted(int(row['n_chains']), 'chain')} of "
        f"{counted(int(row['n_transitions']), 'transition')}, "
        f"{row['acceptance']:.0%} accepted, "
        f"{int(row['divergences']):,} diverged"
    )
