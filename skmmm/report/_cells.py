"""Cells of tables: numbers that stand below each other, intervals, verdicts."""

import numpy as np

from skmmm.plotting._style import format_number
from skmmm.report._words import aligned


def within(table, name):
    """Return cells of a value and, below it, its interval, by row of a table."""
    columns = [table[f"{name}{end}"] for end in ("", "_low", "_high")]
    write = aligned(*columns)
    return [
        ("", write(value), f"{write(low)} to {write(high)}")
        if np.isfinite(low)
        else ("", write(value))
        for value, low, high in zip(*columns, strict=True)
    ]


def column(values):
    """Return texts of numbers that stand below each other."""
    return list(map(aligned(values), values))


def percents(values):
    """Return shares in percent that stand below each other."""
    return [f"{value:.1%}" if np.isfinite(value) else "–" for value in values]


def verdict(channel):
    """Return the cell of a verdict, with an alarm where spend follows the KPI."""
    found = channel.verdict or "none"
    alarm = ["follows KPI"] if channel.follows_kpi else []
    return (f"text verdict {found.replace(' ', '-')}", found, *alarm)


def ratio(value):
    """Return three decimals of a number, with a dash for none."""
    return f"{value:.3f}" if np.isfinite(value) else "–"


def digits(value):
    """Return three digits of a number; columns of data have units of their own."""
    return format_number(value, trim=False) if np.isfinite(value) else "–"


def day(time):
    """Return the date of a time."""
    return str(time)[:10]
