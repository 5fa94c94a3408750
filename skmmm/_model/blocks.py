"""Regions block by block, so that what is computed for each stays in the cache."""


def region_blocks(n_regions, n_cells, at_once):
    """Yield slices of regions, all of nearly one size, so that threads end together.

    Parameters
    ----------
    n_regions : int
    n_cells : int
        Numbers that each region makes.
    at_once : int
        Of these in a block, or one region.
    """
    n_blocks = min(-(-n_regions * n_cells // at_once), n_regions)
    if n_blocks > 1:
        n_blocks += n_blocks % 2
    n_each = max(-(-n_regions // max(n_blocks, 1)), 1)
    for start in range(0, max(n_regions, 1), n_each):  # of none, one block of none
        yield slice(start, min(start + n_each, n_regions))
