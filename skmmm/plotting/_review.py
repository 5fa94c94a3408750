"""Why the KPI is not what a plan expected."""

from __future__ import annotations

from typing import Self

import pandas as pd

from skmmm.allocation import PlanReview
from skmmm.plotting._baseline import largest
from skmmm.plotting._contributions import draw_waterfall
from skmmm.plotting._style import (
    SMALL,
    WIDTH,
    AxesOrNone,
    Display,
    add_title,
    brief,
    display,
    format_number,
    row_height,
)

_NAMES = {"confounding": "moves with spend, no effect", "drift": "drift with controls"}


@display
class PlanReviewDisplay(Display):
    """From what a plan expected to what came, step by step.

    Parameters
    ----------
    parts : DataFrame indexed by name
        ``kpi``, ``low`` and ``high``, as in the summary of a review.
    expected : float
        KPI that the plan expected.

    Attributes
    ----------
    bars_ : BarContainer
        Of the parts and, last, of their sum: actual minus expected.

    See Also
    --------
    WaterfallDisplay : What made up a prediction.
    BudgetPlanDisplay : The plan.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.plotting import PlanReviewDisplay
    >>> parts = {"kpi": [-5.0, 2.0], "low": [-7.0, -4.0], "high": [-3.0, 8.0]}
    >>> parts = pd.DataFrame(parts, index=["delivery: tv", "unexplained"])
    >>> display = PlanReviewDisplay(parts=parts, expected=90.0).plot()
    >>> [round(bar.get_width()) for bar in display.bars_]
    [-5, 2, -3]
    """

    parts: pd.DataFrame
    expected: float
    kpi_name: str = "KPI"
    confidence_level: float = 0.9

    @classmethod
    def from_review(
        cls,
        review: PlanReview,
        *,
        max_channels: int = 12,
        ax: AxesOrNone = None,
        kpi_name: str = "KPI",
    ) -> Self:
        """Plot an existing review.

        Parameters
        ----------
        review : PlanReview
            As returned by the `review` of a plan.
        max_channels : int, default=12
            Number of channels, and of controls, with a bar of their own, those with
            the largest parts; the others are added up, without an interval. Parts that
            are zero have no bar.
        """
        table = review.summary.iloc[1:-1]
        rows = []
        for part, own in table.groupby(level="part", sort=False):
            own = own.droplevel("part")
            own = own[own.abs().max(axis=1) > 1e-9 * abs(review.expected)]
            what = "controls" if part == "controls" else "channels"
            shown = largest(own["kpi"], max_channels, what).to_frame("kpi")
            shown = shown.join(own[["low", "high"]])
            name = _NAMES.get(str(part), str(part))
            shown.index = [
                f"{name}: {one}" if one != "" else name for one in shown.index
            ]
            rows.append(shown)
        return cls(
            parts=pd.concat(rows),
            expected=review.expected,
            kpi_name=kpi_name,
            confidence_level=review.confidence_level,
        ).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, row_height(len(self.parts) + 1) + 0.2)

    def _draw(self, ax):
        bounds = self.parts[["low", "high"]].to_numpy(dtype=float).T
        self.bars_ = draw_waterfall(
            ax, self.parts["kpi"], "actual minus expected", bounds
        )
        gap = self.parts["kpi"].sum() / abs(self.expected) if self.expected else 0.0
        side = "more" if gap >= 0 else "less"
        expected = format_number(self.expected).replace("\u2009", " ")
        kpi = brief(self.kpi_name, 60)
        ax.set_xlabel(f"{kpi} beyond the {expected} expected", fontsize=SMALL)
        lines = f"lines: {self.confidence_level:.0%} intervals"
        note = lines if self.parts["low"].notna().any() else ""
        title = f"{brief(self.kpi_name)}: {abs(gap):.1%} {side} than planned, and why"
        add_title(ax, title, note=note)
