"""From a panel of spend to its graph: which channel drives which, and how surely."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import f as f_distribution

from skmmm._utils.regions import some_regions
from skmmm.graph._demand import explain, total_gram
from skmmm.graph._equations import SpendEquations, reached
from skmmm.graph._features import TAIL_DECAY, make_features
from skmmm.graph._search import Structure, find_candidates, fit_equation, search
from skmmm.graph._spend import spend_units
from skmmm.graph._strength import region_strength

VERDICTS = ("edge", "no edge", "undecided")
LINKS = ("logarithmic", "saturating", "proportional")
# With fewer rows, less the degrees of freedom of the adjustment, nothing is decided.
MIN_ROWS = 30
# With fewer regions, blocks of periods are drawn again instead of regions.
MIN_REGIONS = 10
BLOCK = 13
# Share of the resamples in which a retained edge is found: many regions, few, one.
KEEP, KEEP_FEW, KEEP_ALONE = 0.5, 0.9, 0.95
# With one region, a lagged edge must also hold beside the past of all other channels.
ALPHA_ALONE = 0.001
# Edges, and how strongly regions follow them, are estimated in turn.
N_ROUNDS = 4
# If it does not, it was true at most this often in simulations, however often found.
UNCLEAR = 0.5
# Where only the period says who leads, the reverse is found in no more than this.
REVERSE = 0.2
# "no edge": found in at most this share of the resamples, where rows are so many that
# the least effect that counts would have a squared t value of 8.
RULE_OUT = 0.05
SEEN_AT = 8.0
# Correlation, after what all channels are adjusted for, from which two are twins.
ALIKE = 0.99


@dataclass(frozen=True, eq=False)
class FittedGraph:
    """A channel graph; `[i, j]` is i drives j.

    Attributes
    ----------
    weight : ndarray of shape (n_media, n_media)
        Of retained edges: standard deviations of the child per one of the parent, over
        all lags, other channels and the child's past held.
    same : ndarray of shape (n_media, n_media)
        The part of it within the period.
    probability : ndarray of shape (n_media, n_media)
        Share of resamples in which i drives j.
    verdict : ndarray of shape (n_media, n_media), of str
        One of VERDICTS; empty on the diagonal.
    equations : SpendEquations
        Of the retained edges; one draw.
    draws : SpendEquations
        One per resample, with those of the retained edges that are found there.
    n_rows : int
        Rows less degrees of freedom of the adjustment.
    n_regions : int
    n_factors : int
        Common movements to which regions respond differently.
    absorbed : ndarray of shape (n_media,)
        Share of each channel's variance within regions that period effects (with one
        region: season and trend) explain.
    hidden_demand : bool
        Whether one hidden movement per region explains part of what channels share.
    link : ndarray of shape (n_media,), of str
        How each channel drives others: one of LINKS.
    """

    weight: np.ndarray
    same: np.ndarray
    probability: np.ndarray
    verdict: np.ndarray
    equations: SpendEquations
    draws: SpendEquations
    n_rows: int
    n_regions: int
    n_factors: int
    absorbed: np.ndarray
    hidden_demand: bool
    link: np.ndarray

    @property
    def edges(self):
        """Whether i drives j, shape (n_media, n_media)."""
        return self.verdict == VERDICTS[0]


def fit_channel_graph(
    media, controls, observed, season, rules, *, n_lags, n_bootstraps, rng, find=search
):
    """Estimate which channel drives which.

    Spend is brought to the scale on which channels respond to each other, adjusted for
    region and period effects (with one region: for trend and season) and controls, and
    regressed on its own and the other channels' spend of now and before. The edges are
    those of the best acyclic structure that come back when regions are drawn again. Of
    many regions some are looked at, as `some_regions` says. Of two channels that move
    alike rows do not tell to which of them others answer: pairs with one of them are
    undecided.

    Parameters
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
    controls : ndarray of shape (n_regions, n_periods, n_controls)
    observed : ndarray of shape (n_regions, n_periods), bool
    season : ndarray of shape (n_terms, n_periods)
    rules : Rules
    n_lags : int
    n_bootstraps : int
    rng : RandomState
    find : callable
        `search` or one with the same signature.

    Returns
    -------
    graph : FittedGraph

    References
    ----------
    .. [1] Swanson, Granger (1997). Impulse Response Functions Based on a Causal
       Approach to Residual Orthogonalization in Vector Autoregressions. JASA 92.
    .. [2] Friedman, Goldszmidt, Wyner (1999). Data Analysis with Bayesian Networks: A
       Bootstrap Approach. UAI.
    """
    n_regions, n_periods, _ = media.shape
    terms = _terms(n_regions, n_periods, season)
    links = _possible_links(media, observed, spend_units(media, observed, terms))
    some = some_regions(*media.shape)
    controls, observed = controls[some], observed[some]
    blocks = links.in_regions(some).values(media[some])
    features = make_features(blocks, controls, observed, terms, n_lags)
    if features.n_rows < MIN_ROWS:
        return _nothing_found(features, rules, links)
    chosen = _chosen_links(features, rules, find)
    driving = np.choose(chosen, blocks)
    known = controls, observed, terms, n_lags
    explanations = _explained_in_turn(driving, blocks[0], chosen, known, rules, find)
    features, links = explanations[0].features, links.only(chosen)
    counts, cluster = _resamples(features.rows, n_bootstraps, rng)
    found = [_bootstrapped(e, rules, counts, cluster, find) for e in explanations]
    best, (again, grams) = explanations[0], found[0]
    probability, accepted = _edge_probability(explanations, found)
    apart = _moving_apart(features)
    accepted &= apart & apart[:, None]
    keep = best.structure.edges & (accepted | rules.required)
    kept = _retained(best.structure, keep, features)
    again = [_retained(structure, keep, features) for structure in again]
    weight, same = _weights(kept, best)
    return FittedGraph(
        weight=weight,
        same=same,
        probability=probability,
        verdict=_verdicts(keep, probability, features, rules, apart),
        equations=_equations([kept], [best.gram], features, links),
        draws=_equations(again, grams, features, links),
        n_rows=max(features.n_rows, 0),
        n_regions=_count_regions(features),
        n_factors=features.n_factors,
        absorbed=features.absorbed,
        hidden_demand=best.loading is not None,
        link=np.array(LINKS, dtype=object)[chosen],
    )


def _explained_in_turn(driving, u, chosen, known, rules, find):
    """Estimate edges, and how strongly regions follow them, in turn.

    Parameters
    ----------
    driving, u : ndarray of shape (n_regions, n_periods, n_media)
        Values by which channels drive others, and respond.
    chosen : ndarray of shape (n_media,)
        Positions in LINKS; zero where a channel drives by u.
    known : tuple
        Further arguments of `make_features`.

    Returns
    -------
    explanations : list of Explanation
        See `explain`.
    """
    own = chosen > 0
    average = explanations = explain(
        _features_driven_by(driving, u, own, known), rules, find
    )
    for _ in range(N_ROUNDS):
        structure = explanations[0].structure
        strength = region_strength(replace(average[0], structure=structure))
        if (strength == 1.0).all():
            return average
        driven = strength[:, None, None] * driving
        features = _features_driven_by(driven, u, np.ones_like(own), known)
        explanations = explain(features, rules, find)
        if (explanations[0].structure.edges == structure.edges).all():
            break
    return explanations


def _features_driven_by(driving, u, own, known):
    """Return features in which some channels drive others by values of their own."""
    features = make_features([u, driving], *known)
    drives = tuple(int(value) for value in own)
    return replace(features, layout=replace(features.layout, drives=drives))


def _nothing_found(features, rules, links):
    """Return the graph of a panel too short for one: every pair is undecided."""
    none = np.zeros(rules.allowed.shape)
    d, n_late = features.layout.late.shape
    late, own = np.zeros((1, d, d, n_late)), np.zeros((1, d, n_late))
    links = links.only(np.zeros(d, dtype=int))
    equations = SpendEquations(
        **vars(links), same=none[None], late=late, own=own, tail_decay=TAIL_DECAY
    )
    return FittedGraph(
        weight=none,
        same=none,
        probability=none,
        verdict=_verdicts(none > 0, none, features, rules, np.zeros(d, dtype=bool)),
        equations=equations,
        draws=equations,
        n_rows=max(features.n_rows, 0),
        n_regions=_count_regions(features),
        n_factors=features.n_factors,
        absorbed=features.absorbed,
        hidden_demand=False,
        link=np.full(d, LINKS[0], dtype=object),
    )


def _count_regions(features):
    return int(features.rows.any(axis=1).sum())


def _terms(n_regions, n_periods, season):
    """Return what every region is adjusted for: a constant; alone, season and trend."""
    constant = np.ones((n_periods, 1))
    if n_regions > 1:
        return constant
    trend = np.linspace(-0.5, 0.5, n_periods)[:, None]
    return np.concatenate([constant, trend, season.T], axis=1)


@dataclass(frozen=True, eq=False)
class _Links:
    """Values by which channels may drive others; see `SpendEquations`."""

    unit: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    straight: np.ndarray

    def values(self, media):
        """Return u, its saturating curve and a straight line of spend, (R, T, M)."""
        u = np.log1p(media / self.unit[:, None])
        centre = self.centre[:, None]
        curve = centre + self.width * np.tanh((u - centre) / self.width)
        return [u, curve, self.straight[:, None] * np.expm1(u)]

    def in_regions(self, regions):
        """Return the links of some regions."""
        unit, centre, straight = (
            part[regions] for part in (self.unit, self.centre, self.straight)
        )
        return _Links(unit, centre, self.width, straight)

    def only(self, chosen):
        """Return the links that were chosen, positions in LINKS, and no others."""
        return _Links(
            self.unit,
            self.centre,
            np.where(chosen == 1, self.width, np.inf),
            np.where(chosen == 2, self.straight, np.nan),
        )


def _possible_links(media, observed, unit):
    """Return how channels may drive others.

    By u; by a curve that saturates around the region's mean of u, within a standard
    deviation of it; or in proportion to spend.
    """
    weight = observed[..., None].astype(float)
    count = np.maximum(weight.sum(axis=1), 1.0)
    u = np.log1p(media / unit[:, None])
    centre = (u * weight).sum(axis=1) / count
    square = ((u - centre[:, None]) ** 2 * weight).sum(axis=(0, 1))
    width = np.sqrt(square / max(int(observed.sum()), 1))
    mean = (media * weight).sum(axis=1) / count
    active = np.maximum((mean > 0).sum(axis=0), 1)
    usual = mean.sum(axis=0) / active  # for regions that never spend
    mean = np.where(mean > 0, mean, np.where(usual > 0, usual, 1.0))
    straight = unit / mean
    return _Links(unit, centre, np.where(width > 0, width, 1.0), straight)


def _chosen_links(features, rules, find):
    """Return how each channel drives others, by what its children say, (n_media,)."""
    gram, layout, n_rows = total_gram(features), features.layout, features.n_rows
    candidates = find_candidates(gram, n_rows, layout, rules)
    structure = find(gram, n_rows, layout, rules, candidates)
    if _count_regions(features) == 1:  # who leads within a period is not known
        both_ways = structure.same | structure.same.T
        structure = replace(structure, same=both_ways & rules.allowed)

    def misfit(i, link):
        drives = tuple(link if k == i else 0 for k in range(layout.n_media))
        other = replace(layout, drives=drives)
        children = np.flatnonzero(structure.edges[i])
        return sum(
            n_rows * np.log(fit_equation(gram, other, structure, j)[2])
            for j in children
        )

    links = range(len(LINKS))
    return np.array(
        [np.argmin([misfit(i, link) for link in links]) for i in range(layout.n_media)]
    )


def _resamples(rows, n_bootstraps, rng):
    """Return how often each cluster of cells is drawn, and the clusters.

    Returns
    -------
    counts : ndarray of shape (n_bootstraps, n_clusters)
    cluster : ndarray of shape (n_regions, n_periods)
    """
    n_regions, n_periods = rows.shape
    cluster = np.broadcast_to(np.arange(n_regions)[:, None], rows.shape)
    if rows.any(axis=1).sum() < MIN_REGIONS:
        n_blocks = -(-n_periods // BLOCK)
        # The last block is the complete one.
        block = (np.arange(n_periods) - n_periods % BLOCK) // BLOCK + n_blocks
        cluster = cluster * 2 * n_blocks + block
    _, cluster = np.unique(np.where(rows, cluster, -1), return_inverse=True)
    cluster = cluster.reshape(rows.shape) - (not rows.all())
    n = int(cluster.max()) + 1
    return rng.multinomial(n, np.full(n, 1.0 / n), size=n_bootstraps), cluster


def _bootstrapped(explanation, rules, counts, cluster, find):
    """Return the structures and cross-products of resampled clusters."""
    features = explanation.features
    layout, n_rows = features.layout, features.n_rows
    candidates = find_candidates(explanation.gram, n_rows, layout, rules)
    blocks = features.gram(cluster, counts.shape[1])
    grams = [
        np.tensordot(count, blocks, 1) + np.diag(explanation.extra) for count in counts
    ]
    return [find(gram, n_rows, layout, rules, candidates) for gram in grams], grams


def _edge_probability(explanations, found):
    """Return how often each edge was found again, and whether that is enough.

    Parameters
    ----------
    explanations : list of Explanation
    found : list of tuple
        Per explanation, the structures of the resamples and their cross-products.

    Returns
    -------
    probability : ndarray of shape (n_media, n_media)
    accepted : ndarray of shape (n_media, n_media), bool
    """
    n_regions = _count_regions(explanations[0].features)
    structures = found[0][0]
    if n_regions > 1:
        probability = np.mean([s.edges for s in structures], axis=0)
        keep = KEEP if n_regions >= MIN_REGIONS else KEEP_FEW
        late = np.mean([s.late for s in structures], axis=0)
        directed = (late >= keep) | (probability.T <= REVERSE)
        return probability, (probability >= keep) & directed
    # Which of two channels leads within a period cannot be told from one series, and
    # hidden demand hardly from edges: what counts are lagged edges found either way.
    late = np.min([np.mean([s.late for s in again], axis=0) for again, _ in found], 0)
    p_value = np.max([_p_values_of_past(e) for e in explanations], axis=0)
    clear = p_value < ALPHA_ALONE
    # Of two that seem to drive each other, the clearer one.
    clear &= ~(clear.T & (p_value > p_value.T))
    clear &= np.all([e.structure.late for e in explanations], axis=0)
    return np.where(clear, late, np.minimum(late, UNCLEAR)), clear & (
        late >= KEEP_ALONE
    )


def _p_values_of_past(explanation):
    """Return the significance of each channel's past beside that of all others.

    Returns
    -------
    p_value : ndarray of shape (n_media, n_media)
        Of an F test; 1 where there are too few rows.
    """
    features, gram = explanation.features, explanation.gram
    layout = features.layout
    p_value = np.ones((layout.n_media, layout.n_media))
    n_late = layout.n_lags + 1
    for j in range(layout.n_media):
        others = np.delete(np.arange(layout.n_media), j)
        columns = np.concatenate(
            [layout.drive_late[others].ravel(), layout.late[j], layout.always]
        )
        left = features.n_rows - len(columns)
        if left < n_late:
            continue
        inverse = np.linalg.pinv(gram[np.ix_(columns, columns)], hermitian=True)
        cross = gram[columns, layout.same[j]]
        coef = inverse @ cross
        noise = (gram[layout.same[j], layout.same[j]] - coef @ cross) / left
        for k, i in enumerate(others):
            some = slice(k * n_late, (k + 1) * n_late)
            inner = np.linalg.pinv(inverse[some, some], hermitian=True)
            wald = coef[some] @ inner @ coef[some] / n_late / max(noise, 1e-300)
            p_value[i, j] = f_distribution.sf(wald, n_late, left)
    return p_value


def _verdicts(keep, frequency, features, rules, apart):
    verdict = np.full(keep.shape, VERDICTS[2], dtype=object)
    seen = features.n_rows * rules.min_effect >= SEEN_AT
    # With one region neither direction within a period can be ruled out.
    seen &= _count_regions(features) > 1
    rare = (frequency <= RULE_OUT) & ((frequency.T <= RULE_OUT) | keep.T)
    clear = seen & rare & apart[:, None] & apart
    verdict[(clear | ~rules.allowed) & ~keep] = VERDICTS[1]
    verdict[keep] = VERDICTS[0]
    np.fill_diagonal(verdict, "")
    return verdict


def _moving_apart(features):
    """Return channels that move, and not as another one does, (n_media,), bool.

    Which of two twins others follow, or which follows others, rows do not tell.
    """
    same = features.layout.same
    gram = features.gram(np.zeros(features.rows.shape, dtype=int), 1)[0]
    gram = gram[np.ix_(same, same)]
    size = np.sqrt(np.diag(gram))
    alike = gram >= ALIKE * size * size[:, None]
    twins = (alike & (gram > 0.0)).sum(axis=1) > 1  # with itself
    return (size > 0.0) & ~twins


def _retained(structure, keep, features):
    """Return the retained edges of a structure.

    With one region, a lagged edge says who leads, and what the two share within the
    period is taken to run the same way.
    """
    late = structure.late & keep
    if _count_regions(features) > 1:
        return Structure(structure.same & keep, late)
    return Structure(late & ~reached(late).T, late)


def _equations(structures, grams, features, links):
    """Return the `SpendEquations` of structures, one draw each."""
    layout, scale = features.layout, features.scale
    d, n_late = layout.n_media, layout.n_lags + 1
    same = np.zeros((len(structures), d, d))
    late = np.zeros((len(structures), d, d, n_late))
    own = np.zeros((len(structures), d, n_late))
    for e, (structure, gram) in enumerate(zip(structures, grams, strict=True)):
        for j in range(d):
            columns, coef, _ = fit_equation(gram, layout, structure, j)
            full = np.zeros(len(gram))
            full[columns] = coef
            known = full[: len(scale)] / scale * scale[layout.same[j]]
            own[e, j] = known[layout.late[j]]
            same[e, :, j] = known[layout.drive_same] * structure.same[:, j]
            late[e, :, j] = known[layout.drive_late] * structure.late[:, j, None]
    return SpendEquations(
        **vars(links), same=same, late=late, own=own, tail_decay=TAIL_DECAY
    )


def _weights(structure, explanation):
    """Return standardised weights of edges over all lags, and within the period."""
    features, gram = explanation.features, explanation.gram
    layout, scale = features.layout, features.scale
    n_lags = layout.n_lags
    reach = np.ones(n_lags + 1)
    reach[n_lags] = 1.0 / (1.0 - TAIL_DECAY)
    same = np.zeros((layout.n_media, layout.n_media))
    late = np.zeros_like(same)
    for j in range(layout.n_media):
        columns, coef, _ = fit_equation(gram, layout, structure, j)
        full = np.zeros(len(gram))
        full[columns] = coef
        per_unit = full[: len(scale)] / scale
        drive = scale[layout.drive_same]
        same[:, j] = full[layout.drive_same] * structure.same[:, j]
        late[:, j] = (
            (per_unit[layout.drive_late] @ reach) * drive * structure.late[:, j]
        )
    return same + late, same
