"""When the effects of a fitted model come: carry-over, and slow stocks of channels."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skmmm._data.panel import Panel
from skmmm._model.threads import one_thread
from skmmm._utils.typing import Array
from skmmm.inspection._protocol import BrandEffects, By, TableCounterfactual

if TYPE_CHECKING:
    from skmmm._model.outcome import OutcomeModel

_N_GUESSES, _N_GUESSES_WITH_STOCK = 4000, 400  # draws of the prior


class LateEffects(TableCounterfactual):
    """What a `ModelCounterfactual` says of the time in which effects arrive."""

    model: OutcomeModel
    panel: Panel
    shown: np.ndarray

    if TYPE_CHECKING:

        @cached_property
        def in_x(self) -> np.ndarray: ...

        def media_scaled(self, factor: float) -> Array: ...

    @property
    def has_stock(self) -> bool:
        return self.model.network.channel_priors.stock is not None

    @cached_property
    def counted(self) -> np.ndarray:
        """Cells that spend of X's rows reaches, shape (R, T), bool."""
        reached = in_x = self.in_x
        if self.has_stock:
            return np.logical_or.accumulate(in_x, axis=1) & self.panel.observed
        for lag in range(1, self.model.network.sizes.max_lag + 1):
            reached = reached.copy()
            reached[:, lag:] |= in_x[:, :-lag]
        return reached & self.panel.observed

    def lag_weights(self, *, draws: bool = False) -> Array:
        from skmmm._model.stock import arrival_weights  # torch takes seconds to import

        with one_thread():
            return arrival_weights(self.model, draws=draws)[:, self.shown]

    def prior_lag_weights(self) -> Array:
        n_guesses = _N_GUESSES_WITH_STOCK if self.has_stock else _N_GUESSES
        return self._guessing(n_guesses).lag_weights(draws=True)

    def carryover_weights(self, *, draws: bool = False) -> Array:
        with one_thread():
            return self.model.summary(draws=draws)["carryover"][:, self.shown]

    def prior_carryover_weights(self) -> Array:
        return self._guessing(_N_GUESSES).carryover_weights(draws=True)

    def _guessing(self, n_guesses):
        """Return the counterfactual whose draws are of the prior."""
        prior = replace(self.model, draws=self.model.network.prior_guess(n_guesses))
        return replace(self, model=prior)  # type: ignore

    def to_come(self, *, draws: bool = False) -> Array:
        """See `Counterfactual`; of what spend of X's rows put into stocks."""
        if not self.has_stock:
            return super().to_come(draws=draws)
        now, none = (
            self._in_stocks(media, self.counted, draws=draws)
            for media in (self.panel.media, self.media_scaled(0.0))
        )
        return now - none

    def _in_stocks(self, media, cells, *, draws):
        """Return what stocks hold after the last of some cells, (E, n_media)."""
        from skmmm._model.stock import still_to_come

        period = np.where(cells, np.arange(cells.shape[1]), -1)
        last = period.max(axis=1)
        with one_thread():
            found = still_to_come(self.model, self.panel, media, last, draws=draws)
        return found[:, self.shown]

    @cached_property
    def _expected_stocks(self):
        """Prior draws of shares, (n_guesses, n_media), and half-life of stocks."""
        from skmmm._model.stock import stock_parameters

        with one_thread():
            return stock_parameters(self.model.network.prior_guess(_N_GUESSES))

    def brand_effects(self, by: By = None, *, draws: bool = False) -> BrandEffects:
        """See `Counterfactual`; by the equation with which `fit` learns."""
        if not self.has_stock:
            return super().brand_effects(by, draws=draws)
        from skmmm._model.stock import short_and_long, stock_parameters

        expected, expected_life = self._expected_stocks
        group, names = self.groups(by)
        slow = self.model.network.channel_priors.stock.numpy()[self.shown] > 0

        def summed(rows):
            total = np.zeros((len(names), *rows.shape[:2]))
            np.add.at(total, group, np.moveaxis(rows, 2, 0))
            return np.moveaxis(total, 0, 1)[..., self.shown][..., slow]

        with one_thread():
            at_once, late = short_and_long(self.model, self.panel, draws=draws)
            share, life = stock_parameters(self.model.network_of(draws=draws))
        left = self._in_stocks(self.panel.media, self.in_x, draws=draws)
        return BrandEffects(
            channels=np.flatnonzero(slow),
            short=summed(at_once),
            long=summed(late),
            to_come=left[:, slow],
            share=share[:, self.shown][:, slow],
            half_life=life,
            expected_share=expected[:, self.shown][:, slow],
            expected_half_life=expected_life,
        )
