"""Lift tests: read from a file before anything is fitted, or made up for the demo."""

import numpy as np
import pandas as pd

from skmmm._cli.tables import read_numbers_or_missing, read_table, read_times
from skmmm._data.checks import region_values
from skmmm._data.experiments import NUMBERS, read_experiments

# Of the test of the demo.
_WEEKS = 26
_ERROR = 0.1  # by its effect


def read_tests(path, task, sep, notation):
    """Return the experiments of a file, once every row is understood.

    Parameters
    ----------
    path : str
    task : Task
        Whose channels, regions and periods they are about.
    sep : str
        Between the cells of a .csv file.
    notation : Notation

    Returns
    -------
    tests : DataFrame
        As the parameter `experiments` of the regressor.

    Raises
    ------
    ValueError
        If the file cannot be read, or a row is wrong.
    """
    calendar, periods = task.calendar()
    regions = ["all"] if task.region is None else region_values(task.X, task.region)
    try:
        tests = _in_types(read_table(path, sep), notation)
        read_experiments(
            tests,
            media=task.media,
            regions=np.unique(regions),
            calendar=calendar,
            grid_length=periods[-1] + 1,
        )
    except ValueError as error:
        raise ValueError(f"--experiments {path}: {error}") from error
    return tests


def _in_types(table, notation):
    """Return a table of text with numbers and dates, and nothing in empty cells."""
    columns = {}
    for name, column in table.items():
        if name in (*NUMBERS, "cooldown", "correlation"):
            columns[name] = read_numbers_or_missing(
                column, name, notation, "experiment {}".format
            )
        elif name in ("start", "end"):
            columns[name] = read_times(column, name, notation)
        else:
            columns[name] = column.map(_label)
    return pd.DataFrame(columns, index=table.index)


def _label(cell):
    """Return a cell of names, None for an empty text."""
    return cell.strip() or None if isinstance(cell, str) else cell


def make_test(task, summary, seed):
    """Return a test of the channel that rows know least: off in all regions at first.

    What it measures is the truth and a normal error. As nothing was spent before the
    first period, the truth is what the channel contributed.

    Parameters
    ----------
    task : Task
        With its truth.
    summary : DataFrame
        As of `channel_summary`, with intervals.
    seed : int

    Returns
    -------
    tests : DataFrame
        As the parameter `experiments` of the regressor, one row.
    """
    width = summary["contribution_high"] - summary["contribution_low"]
    channel = (width / summary["contribution"]).idxmax()
    weeks = np.unique(task.X[task.time])[:_WEEKS]
    tested = task.X[task.time].isin(weeks)
    brought = -task.truth.loc[tested, channel].sum()
    std_error = _ERROR * abs(brought)
    error = std_error * np.random.default_rng(seed).normal()
    return pd.DataFrame(
        {
            "media": [channel],
            "start": [weeks[0]],
            "end": [weeks[-1]],
            "change": [0.0],
            "estimate": [brought + error],
            "std_error": [std_error],
        }
    )
