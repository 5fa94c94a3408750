"""One factor in what budgets do, by Whittle's likelihood."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from skmmm._model.factor_draws import explore

N_CONJUGATE = 40  # steps of conjugate gradients
# Rounds in which regions say how strongly their budgets follow, and how far loadings
# of regions are apart before any of them.
N_OF_REGIONS, APART_AT_FIRST = 30, 0.1
LEAST_OWN = 0.02  # share of log spend that is a channel's own in every period
LASTS, LASTS_SPREAD = 0.72, 0.4  # persistence of demand, and prior sd of its artanh
OWN_SPREAD = 2.0  # prior sd of the logarithm of what else they have for themselves


@dataclass(frozen=True, eq=False)
class Factor:
    """One factor with AR(1) demand, and own movements: AR(1), and a little white.

    Attributes
    ----------
    loading, own_sd, own_persistence : ndarray of shape (M,)
    persistence : float
    n_periods : int
    """

    loading: np.ndarray
    own_sd: np.ndarray
    own_persistence: np.ndarray
    persistence: float
    n_periods: int

    @classmethod
    def of(cls, vector, n_periods):
        """Return the factor of parameters as they are searched."""
        n_media = len(vector) // 3
        return cls(
            loading=vector[:n_media],
            own_sd=np.exp(vector[2 * n_media : -1]),
            own_persistence=np.tanh(vector[n_media : 2 * n_media]),
            persistence=float(np.tanh(vector[-1])),
            n_periods=n_periods,
        )

    def vector(self):
        """Return the parameters as `FactorPosterior` searches them."""
        return np.concatenate(
            [
                self.loading,
                np.arctanh(self.own_persistence),
                np.log(self.own_sd),
                [np.arctanh(self.persistence)],
            ]
        )

    def _spectra(self, loading):
        """Return spectra: demand, (K,), what spend leaves of it, ([R,] K), and own.

        With loadings of all regions, (M,), or of each, (R, M).
        """
        angle = 2.0 * np.pi * np.arange(self.n_periods // 2 + 1) / self.n_periods
        demand = ar_spectrum(self.persistence, angle)
        lasting = ar_spectrum(self.own_persistence, angle[:, None])
        own = LEAST_OWN + self.own_sd**2 * lasting
        told = loading**2 @ (1.0 / own).T
        return demand, demand / (1.0 + demand * told), own

    def known(self, loading):
        """Return the share of the variance of demand that spend tells."""
        _, left, _ = self._spectra(loading)
        return float(1.0 - np.fft.irfft(left, n=self.n_periods)[..., 0].mean())

    def smooth(self, spend, loading):
        """Return demand given spend of all cells, (R, T, M) -> (R, T)."""
        demand, _ = self._expected(np.fft.rfft(spend, axis=1), loading)
        return np.fft.irfft(demand, n=self.n_periods, axis=1)

    def _expected(self, moved, loading):
        """Return demand given spend in the frequency domain, and what is left of it."""
        _, left, own = self._spectra(loading)
        loading = np.broadcast_to(loading, (len(moved), moved.shape[2]))
        told = np.einsum("rkm,rm->rk", moved / own, loading)
        return told * left, np.broadcast_to(left, told.shape)

    def by_region(self, spend):
        """Return loadings of each region, normal around those of all, (R, M).

        By EM: demand given loadings, loadings given demand, and how far they are apart.
        """
        loading, apart = self.loading, np.full(len(self.loading), APART_AT_FIRST**2)
        moved = np.fft.rfft(spend, axis=1) / np.sqrt(self.n_periods)
        _, _, own = self._spectra(loading)
        weight = 2.0 * _weights(self.n_periods).numpy()[:, None] / own  # of both signs
        for _ in range(N_OF_REGIONS):
            demand, left = self._expected(moved, loading)
            squares = (np.abs(demand) ** 2 + left) @ weight
            products = np.einsum("rk,rkm->rm", demand.conj(), moved * weight).real
            unknown = 1.0 / (squares + 1.0 / apart)
            loading = unknown * (products + self.loading / apart)
            apart = ((loading - self.loading) ** 2 + unknown).mean(axis=0)
        return loading

    def _precise(self, spend):
        """Multiply spend (R, T, M) by the precision matrix of the model."""
        _, left, own = self._spectra(self.loading)
        moved = np.fft.rfft(spend, axis=1) / own
        common = (moved * self.loading).sum(axis=2) * left
        moved = moved - common[..., None] * self.loading / own
        return np.fft.irfft(moved, n=self.n_periods, axis=1)

    def filled(self, spend, seen, noise=None):
        """Return spend with its expectation where it was not seen.

        With `noise`, standard normals of shape (R, T, 1 + M), a draw instead.
        """
        start = np.where(seen, spend, 0.0)
        drawn = np.zeros_like(start)
        if noise is not None:
            demand, _, own = self._spectra(self.loading)
            moved = np.fft.rfft(noise, axis=1)
            common = moved[..., :1] * (np.sqrt(demand)[:, None] * self.loading)
            moved = common + moved[..., 1:] * np.sqrt(own)
            drawn = np.fft.irfft(moved, n=self.n_periods, axis=1)
            start = np.where(seen, start - drawn, 0.0)
        missing = ~seen
        found = np.zeros_like(start)
        left = np.where(missing, -self._precise(start), 0.0)
        direction, size = left, (left**2).sum()
        aim = 1e-6 * size
        for _ in range(N_CONJUGATE):
            if size <= aim or size == 0.0:
                break
            moved = np.where(missing, self._precise(direction), 0.0)
            step = size / (direction * moved).sum()
            found = found + step * direction
            left = left - step * moved
            before, size = size, (left**2).sum()
            direction = left + size / before * direction
        return np.where(seen, spend, found + drawn)


def ar_spectrum(persistence, angle):
    """Spectrum of an AR(1) of unit variance."""
    cosine = torch.cos(angle) if torch.is_tensor(angle) else np.cos(angle)
    square = persistence**2
    return (1.0 - square) / (1.0 + square - 2.0 * persistence * cosine)


class FactorPosterior:
    """What spend (R, T, M), worth so many independent regions, tells of its factor.

    Parameters
    ----------
    spend : ndarray of shape (R, T, M)
    rows : float
    expected : tuple of ndarray of shape (M,) and float
        Mean and standard deviation of the prior of loadings.
    """

    def __init__(self, spend, rows, expected):
        self.n_periods = spend.shape[1]
        moved = np.fft.rfft(spend, axis=1) / np.sqrt(self.n_periods)
        power = np.einsum("rki,rkj->kij", moved, moved.conj()).real / rows
        self._likelihood = _Whittle(torch.from_numpy(power), rows, self.n_periods)
        self._mean, self._sd = torch.from_numpy(expected[0]), expected[1]
        loading = expected[0] if expected[0].any() else _first_component(spend)
        own = np.full(len(loading), 0.2), np.full(len(loading), -0.2)
        self._start = np.concatenate([loading, *own, [np.arctanh(LASTS)]])

    def log_density(self, vectors):
        """Return the log density of vectors, (..., 3 M + 1) -> (...)."""
        n_media = len(self._mean)
        loading, own, own_log, lasts = vectors.split([n_media] * 3 + [1], dim=-1)
        value = self._likelihood(loading, own, own_log, lasts)
        away = (lasts[..., 0] - np.arctanh(LASTS)) / LASTS_SPREAD
        size = ((loading - self._mean) / self._sd).square() + own.square()
        size = size + (own_log / OWN_SPREAD).square()
        return value - 0.5 * (size.sum(dim=-1) + away.square())

    def mode(self, start=None):
        """Return the likeliest `Factor`, searched from another one if there is one."""
        start = self._start if start is None else start.vector()
        best = _maximum(self.log_density, start)
        n_media = len(self._mean)
        if best[:n_media].sum() < 0 and not self._mean.any():
            best[:n_media] *= -1.0
        return Factor.of(best, self.n_periods)

    def draws(self, mode, generator):
        """Return draws of the `Factor` from chains around its mode, with its sign."""
        found = explore(self.log_density, torch.from_numpy(mode.vector()), generator)
        found = found.numpy()
        if not self._mean.any():  # the density is the same on both sides
            loading = found[:, : len(mode.loading)]
            loading[loading @ mode.loading < 0.0] *= -1.0
        return [Factor.of(vector, self.n_periods) for vector in found]


def _weights(n_periods):
    """Return how much each frequency counts, (K,)."""
    weight = torch.ones(n_periods // 2 + 1, dtype=torch.float64)
    weight[0] = 0.0  # means were taken out
    if n_periods % 2 == 0:
        weight[-1] = 0.5
    return weight


class _Whittle:
    """Whittle's log likelihood of the model, from mean periodograms (K, M, M)."""

    def __init__(self, power, rows, n_periods):
        n_frequencies = len(power)
        self.power, self.own_power = power, torch.diagonal(power, dim1=1, dim2=2)
        self.angle = torch.arange(n_frequencies, dtype=torch.float64)
        self.angle = self.angle * (2.0 * np.pi / n_periods)
        self.weight = rows * _weights(n_periods)

    def __call__(self, loading, own_persistence, own_log, persistence):
        own_persistence, own_log = own_persistence[..., None, :], own_log[..., None, :]
        loading = loading[..., None, :]
        own = ar_spectrum(torch.tanh(own_persistence), self.angle[:, None])
        own = LEAST_OWN + torch.exp(2.0 * own_log) * own
        demand = ar_spectrum(torch.tanh(persistence), self.angle)
        told = loading / own
        unknown = 1.0 + demand * (told * loading).sum(dim=-1)
        size = torch.log(own).sum(dim=-1) + torch.log(unknown)
        misfit = (self.own_power / own).sum(dim=-1)
        explained = torch.einsum("...ki,kij,...kj->...k", told, self.power, told)
        misfit = misfit - demand / unknown * explained
        return -(self.weight * (size + misfit)).sum(dim=-1)


def _maximum(function, start):
    """Return where a function of a vector is largest."""

    def objective(vector):
        free = torch.from_numpy(vector).requires_grad_()
        value = -function(free)
        (gradient,) = torch.autograd.grad(value, free)
        return value.item(), gradient.numpy()

    options = {"maxiter": 300, "gtol": 1e-3}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return found.x


def _first_component(spend):
    """Return loadings to start from: the first principal component's."""
    flat = spend.reshape(-1, spend.shape[2])
    variance, direction = np.linalg.eigh(flat.T @ flat / len(flat))
    found = direction[:, -1] * np.sqrt(max(variance[-1] - 1.0, 0.05))
    return np.clip(found * (1.0 if found.sum() >= 0 else -1.0), -0.9, 0.9)
