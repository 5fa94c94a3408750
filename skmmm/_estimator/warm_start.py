"""Where a fit starts that has another one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skmmm._data.checks import Columns, in_words
from skmmm._data.tables import region_codes

if TYPE_CHECKING:
    from skmmm._model.network import OutcomeNetwork


class LastFit(NamedTuple):
    """What a fit found.

    Attributes
    ----------
    network : OutcomeNetwork
    columns : Columns
    regions : ndarray of shape (n_regions,)
    """

    network: OutcomeNetwork
    columns: Columns
    regions: np.ndarray

    def check_columns(self, columns: Columns) -> None:
        """Raise if channels or controls are others."""
        for role in ("media", "controls"):
            before, now = getattr(self.columns, role), getattr(columns, role)
            if before != now:
                raise ValueError(
                    f"warm_start=True needs the {role} of the last fit, which were "
                    f"{in_words(before) or 'none'}; now they are "
                    f"{in_words(now) or 'none'}. Set warm_start=False, or fit a clone."
                )

    def move(self, network: OutcomeNetwork, regions: np.ndarray) -> None:
        """Move a network of regions to where this one is, in place."""
        from skmmm._model.starts import start_at  # torch takes seconds to import

        before = region_codes(regions, self.regions)
        start_at(network, self.network, before.astype(np.int64))
