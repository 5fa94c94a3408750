"""Splits by experiments: train without what they moved, score what they measured."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import BaseCrossValidator

from skmmm._data.calendar import infer_calendar
from skmmm._data.checks import as_frame, labels_of, region_values, resolve_column
from skmmm._data.experiment_grid import ExperimentGrid, grid_of_rows
from skmmm._data.experiments import Experiment
from skmmm._utils.typing import Column, Table
from skmmm.model_selection._splits import Positions, check_integer


class LeaveExperimentsOut(BaseCrossValidator):
    """Test on experiments whose effect on the KPI training has not seen.

    For searches with :func:`make_experiment_scorer`, which scores the experiments whose
    rows are in the test set. Experiments that share a region and period are left out
    together.

    Parameters
    ----------
    experiments : DataFrame or path of a CSV file
        As the parameter of :class:`~skmmm.DeepCausalMMMRegressor`.
    n_splits : int, default=None
        Number of splits; the groups of experiments that share rows are divided among
        them, in the order of the table. None: one group per split. 1: all experiments
        are left out in a single split, and each candidate of a search is fitted once.
    region : str or int, default=None
        Name or position of the region column in X. None: one series.
    time : str or int
        Name or position of the time column in X.

    See Also
    --------
    make_experiment_scorer : Scores what a model says of experiments.
    PanelTimeSeriesSplit : Test on later periods.

    Notes
    -----
    Test rows are those of the regions of an experiment, from its start to the end of
    its cooldown. What training may see of them depends on what X shows:

    - ``observed="treated"``: the KPI of these rows has the effect in it, and the
      estimate was made from it. They are no training rows, or a model would be scored
      on how well it follows the errors of the rows that made the estimate. Models that
      carry spend over leave the missing periods out.
    - ``observed="control"``: the change happened elsewhere (to other people, in
      another year, in a simulation), and nothing in these rows was moved by it. They
      stay in the training set.

    The KPI of control regions, which estimates are made from as well, stays.

    A model must not learn from an experiment that it is scored on. Search with
    ``experiments=None``, or with experiments that are not in the table here; the scorer
    refuses others. What `fit` learns from the best estimator's own experiments comes
    afterwards.

    Experiments outside the rows of X (with ``spend``) are in no split: a model that can
    say what they measured is scored on them in all.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.model_selection import LeaveExperimentsOut
    >>> X = pd.DataFrame({"week": [1, 2, 3, 4, 5, 6], "tv": 1.0})
    >>> tests = pd.DataFrame({
    ...     "media": "tv", "start": [2, 5], "end": [2, 6], "change": 1.5,
    ...     "estimate": 3.0, "std_error": 1.0, "observed": ["treated", "control"],
    ... })
    >>> cv = LeaveExperimentsOut(tests, time="week")
    >>> for train, test in cv.split(X):
    ...     print(train, test)
    [0 2 3 4 5] [1]
    [0 1 2 3 4 5] [4 5]
    """

    def __init__(
        self,
        experiments: pd.DataFrame | str | PathLike[str],
        *,
        n_splits: int | None = None,
        region: Column | None = None,
        time: Column,
    ):
        self.experiments = experiments
        if n_splits is not None:
            check_integer(n_splits, "n_splits", 1)
        self.n_splits = n_splits
        self.region = region
        self.time = time

    def split(
        self, X: Table, y: object = None, groups: object = None
    ) -> Iterator[tuple[Positions, Positions]]:
        """Generate positions of training and test rows.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features)
            Long table, rows in any order.
        y, groups : object
            Ignored.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Positions of the training rows, increasing.
        test : ndarray of shape (n_test,)
            Positions of the test rows, increasing.

        Raises
        ------
        ValueError
            If an experiment cannot be read, or has no rows in X and does not say what
            was spent, or nothing is left to train on.
        """
        grid, rows = self._place(X)
        for left_out in self._folds(grid):
            test = np.any([grid.cells(one) for one in left_out], axis=0)[rows]
            moved = np.zeros(len(test), dtype=bool)
            for one in left_out:
                if one.treated:
                    moved |= grid.cells(one)[rows]
            if moved.all():
                raise ValueError(
                    f"{left_out[0].name} and those that it shares rows with moved the "
                    "KPI of all rows of X: nothing is left to train on."
                )
            yield np.flatnonzero(~moved), np.flatnonzero(test)

    def get_n_splits(
        self, X: Table | None = None, y: object = None, groups: object = None
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : array-like or dataframe of shape (n_samples, n_features), default=None
            Only needed with ``n_splits=None``.
        y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
        """
        if self.n_splits is not None:
            return self.n_splits
        if X is None:
            raise ValueError(
                "X decides which experiments share rows, and with n_splits=None how "
                "many splits there are: pass X."
            )
        return len(self._folds(self._place(X)[0]))

    def _place(
        self, X: Table
    ) -> tuple[ExperimentGrid, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Return the grid of X, and the cell of each row."""
        frame = as_frame(X)
        time = resolve_column(frame, self.time, "time")
        regions, code = np.array(["all"]), np.zeros(len(frame), dtype=np.int64)
        values = None
        if self.region is not None:
            values = region_values(frame, resolve_column(frame, self.region, "region"))
            regions, code = np.unique(values, return_inverse=True)
        calendar = infer_calendar(frame[time], time, values)
        period = calendar.ordinals(frame[time], time)
        grid = grid_of_rows(labels_of(frame), regions, calendar, code, period)
        return grid, (code, period - grid.first)

    def _folds(self, grid: ExperimentGrid) -> list[list[Experiment]]:
        """Return the experiments that are left out in each split."""
        inside = []
        for one in grid.read(self.experiments):
            if grid.holds(one):
                inside.append(one)
            elif not np.isfinite(one.spend):
                raise ValueError(
                    f"{one.name} runs from {grid.window(one)}, with cooldown, and X "
                    "has no rows for some of its regions or periods. Leave it out of "
                    "experiments, or say in the column spend what was spent."
                )
        groups = _sharing_rows(inside, grid)
        n_splits = len(groups) if self.n_splits is None else self.n_splits
        if len(groups) < max(n_splits, 1):
            raise ValueError(
                f"{len(groups)} groups of experiments that share no rows are inside X; "
                f"n_splits={self.n_splits} needs at least as many."
            )
        return [
            [one for g in chosen for one in groups[g]]
            for chosen in np.array_split(np.arange(len(groups)), n_splits)
        ]


def _sharing_rows(
    experiments: list[Experiment], grid: ExperimentGrid
) -> list[list[Experiment]]:
    """Return groups such that experiments of two of them have no cell in common."""
    groups: list[tuple[list[Experiment], npt.NDArray[np.bool_]]] = []
    for one in experiments:
        cells, members = grid.cells(one), [one]
        apart = []
        for others, theirs in groups:
            if (theirs & cells).any():
                members, cells = [*others, *members], theirs | cells
            else:
                apart.append((others, theirs))
        groups = [*apart, (members, cells)]
    order = {id(one): position for position, one in enumerate(experiments)}
    found = [sorted(members, key=lambda one: order[id(one)]) for members, _ in groups]
    return sorted(found, key=lambda members: order[id(members[0])])
