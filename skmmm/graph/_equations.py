"""How spend of channels responds to spend of others, and where spend originates.

With ``u = log1p(x / unit)``, x the spend of a region and period, and the value d by
which a channel drives others, for region r, period t, channel j and draw e::

    u[r, t, j] = own part[r, t, j] + own[j] . lags(u[r, :, j])[t]
                 + sum_i same[i, j] * d[r, t, i]
                 + sum_i late[i, j] . lags(d[r, :, i])[t]
    d          = u; or, where the channel saturates,
                 centre + width * tanh((u - centre) / width); or, where it drives in
                 proportion to spend, straight * expm1(u)
    lags(v)[t] = v[t - 1], ..., v[t - L], sum_{k > L} tail_decay ** (k - L - 1) v[t - k]

The own part holds what moves the channel by itself: its usual size, season, events.
"""

from collections import namedtuple
from dataclasses import dataclass, replace

import numpy as np

_SHARES_AT_ONCE = 2**22  # bounds the memory of origin shares


@dataclass(frozen=True, eq=False)
class SpendEquations:
    """Equations of spend; draws (E) first, then channels (M) or lags (L).

    Attributes
    ----------
    unit : ndarray of shape (R, M)
        Of spend, in the units of X.
    centre : ndarray of shape (R, M)
        Of u, around which a saturating channel drives others most.
    width : ndarray of shape (M,)
        Of u; infinite where the channel does not saturate.
    straight : ndarray of shape (R, M)
        Value per unit of spend, in units of `unit`; nan where the channel does not
        drive in proportion to spend.
    same : ndarray of shape (E, M, M)
        ``[i, j]``: i drives j within the period; without cycles.
    late : ndarray of shape (E, M, M, L + 1)
        ``[i, j]``: i drives j at lags 1 to L, and beyond.
    own : ndarray of shape (E, M, L + 1)
        Persistence of each channel.
    tail_decay : float in [0, 1)
        Factor from one lag beyond L to the next.
    """

    unit: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    straight: np.ndarray
    same: np.ndarray
    late: np.ndarray
    own: np.ndarray
    tail_decay: float

    @property
    def n_draws(self):
        """Number of draws."""
        return len(self.same)

    def at(self, draws, channels=None):
        """Return the equations of some draws (and among some channels only).

        Parameters
        ----------
        draws : slice or ndarray of int or bool
        channels : ndarray of int, default=None
            None: all.
        """
        some = replace(
            self, same=self.same[draws], late=self.late[draws], own=self.own[draws]
        )
        if channels is None:
            return some
        return replace(
            some,
            unit=self.unit[:, channels],
            centre=self.centre[:, channels],
            width=self.width[channels],
            straight=self.straight[:, channels],
            same=some.same[:, channels[:, None], channels],
            late=some.late[:, channels[:, None], channels],
            own=some.own[:, channels],
        )

    def in_regions(self, regions):
        """Return the equations of some regions."""
        return replace(
            self,
            unit=self.unit[regions],
            centre=self.centre[regions],
            straight=self.straight[regions],
        )

    def extended(self, n_regions):
        """Append average regions until there are `n_regions`."""
        n_new = n_regions - len(self.unit)
        if not n_new:
            return self

        def extend(values):
            average = np.broadcast_to(values.mean(axis=0), (n_new, *values.shape[1:]))
            return np.concatenate([values, average])

        return replace(
            self,
            unit=extend(self.unit),
            centre=extend(self.centre),
            straight=extend(self.straight),
        )

    def edges(self):
        """Return who drives whom at any lag, shape (E, M, M), bool."""
        edges = (self.same != 0) | (self.late != 0).any(axis=3)
        return edges & ~np.eye(edges.shape[1], dtype=bool)

    def reach(self):
        """Return who drives whom through any path, per draw, shape (E, M, M), bool.

        A channel reaches itself.
        """
        return reached(self.edges())

    def _joined(self):
        """Return the channels that drive others or are driven in any draw."""
        edges = self.edges().any(axis=0)
        return np.flatnonzero(edges.any(axis=0) | edges.any(axis=1))

    def distinct(self):
        """Return the equations of draws that differ, and which of them each draw has.

        Returns
        -------
        equations : SpendEquations
        draw : ndarray of shape (E,), int
        """
        parts = (self.same, self.late, self.own)
        rows = np.concatenate([part.reshape(self.n_draws, -1) for part in parts], 1)
        _, first, draw = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return self.at(first), draw.reshape(-1)

    def descendants(self):
        """Return whether j can react to i in any draw, ``[i, j]``, shape (M, M)."""
        return self.reach().any(axis=0) & ~np.eye(self.same.shape[1], dtype=bool)

    def react(self, media, changed, channel):
        """Return the spend of all channels if one had been spent otherwise.

        What moved each of the others by itself is read off the observed spend and held
        (abduction), the channel is set (action), the others follow (prediction) [1]_:
        differences in u then obey the equations without their own parts. Nothing
        feeds back into the channel that is set. Channels without spend in a period
        stay without, and spend does not fall below zero.

        Parameters
        ----------
        media : ndarray of shape (R, T, M)
            Observed, in the units of X.
        changed : ndarray of shape (..., R, T)
            Spend of `channel` instead; leading axes are alternatives.
        channel : int

        Returns
        -------
        media : ndarray of shape (..., E, R, T, M)

        References
        ----------
        .. [1] Pearl (2009). Causality, 2nd ed., section 7.1.
        """
        alternatives = changed.reshape(-1, *changed.shape[-2:])  # (G, R, T)
        answer = np.empty((len(alternatives), self.n_draws, *media.shape))
        answer[:] = media
        answer[..., channel] = _checked(alternatives)[:, None]
        equations, draw = self.distinct()
        others, spend = equations.responses(media, alternatives, channel)
        for one, moved in zip(others, spend, strict=True):
            answer[..., one] = moved[draw].swapaxes(0, 1)
        return answer.reshape(*changed.shape[:-2], *answer.shape[1:])

    def responses(self, media, changed, channel):
        """Return what others spend if one channel had been spent otherwise.

        As in `react`, of those channels only that respond to it in some draw.

        Parameters
        ----------
        media : ndarray of shape (R, T, M)
        changed : ndarray of shape (G, R, T)
        channel : int

        Returns
        -------
        others : ndarray of shape (C,), int
        spend : ndarray of shape (C, E, G, R, T)
        """
        others = np.flatnonzero(self.descendants()[channel])
        if not len(others):
            return others, np.empty((0, self.n_draws, *changed.shape))
        channels = np.append(channel, others)
        equations = self.extended(len(media)).at(slice(None), channels)
        some = media[..., channels]
        planned = np.repeat(some[None], len(changed), axis=0)
        planned[..., 0] = changed
        followed = equations._followed(some, planned, held=True)
        return others, _checked(np.ascontiguousarray(np.moveaxis(followed, -1, 0)))

    def follow(self, media, planned):
        """Return the spend of all channels if what each does by itself is planned.

        As in `react`, but of all channels at once: what others induce in a channel, or
        no longer do, comes on top of its plan.

        Parameters
        ----------
        media : ndarray of shape (R, T, M)
            Observed, in the units of X.
        planned : ndarray of shape (R, T, M)
            What the channels would spend if none responded to another's change.

        Returns
        -------
        media : ndarray of shape (E, R, T, M)
        """
        answer = np.empty((self.n_draws, *media.shape))
        answer[:] = planned
        joined = self._joined()
        if len(joined):
            equations = self.extended(len(media)).at(slice(None), joined)
            some = equations._followed(media[..., joined], planned[None, ..., joined])
            answer[..., joined] = some[:, 0]
        return _checked(answer)

    def _followed(self, media, planned, *, held=False):
        """Return what all spend, (R, T, M), (G, R, T, M) -> (E, G, R, T, M).

        All but the first, if that is held.
        """
        media, planned = _by_period(media), planned.transpose(2, 3, 0, 1)
        unit = np.ascontiguousarray(self.unit.T)  # (M, R)
        u = np.log1p(media / unit)  # (T, M, R)
        path = np.log1p(planned / unit[:, None]) - u[:, :, None]  # (T, M, G, R)
        with np.errstate(over="ignore", invalid="ignore"):
            moves = self._moves(u, path, held)  # (T, E, M, G, R)
            if held:
                moves, u, media, unit = (
                    moves[:, :, 1:],
                    u[:, 1:],
                    media[:, 1:],
                    unit[1:],
                )
            still, media = moves == 0, media[:, None, :, None]
            moves += u[:, None, :, None]
            spend = np.expm1(moves, out=moves)
            spend *= unit[:, None]
        np.copyto(spend, media, where=still)
        return spend.transpose(1, 3, 4, 0, 2)

    def _moves(self, u, path, held):
        """Return the change of u of every channel.

        Parameters
        ----------
        u : ndarray of shape (T, M, R)
        path : ndarray of shape (T, M, G, R)
            Change of u by plan in each of G alternatives, before others are answered.
        held : bool
            Whether the first channel responds to none.

        Returns
        -------
        moves : ndarray of shape (T, E, M, G, R)
        """
        shape = (self.n_draws, *path.shape[1:])  # (E, M, G, R)
        moves = np.zeros((len(u), *shape))
        answers = self.edges().any(axis=(0, 1)) & (np.arange(shape[1]) >= held)
        past = _Past(self, shape)
        steps = [step for step in past.steps if answers[step.at[1]].any()]
        alone = np.flatnonzero(~answers)
        first = np.argmax((path != 0).any(axis=(1, 2, 3)))
        for t in range(first, len(u)):
            moves[t] = path[t]
            induced, drive = np.zeros((2, *shape))
            drive[:, alone] = self._driven(u[t, alone][:, None], path[t, alone], alone)
            for step in steps:
                at, j = step.at, step.at[1]
                now, plan = u[t, j][..., None, :], path[t, j]  # ([E,] 1, R), (.., G, R)
                more = np.maximum(past.adds(step, drive), -now - plan)
                open_to = (now > 0) & answers[j][..., None, None]
                induced[at] = more = np.where(open_to, more, 0.0)
                moves[t][at] = more = plan + more
                drive[at] = self._driven(now, more, j)
            past.append(induced, drive)
        for drive in past.drives:  # what overflowed once is in the last of them
            _checked(drive)
        return moves

    def origin_shares(self, media):
        """Return which share of each channel's spend originates in which channel.

        The share of k in the spend of j is the elasticity of that spend with respect
        to the spend that originates in k, over all lags and paths: how many percent it
        would change for one percent more. Where spend responds in proportion this is
        the Aumann-Shapley value [1]_: along the path on which all that originates
        grows from nothing together, each part brings its gradient times its size
        throughout, and by the fundamental theorem of calculus the parts sum to the
        spend. Where it responds otherwise, elasticities are taken where spend is, not
        extrapolated to a world without the parent, which nobody saw. Persistence
        passes on what is induced, and what does not come from others originates in
        the channel itself.

        Parents that raise a channel's spend cannot raise it by more than all of it,
        and what lowers it is held to the same size: beyond, their shares are scaled
        down. Spend that is not there originates in the channel itself.

        Parameters
        ----------
        media : ndarray of shape (R, T, M)
            In the units of X.

        Returns
        -------
        shares : ndarray of shape (E, R, T, M, M)
            ``[..., k, j]``: of channel j's spend, from channel k. Sums to one over k.

        References
        ----------
        .. [1] Aumann and Shapley (1974). Values of Non-Atomic Games. Princeton.
        """
        itself = np.eye(media.shape[2])
        shares = np.empty((self.n_draws, *media.shape, len(itself)))
        shares[:] = itself
        draws = np.flatnonzero(self.edges().any(axis=(1, 2)))
        if not len(draws):
            return shares
        joined = self._joined()
        equations = self.extended(len(media)).at(draws, joined)
        some = media[..., joined]
        u = _by_period(np.log1p(some / equations.unit[:, None]))  # (T, M, R)
        itself = itself[joined[:, None], joined][..., None]
        where = np.ix_(draws, np.arange(len(media)), np.arange(1), joined, joined)
        for t, parts in enumerate(equations._parts(u)):
            size = np.where(u[t] > 0, -np.expm1(-u[t]), 1.0)[:, None]
            share = np.where(u[t][:, None] > 0, parts / size, itself)
            where[2][...] = t
            shares[where] = share.transpose(0, 3, 2, 1)[:, :, None]
        return shares

    def each_origin_shares(self, media):
        """Yield the `origin_shares` of one draw after the other, (R, T, M, M)."""
        at_once = max(1, _SHARES_AT_ONCE // max(1, media.size * media.shape[2]))
        for start in range(0, self.n_draws, at_once):
            yield from self.at(slice(start, start + at_once)).origin_shares(media)

    def _parts(self, u):
        """Yield how u responds to what originates in each channel, period by period.

        Parameters
        ----------
        u : ndarray of shape (T, M, R)

        Yields
        ------
        parts : ndarray of shape (E, M, M, R)
            ``[e, j, k]``: change of u of channel j per relative change of the spend
            that originates in channel k. Over k they sum to ``1 - exp(-u)``, the
            change of u for all spend.
        """
        n_media, n_regions = u.shape[1:]
        shape = (self.n_draws, n_media, n_media, n_regions)
        past = _Past(self, shape)
        for now in u:
            size, steepness = -np.expm1(-now), self._steepness(now)  # (M, R)
            parts, drive = np.zeros(shape), np.zeros(shape)
            for step in past.steps:
                at, j = step.at, step.at[1]
                induced = past.adds(step, drive)
                induced[at] = 0.0  # (E, M, R), from others only
                induced = _bounded(induced, size[j][..., None, :])
                induced[at] = size[j] - induced.sum(axis=1)
                parts[at] = induced
                drive[at] = induced * steepness[j][..., None, :]
            past.append(parts, drive)
            yield parts

    def _steepness(self, u):
        """Return the derivative of d with respect to u, shape (M, R)."""
        straight, width = self.straight.T, self.width[:, None]
        curved, proportional = np.isfinite(width), np.isfinite(straight)
        distance = (u - self.centre.T) / np.where(curved, width, 1.0)
        steepness = np.where(curved, 1.0 - np.tanh(distance) ** 2, 1.0)
        return np.where(proportional, straight * np.exp(u), steepness)

    def _driven(self, u, step, channel):
        """Return the change of d if u changes by a step.

        Parameters
        ----------
        u, step : ndarray of shape ([E or M,] 1 or more, R)
        channel : int, ndarray of shape (E,), or slice(None) for all M channels
        """
        width = self.width[:, None, None][channel]
        straight = self.straight.T[:, None][channel]
        curved, proportional = np.isfinite(width), np.isfinite(straight)
        if curved.any():
            centre = self.centre.T[:, None][channel]
            width = np.where(curved, width, 1.0)
            before = np.tanh((u - centre) / width)
            after = np.tanh((u + step - centre) / width)
            step = np.where(curved, width * (after - before), step)
        if proportional.any():
            more = straight * np.exp(u) * np.expm1(np.where(proportional, step, 0.0))
            step = np.where(proportional, more, step)
        return step

    def _order(self):
        """Return channels with parents in the same period first, shape (E, M)."""
        driven = self.same != 0
        depth = np.zeros(driven.shape[:2], dtype=int)
        for _ in range(driven.shape[1]):
            # Longest path that leads to a channel.
            depth = np.where(driven, depth[:, :, None] + 1, 0).max(axis=1)
        if (depth >= driven.shape[1]).any():
            raise ValueError("Channels drive each other in a cycle within a period.")
        return np.argsort(depth, axis=1, kind="stable")


_Step = namedtuple("_Step", "at own driven")


class _Past:
    """What earlier periods, and drives of this one, add to one channel after the other.

    Parameters
    ----------
    equations : SpendEquations
    shape : tuple
        (E, M, G, R) of the values of one period.

    Attributes
    ----------
    steps : list of _Step
        The channel that comes next in each draw, an index of (E, M), and the weights,
        (E, 1, 1), of what adds to it: by lag, and by driving channel and lag.
    """

    def __init__(self, equations, shape):
        n_lags = equations.own.shape[2]
        self.decay = equations.tail_decay
        self.values, self.drives = ([np.zeros(shape)] * n_lags for _ in range(2))
        edges = np.concatenate([equations.same[..., None], equations.late], axis=3)
        self.steps = []
        for j in equations._order().T:
            alike = (j == j[0]).all()
            at = (slice(None), j[0]) if alike else (np.arange(len(j)), j)
            own = _weights(equations.own[at])
            self.steps.append(_Step(at, own, _weights(edges.swapaxes(1, 2)[at])))

    def adds(self, step, drive):
        """Return what adds to one channel of each draw, shape (E, G, R)."""
        drives, total = [drive, *self.drives], np.zeros_like(drive[step.at])
        for (lag,), weight in step.own:
            total += weight * self.values[lag][step.at]
        for (channel, lag), weight in step.driven:
            total += weight * drives[lag][:, channel]
        return total

    def append(self, value, drive):
        """Move on by one period."""
        for lags, new in ((self.values, value), (self.drives, drive)):
            tail = self.decay * lags.pop()
            lags.insert(0, new)
            lags[-1] = lags[-1] + tail


def _weights(weights):
    """Return pairs of index and weights, (E, 1, 1), that are not zero in all draws."""
    used = np.argwhere((weights != 0).any(axis=0)).tolist()
    return [(i, weights[(slice(None), *i, None, None)]) for i in used]


def _checked(spend):
    if not np.isfinite(spend).all():
        raise ValueError(
            "How other channels respond to this spend is beyond what can be computed. "
            "Ask for spend closer to what was observed, or for effect='direct'."
        )
    return spend


def reached(edges):
    """Return who is reached from whom through any path, itself included.

    Parameters
    ----------
    edges : ndarray of shape (..., M, M), bool
    """
    reach = edges | np.eye(edges.shape[-1], dtype=bool)
    for _ in range(edges.shape[-1].bit_length()):
        reach = reach @ reach  # paths of up to twice the length
    return reach


def _by_period(values):
    """Return values of shape (R, T, M) as (T, M, R)."""
    return np.ascontiguousarray(values.transpose(1, 2, 0))


def _bounded(induced, most):
    """Scale parts of one sign down where together they exceed a size.

    Parameters
    ----------
    induced : ndarray of shape (E, M, R)
    most : ndarray of shape (E, 1, R)
    """
    up = np.maximum(induced, 0.0)
    down = np.minimum(induced, 0.0)
    for part in (up, down):
        size = np.abs(part.sum(axis=1, keepdims=True))
        part *= np.minimum(1.0, most / np.where(size > 0, size, 1.0))
    return up + down
