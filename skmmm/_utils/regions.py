"""Some regions of a panel, where all would tell no more."""

import numpy as np

# Regions, periods and channels after which more regions tell nothing that is not known;
# and regions that are taken however many periods and channels they have.
_ENOUGH, _FEWEST = 2**20, 100


def some_regions(n_regions, n_cells, n_columns):
    """Return regions at equal distances, and no more than are needed.

    What all regions tell alike, of what spend follows or what it does to other spend,
    some hundred regions tell as well as ten thousand.

    Parameters
    ----------
    n_regions : int
    n_cells : int
        Of each region.
    n_columns : int
        Of each cell.

    Returns
    -------
    regions : ndarray of shape (n,), int
        All regions of panels of no more than `_ENOUGH` numbers.
    """
    n = min(n_regions, max(_ENOUGH // max(n_cells * n_columns, 1), _FEWEST))
    return np.arange(n) * n_regions // max(n, 1)
