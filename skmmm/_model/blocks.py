"""Regions block by block, so that what is computed for each stays in the cache."""


def region_blocks(n_regions, n_cells, at_once):
    """Yield slices of regions, all of nearly one size, so that threads end together.

    Parameters
    ----------
    n_regions : int
    n_cells : int
        Numbers that each region makes.
    at_once : int
        Of these in a block at most, or one region.
    """
    n_blocks = -(-n_regions // max(at_once // max(n_cells, 1), 1))
    if n_blocks > 1:  # for two threads
        n_blocks = min(n_blocks + n_blocks % 2, n_regions)
    n_blocks = max(n_blocks, 1)  # of none, one block of none
    for block in range(n_blocks):
        start, stop = (n_regions * n // n_blocks for n in (block, block + 1))
        yield slice(start, stop)
