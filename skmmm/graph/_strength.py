"""How strongly each region's channels answer to each other.

Where planners of one region let all channels follow more than those of another, the
part of a parent that average weights leave behind is in all its children, and looks
like edges between them.
"""

import numpy as np

from skmmm.graph._search import fit_equation

# Standard deviations of strength between regions that are tried.
SPREADS = np.arange(0.0, 1.01, 0.02)
# Of strength: no region answers the other way round, or without measure.
BOUNDS = 0.1, 3.0
# With fewer regions nothing is known of how they differ.
MIN_REGIONS = 10


def region_strength(explanation):
    r"""Return how strongly channels drive each other, over the average, by region.

    With average weights, what parents explain of child j in region r is
    :math:`p_{rtj}`, and what is left of it
    :math:`e_{rtj} = \delta_r p_{rtj} + \varepsilon_{rtj}`. The least squares estimate
    of :math:`\delta_r` over all children is shrunk to zero as its prior
    :math:`N(0, s^2)` says, with s by maximum likelihood (empirical Bayes [1]_).

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    strength : ndarray of shape (n_regions,)
        :math:`1 + \delta_r`; ones where regions do not differ clearly.

    References
    ----------
    .. [1] Swamy (1970). Efficient Inference in a Random Coefficient Regression Model.
       Econometrica 38.
    """
    product, square = _evidence(explanation)
    known = square > 0
    strength = np.ones(len(square))
    if known.sum() < MIN_REGIONS:
        return strength
    product, square = product[known], square[known]
    # The product has the variance square + s^2 square^2.
    ratio = 1.0 + SPREADS[:, None] ** 2 * square
    misfit = (np.log(ratio) + product**2 / (square * ratio)).sum(axis=1)
    best = int(misfit.argmin())
    if misfit[0] - misfit[best] < np.log(known.sum()):  # BIC, of one parameter
        return strength
    variance = SPREADS[best] ** 2
    strength[known] = 1.0 + variance * product / (1.0 + variance * square)
    return np.clip(strength, *BOUNDS)


def _evidence(explanation):
    """Return sums of products of p and e, and of squares of p, over noise, (R,)."""
    features, structure = explanation.features, explanation.structure
    gram, layout, values = explanation.gram, features.layout, features.values
    count = np.maximum(features.rows.sum(axis=1), 1)
    product, square = np.zeros((2, len(values)))
    for j in np.flatnonzero(structure.edges.any(axis=0)):
        columns, coef, _ = fit_equation(gram, layout, structure, j)
        held = layout.late.shape[1] + len(layout.always)
        error = values[..., layout.same[j]] - values[..., columns] @ coef
        part = values[..., columns[held:]] @ coef[held:]
        noise = (error**2).sum(axis=1) / count
        noise = np.where(noise > 0, noise, np.inf)
        product += (part * error).sum(axis=1) / noise
        square += (part**2).sum(axis=1) / noise
    return product, square
