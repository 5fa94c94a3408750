"""The best channel graph for given cross-products of features.

For every channel, sets of parents in the same period are scored together with the
lagged parents that go with each; then an order of the channels is sought in which every
channel has its best set among those before it. That order makes the same-period part
acyclic by construction.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

# Same-period parents looked at per channel, and how many may act together.
MAX_CANDIDATES = 8
MAX_PARENTS = 4
# Lagged parents looked at per channel.
MAX_LATE = 12
# Of the extended BIC (Chen, Chen 2008): how much more a search among many asks for.
GAMMA = 0.5
# Candidates must explain this share of the least effect.
SCREEN = 0.25
# Up to so many channels all orders are compared.
MAX_EXACT = 14
N_STARTS = 5


@dataclass(frozen=True, eq=False)
class Candidates:
    """Possible parents of every channel.

    Attributes
    ----------
    same, late : list of ndarray of int
        Per channel, those of the same period and those of earlier ones.
    """

    same: list
    late: list


@dataclass(frozen=True, eq=False)
class Structure:
    """Edges, `[i, j]` i drives j.

    Attributes
    ----------
    same, late : ndarray of shape (n_media, n_media), bool
        In the same period, without cycles, and later.
    """

    same: np.ndarray
    late: np.ndarray

    @property
    def edges(self):
        """Whether i drives j at all, shape (n_media, n_media)."""
        return self.same | self.late


def find_candidates(gram, n_rows, layout, rules):
    """Return the parents worth a look.

    Same-period parents by partial correlation given the past of all channels; lagged
    parents by what they explain beside all others, with and without same-period ones.
    """
    size = _partial_r2(gram, layout)
    level = max(SCREEN * rules.min_effect, 6.0 / n_rows)
    same, late = [], []
    for j in range(layout.n_media):
        strength = np.where(rules.allowed[:, j], size[:, j], 0.0)
        strongest = np.argsort(-strength, kind="stable")[:MAX_CANDIDATES]
        found = strongest[strength[strongest] > level]
        same.append(np.sort(found))
        late.append(_late_candidates(gram, n_rows, layout, rules, j, same[j]))
    return Candidates(same, late)


def search(gram, n_rows, layout, rules, candidates):
    """Return the best `Structure` among the candidates.

    Parameters
    ----------
    gram : ndarray of shape (n_columns, n_columns)
    n_rows : float
    layout : Layout
    rules : Rules
    candidates : Candidates
    """
    tables = [
        _Table.of(gram, n_rows, layout, rules, j, candidates)
        for j in range(layout.n_media)
    ]
    if layout.n_media <= MAX_EXACT:
        order = _best_order(tables)
    else:
        order = _good_order(tables)
    same = np.zeros((layout.n_media, layout.n_media), dtype=bool)
    late = np.zeros_like(same)
    before = np.zeros(layout.n_media, dtype=bool)
    for j in order:
        same[:, j], late[:, j] = tables[j].parents(before)
        before[j] = True
    return Structure(same, late)


def fit_equation(gram, layout, structure, j):
    """Return columns, coefficients and residual sum of squares of one equation."""
    columns = np.concatenate(
        [
            layout.late[j],
            layout.always,
            layout.drive_same[structure.same[:, j]],
            layout.drive_late[structure.late[:, j]].ravel(),
        ]
    )
    inner = gram[np.ix_(columns, columns)]
    target = gram[columns, layout.same[j]]
    coef = np.linalg.pinv(inner, hermitian=True) @ target
    rss = gram[layout.same[j], layout.same[j]] - coef @ target
    return columns, coef, max(rss, np.finfo(float).tiny)


@dataclass(frozen=True, eq=False)
class _Table:
    """Scores of all sets of same-period parents of one channel.

    Attributes
    ----------
    candidates : ndarray of shape (n_candidates,)
    others : ndarray of shape (n_late,)
        Lagged parents looked at.
    members : ndarray of shape (n_sets, n_candidates), bool
    late : ndarray of shape (n_sets, n_late), bool
        Lagged parents that go with each set.
    score : ndarray of shape (n_sets,)
        The lower, the better.
    """

    candidates: np.ndarray
    others: np.ndarray
    members: np.ndarray
    late: np.ndarray
    score: np.ndarray

    @classmethod
    def of(cls, gram, n_rows, layout, rules, j, candidates):
        same, others = candidates.same[j], candidates.late[j]
        members = _sets(len(same))
        columns = np.concatenate(
            [
                layout.late[j],
                layout.always,
                layout.drive_same[same],
                layout.drive_late[others].ravel(),
            ]
        )
        n_late = layout.late.shape[1]
        first = len(columns) - others.size * n_late
        one, several = edge_penalties(n_rows, layout, rules)
        regressions = _Regressions(
            gram[np.ix_(columns, columns)],
            gram[columns, layout.same[j]],
            gram[layout.same[j], layout.same[j]],
            len(members),
        )
        for k in range(len(same)):
            without = np.flatnonzero(~members[:, k])
            column = np.full((len(without), 1), first - len(same) + k)
            regressions.drop(without, column)
        late = _drop_late(
            regressions,
            first + np.arange(others.size * n_late).reshape(others.size, n_late),
            rules.required[others, j],
            lambda gain: n_rows * np.log1p(gain) - several,
        )
        score = (
            n_rows * np.log(regressions.rss)
            + one * members.sum(1)
            + several * late.sum(1)
        )
        return cls(same, others, members, late, score)

    def parents(self, before):
        """Return the best same-period and lagged parents among channels before it."""
        best = self.best[self.code(before)]
        same, late = np.zeros((2, len(before)), dtype=bool)
        same[self.candidates[self.members[best]]] = True
        late[self.others[self.late[best]]] = True
        return same, late

    def code(self, before):
        """Return which candidates are before the channel, as bits of a number."""
        return int(before[self.candidates] @ (1 << np.arange(len(self.candidates))))

    @cached_property
    def best(self):
        """The best set within each set of candidates, by its code."""
        n = len(self.candidates)
        codes = self.members @ (1 << np.arange(n)) if n else np.zeros(1, dtype=int)
        best = np.full(1 << n, -1)
        best[codes] = np.arange(len(codes))
        scores = np.full(1 << n, np.inf)
        scores[codes] = self.score
        for k in range(n):
            has = np.flatnonzero(np.arange(1 << n) >> k & 1)
            without = has ^ (1 << k)
            better = scores[without] <= scores[has]
            scores[has[better]] = scores[without[better]]
            best[has[better]] = best[without[better]]
        return best

    @cached_property
    def least(self):
        """The best score within each set of candidates, by its code."""
        return self.score[self.best]


def _sets(n):
    """Return all sets of up to MAX_PARENTS of n, as rows of booleans."""
    members = [
        chosen
        for k in range(min(MAX_PARENTS, n) + 1)
        for chosen in combinations(range(n), k)
    ]
    table = np.zeros((len(members), n), dtype=bool)
    for row, chosen in zip(table, members, strict=True):
        row[list(chosen)] = True
    return table


def edge_penalties(n_rows, layout, rules):
    """Return what a same-period and a lagged parent must improve the score by.

    The extended BIC, and at least what an effect of the least size that counts does:
    significance alone keeps trivial edges when rows are many.
    """
    floor = -n_rows * np.log1p(-rules.min_effect)
    search_price = 2 * GAMMA * np.log(max(layout.n_media - 1, 2))
    n_late = layout.n_lags + 1
    return (
        max(np.log(n_rows) + search_price, floor),
        max(n_late * np.log(n_rows) + search_price, floor),
    )


def _partial_r2(gram, layout):
    """Return squared partial correlations of innovations, (n_media, n_media)."""
    rest = np.concatenate([layout.late.ravel(), layout.always])
    same = layout.same
    inner = np.linalg.pinv(gram[np.ix_(rest, rest)], hermitian=True)
    cross = gram[np.ix_(rest, same)]
    left = gram[np.ix_(same, same)] - cross.T @ inner @ cross
    precision = np.linalg.pinv(left, hermitian=True)
    diagonal = np.diag(precision).copy()
    diagonal[diagonal <= 0] = np.inf
    size = precision**2 / np.outer(diagonal, diagonal)
    np.fill_diagonal(size, 0.0)
    return size


def _late_candidates(gram, n_rows, layout, rules, j, same):
    others = np.flatnonzero(rules.allowed[:, j])
    if not others.size:
        return others
    _, several = edge_penalties(n_rows, layout, rules)
    strength = np.zeros(others.size)
    for parents in (np.zeros(0, dtype=int), same):
        columns = np.concatenate(
            [
                layout.late[j],
                layout.always,
                layout.drive_same[parents],
                layout.drive_late[others].ravel(),
            ]
        )
        groups = len(columns) - np.arange(others.size * layout.late.shape[1])[::-1] - 1
        regression = _Regressions(
            gram[np.ix_(columns, columns)],
            gram[columns, layout.same[j]],
            gram[layout.same[j], layout.same[j]],
            1,
        )
        gain = regression.gains(np.arange(1), groups.reshape(others.size, -1))[0]
        gain = gain / regression.rss[0]
        strength = np.maximum(strength, n_rows * np.log1p(gain))
    strength = np.where(rules.required[others, j], np.inf, strength)
    n_kept = max(MAX_LATE, int(rules.required[others, j].sum()))
    strongest = np.argsort(-strength, kind="stable")[:n_kept]
    return np.sort(others[strongest[strength[strongest] > SCREEN * several]])


def _drop_late(regressions, groups, required, worth):
    """Drop lagged parents that are not worth their price, worst first.

    Parameters
    ----------
    regressions : _Regressions
        All lagged parents are in; changed in place.
    groups : ndarray of shape (n_late, n_lags + 1), int
        Their columns.
    required : ndarray of shape (n_late,), bool
    worth : callable
        What the relative gain of residual variance is worth, less its price.

    Returns
    -------
    late : ndarray of shape (n_sets, n_late), bool
    """
    late = np.ones((len(regressions.rss), len(groups)), dtype=bool)
    open_sets = np.arange(len(late)) if len(groups) else np.zeros(0, dtype=int)
    while len(open_sets):
        gain = regressions.gains(open_sets, groups)
        value = worth(gain / regressions.rss[open_sets, None])
        value = np.where(late[open_sets] & ~required, value, np.inf)
        worst = value.argmin(axis=1)
        bad = value[np.arange(len(value)), worst] < 0
        open_sets, worst = open_sets[bad], worst[bad]
        late[open_sets, worst] = False
        regressions.drop(open_sets, groups[worst])
    return late


class _Regressions:
    """Regressions of one target on sets of columns, many at once.

    Parameters
    ----------
    gram : ndarray of shape (p, p)
        Cross-products of the columns.
    cross : ndarray of shape (p,)
        With the target.
    square : float
        Of the target.
    n_sets : int
        All begin with all columns.
    """

    def __init__(self, gram, cross, square, n_sets):
        size = np.diag(gram)
        ridge = np.where(size > 0, 1e-9 * size, 1.0)
        inverse = np.linalg.inv(gram + np.diag(ridge))
        coef = inverse @ cross
        self.least = 1e-12 * max(square, 1e-300)
        self.inverse = np.repeat(inverse[None], n_sets, axis=0)
        self.coef = np.repeat(coef[None], n_sets, axis=0)
        self.rss = np.full(n_sets, max(square - coef @ cross, self.least))

    def gains(self, sets, groups):
        """Return what dropping each group adds to the residual sum of squares."""
        inner = self.inverse[sets][:, groups[:, :, None], groups[:, None, :]]
        coef = self.coef[sets][:, groups]
        solved = _solve(inner, coef[..., None])[..., 0]
        # Below zero only by rounding, where there are hardly more rows than columns.
        return np.maximum((coef * solved).sum(axis=2), 0.0)

    def drop(self, sets, columns):
        """Take columns out of some sets, by the inverse of a partitioned matrix.

        Parameters
        ----------
        sets : ndarray of shape (n,), int
        columns : ndarray of shape (n, k), int
            Those of each set.
        """
        some = np.arange(len(sets))[:, None]
        inverse = self.inverse[sets]
        beside = inverse[some, columns]  # (n, k, p)
        inner = beside[
            some[:, :, None], np.arange(columns.shape[1])[:, None], columns[:, None]
        ]
        coef = self.coef[sets]
        both = np.concatenate([beside, coef[some, columns][..., None]], axis=2)
        solved = _solve(inner, both)
        self.inverse[sets] = inverse - beside.transpose(0, 2, 1) @ solved[..., :-1]
        self.coef[sets] = coef - (beside.transpose(0, 2, 1) @ solved[..., -1:])[..., 0]
        more = (coef[some, columns] * solved[..., -1]).sum(axis=1)
        self.rss[sets] += np.maximum(more, 0.0)


def _solve(inner, right):
    """Solve for blocks of an inverse, also where rounding has made one singular.

    In a resample of few rows columns may be the same, and what should be their inverse
    is noise. Directions that cannot be told from it then count for nothing.
    """
    inner = _regular(inner)
    try:
        return np.linalg.solve(inner, right)
    except np.linalg.LinAlgError:
        value, vector = np.linalg.eigh((inner + inner.swapaxes(-1, -2)) / 2)
        size = np.abs(inner).max(axis=(-1, -2))[..., None]
        known = value > 1e-9 * size
        scale = np.where(known, 1.0 / np.where(known, value, 1.0), 0.0)
        return (vector * scale[..., None, :]) @ (vector.swapaxes(-1, -2) @ right)


def _regular(inner):
    """Return the blocks with dropped columns replaced by ones on the diagonal."""
    inner = inner.copy()
    diagonal = np.einsum("...kk->...k", inner)
    diagonal += diagonal <= 1e-14
    return inner


def _best_order(tables):
    """Return the best of all orders by dynamic programming over sets of channels.

    Silander, Myllymäki (2006), A Simple Approach for Finding the Globally Optimal
    Bayesian Network Structure, UAI.
    """
    d = len(tables)
    sets = np.arange(1 << d)
    cost = np.empty((d, 1 << d))
    for j, table in enumerate(tables):
        code = np.zeros_like(sets)
        for k, i in enumerate(table.candidates):
            code |= (sets >> i & 1) << k
        cost[j] = table.least[code]
    channels = np.arange(d)
    size = sum(sets >> j & 1 for j in channels)
    value = np.zeros(1 << d)
    last = np.zeros(1 << d, dtype=int)
    for k in range(1, d + 1):
        of_size = sets[size == k]
        without = of_size[:, None] & ~(1 << channels)
        total = value[without] + cost[channels, without]
        total[without == of_size[:, None]] = np.inf
        last[of_size] = total.argmin(axis=1)
        value[of_size] = total.min(axis=1)
    order, rest = [], (1 << d) - 1
    while rest:
        order.append(last[rest])
        rest ^= 1 << order[-1]
    return np.array(order[::-1])


def _good_order(tables):
    """Return the best order that moving single channels finds, from several starts.

    Teyssier, Koller (2005), Ordering-Based Search, UAI; with insertions, as in Andrews
    et al. (2023), Fast Scalable and Accurate Discovery of DAGs Using the Best Order
    Score Search, NeurIPS.
    """
    best, least = np.arange(len(tables)), np.inf
    for start in range(N_STARTS):
        rng = np.random.default_rng(start)
        order, score = _improve_order(tables, list(rng.permutation(len(tables))))
        if score < least - 1e-9:
            best, least = np.array(order), score
    return best


def _improve_order(tables, order):
    """Move one channel at a time to its best place until none wants to move."""
    bit = [{int(i): 1 << k for k, i in enumerate(t.candidates)} for t in tables]
    least = [table.least.tolist() for table in tables]
    code = [0] * len(tables)
    seen: list[int] = []
    for j in order:
        code[j] = sum(bit[j].get(i, 0) for i in seen)
        seen.append(j)
    moved = True
    while moved:
        moved = False
        for j in list(order):
            moved |= _move(j, order, code, bit, least)
    return order, sum(least[j][code[j]] for j in order)


def _move(j, order, code, bit, least):
    """Put one channel where the score is best; return whether it moved."""
    start = order.index(j)
    best, where = -1e-9, start
    for step in (-1, 1):
        change, own = 0.0, code[j]
        place = start + step
        while 0 <= place < len(order):
            other = order[place]
            before = least[j][own] + least[other][code[other]]
            own += step * bit[j].get(other, 0)
            theirs = code[other] - step * bit[other].get(j, 0)
            change += least[j][own] + least[other][theirs] - before
            if change < best:
                best, where = change, place
            place += step
    if where == start:
        return False
    step = 1 if where > start else -1
    for place in range(start + step, where + step, step):
        other = order[place]
        code[j] += step * bit[j].get(other, 0)
        code[other] -= step * bit[other].get(j, 0)
    order.insert(where, order.pop(start))
    return True
