"""Cells, rows and tables of the scorecard as text."""

from math import isnan
from typing import NamedTuple


class Table(NamedTuple):
    """Cells of text."""

    head: list
    rows: list


def number(value):
    return "" if isnan(value) else f"{value:.2f}"


def percent(share):
    return f"{100 * share:.0f} %"


def percent_range(shares):
    """Return the smallest and the largest as text."""
    return f"{100 * shares.min():.0f}", percent(shares.max())


def ratio(part, whole):
    return f"{part / whole:.2f}" if whole else ""


def spaced(name):
    return name.replace("_", " ")


def markdown(table):
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rst(table):
    """Return a simple table of reStructuredText."""
    columns = zip(table.head, *table.rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    rule = ["=" * width for width in widths]
    lines = [rule, table.head, rule, *table.rows, rule]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
