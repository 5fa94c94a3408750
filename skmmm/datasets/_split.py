"""The best split of a budget between cells whose responses add up."""

import numpy as np


def best_split(budget, spends, responses):
    """Return the best split of a budget, and what no split exceeds.

    Each response is replaced by its concave hull, and the steepest pieces of all hulls
    are bought first [1]_: the best split of the hulls, whose total is the bound. Where
    a response is S-shaped, the cell of the last piece may end above it. So that cell
    gets each of its spends in turn, the others share the rest as their hulls say, and
    what responses themselves make of it decides.

    Parameters
    ----------
    budget : float
    spends, responses : ndarray of shape (n_grid, n_cells)
        Rising from zero; the last spend of each cell is the budget.

    Returns
    -------
    cells : ndarray of shape (n_cells,)
        Spend of every cell.
    bound : float

    References
    ----------
    .. [1] Shih (1974). A new application of incremental analysis in resource
       allocations. Operational Research Quarterly 25.
    """
    cell, cost, gain = _steepest_first(spends.T, responses.T)
    bought = np.clip(budget - (np.cumsum(cost) - cost), 0.0, cost)
    bound = float((gain * bought / cost).sum())
    last = cell[np.flatnonzero(bought)[-1]]
    own, others = spends[:, last], cell != last
    cells = _shares(budget - own, cell[others], cost[others], spends.shape[1])
    # A cell that is alone gets all.
    cells[:, last] = own if others.any() else budget
    total = sum(map(np.interp, cells.T, spends.T, responses.T))
    return cells[np.argmax(total)], bound


def _shares(money, cell, cost, n_cells):
    """Return what each cell gets of amounts of money, (n_amounts, n_cells).

    Pieces are bought in their order.
    """
    shares = np.zeros((len(money), n_cells))
    before = np.cumsum(cost) - cost
    for c in np.unique(cell):
        first, price = before[cell == c], cost[cell == c]
        paid = np.cumsum(price)
        ends = np.column_stack([first, first + price]).ravel()
        worth = np.column_stack([paid - price, paid]).ravel()
        shares[:, c] = np.interp(money, ends, worth)
    return shares


def _steepest_first(spends, responses):
    """Return the cell, cost and gain of all pieces of hulls, the steepest first."""
    corners = [_hull(*curve) for curve in zip(spends, responses, strict=True)]
    cell = np.repeat(np.arange(len(spends)), [len(at) - 1 for at in corners])
    cost, gain = (
        np.concatenate([np.diff(own[at]) for own, at in zip(v, corners, strict=True)])
        for v in (spends, responses)
    )
    # Pieces of one hull fall in slope, so that their order stays.
    order = np.argsort(-gain / cost, kind="stable")
    return cell[order], cost[order], gain[order]


def _hull(x, y):
    """Return positions of the corners of the concave hull of a curve."""
    corners: list[int] = []
    for i in range(len(x)):
        while len(corners) > 1:
            a, b = corners[-2:]
            if (y[b] - y[a]) * (x[i] - x[b]) > (y[i] - y[b]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(i)
    return np.array(corners)
