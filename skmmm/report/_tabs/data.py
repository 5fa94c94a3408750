"""What the model was fitted to."""

import numpy as np

from skmmm.report._cells import digits
from skmmm.report._html import card, chart, table
from skmmm.report._words import periods


def data(content):
    """Return the tab of the columns and the settings."""
    rows = [
        [
            name,
            row.role,
            digits(row.total),
            f"{row.zero:.1%}",
            digits(row.typical),
            digits(row.highest),
            ("warn", f"{row.spike:.1f} ×")
            if row.spike > 20
            else f"{row.spike:.1f} ×"
            if np.isfinite(row.spike)
            else "–",
        ]
        for name, row in content.data.iterrows()
    ]
    head = ["Column", "Role", "Total", "Rows at zero", "Typical", "Highest", "Spike"]
    rows_of = "regions and periods" if content.regional else "periods"
    missing = (
        f"Between the first and the last {periods(content, 1)}, rows are missing for "
        f"{content.n_missing:,} {rows_of}."
        if content.n_missing
        else f"No row is missing between the first and the last {periods(content, 1)}."
    )
    return "\n".join(
        [
            card(
                "Columns",
                table(head, rows, kinds=(1,)),
                f"{missing} Typical: median of what is not zero. Spike: highest by "
                "typical; far above ten, look for errors of data.",
            ),
            chart("chart-spend", "Spend over time"),
            chart(
                "chart-correlation",
                "Which channels move together",
                "Correlation of spend within regions. What always moves together "
                "cannot be told apart.",
            )
            if len(content.channels) > 1
            else "",
            card(
                "Settings of the fit",
                table(["Setting", "Value"], content.settings, kinds=(1,)),
                "The columns of media and controls are listed above.",
            ),
        ]
    )
