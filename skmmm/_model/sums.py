"""Sums over all regions where each of several processes holds some of them.

Anywhere else there is one process, which holds all: its sums are those of all, to the
bit, and cost nothing. A function that several processes run has to come to the same
sums in the same order in each, and outside of `of_each`.
"""

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad


class PeerLostError(Exception):
    """Another process no longer answers."""


@dataclass(eq=False)
class Ranks:
    """Processes that each hold some of the regions, in their order.

    Attributes
    ----------
    group : ProcessGroupGloo or None
        None: this process has left, which ends the sums that others wait for.
    rank : int
        Of this process.
    size : int
        How many there are.
    n_regions : int
        Of the panel that they share.
    decide : callable
        As `decided`.
    """

    group: Any
    rank: int
    size: int
    n_regions: int
    decide: Callable

    def total(self, tensor):
        """Return the sum of the tensors of all processes, without derivatives."""
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        self._wait(lambda: self.group.allreduce([total]))
        return total

    def first(self, tensor):
        """Return the tensor of the first process, without derivatives."""
        from torch.distributed import BroadcastOptions

        first = tensor.detach().clone(memory_format=torch.contiguous_format)
        options = BroadcastOptions()
        options.rootRank = 0
        self._wait(lambda: self.group.broadcast([first], options))
        return first

    def each(self, tensor):
        """Return the tensors of all processes, of the same shape."""
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        self._wait(lambda: self.group.allgather([found], [tensor]))
        return found

    def leave(self):
        """Take part in no more sums."""
        self.group = None

    def _wait(self, start):
        try:
            start().wait()
        except RuntimeError as error:
            raise PeerLostError(str(error)) from error


_ranks: ContextVar[Ranks | None] = ContextVar("ranks", default=None)


@contextmanager
def among(ranks):
    """Take sums over these processes."""
    token = _ranks.set(ranks)
    try:
        yield
    finally:
        _ranks.reset(token)


def is_first():
    """Return whether this process is the first of those that hold regions."""
    ranks = _ranks.get()
    return ranks is None or ranks.rank == 0


def are_several():
    """Return whether several processes hold the regions."""
    return _ranks.get() is not None


def own_tasks(n_tasks):
    """Return which of some tasks this process does, where one does each."""
    ranks = _ranks.get()
    return range(n_tasks) if ranks is None else range(ranks.rank, n_tasks, ranks.size)


class _AllSum(torch.autograd.Function):
    """A sum over processes: what pulls on it pulls from all of them."""

    @staticmethod
    def forward(ctx, tensor, ranks):
        ctx.ranks = ranks
        return ranks.total(tensor)

    @staticmethod
    @once_differentiable
    def backward(ctx, pull):
        return ctx.ranks.total(pull), None


def all_sum(tensor):
    """Return the sum of the tensors of all processes, the same in each."""
    ranks = _ranks.get()
    return tensor if ranks is None else _AllSum.apply(tensor, ranks)


def agreed(tensor):
    """Return what all processes have computed, as the first rounded it.

    Where they decide by it which way to go, they have to go the same way.
    """
    ranks = _ranks.get()
    return tensor if ranks is None else ranks.first(tensor)


def replicated(term):
    """Return the part of a term, the same in all processes, that is one's own.

    The parts of all processes sum to the term.
    """
    ranks = _ranks.get()
    return term if ranks is None else term / ranks.size


def all_any(flags):
    """Return where flags are true in any process, bool."""
    ranks = _ranks.get()
    return flags if ranks is None else ranks.total(1.0 * flags) > 0


def _counts(n_own):
    """Return how many regions each process holds, and which process this is."""
    ranks = _ranks.get()
    if ranks is None:
        return [n_own], 0
    return [int(n) for n in torch.cat(ranks.each(torch.tensor([n_own])))], ranks.rank


def all_regions(n_own):
    """Return how many regions all processes hold."""
    return sum(_counts(n_own)[0])


def own_regions(n_own):
    """Return which of all regions are one's own, a slice, and how many all are."""
    counts, rank = _counts(n_own)
    start = sum(counts[:rank])
    return slice(start, start + n_own), sum(counts)


def most_regions(n_own):
    """Return how many regions of the panel one process has at most."""
    ranks = _ranks.get()
    return n_own if ranks is None else -(-ranks.n_regions // ranks.size)


def own_positions(own, chosen):
    """Return where the chosen among all regions are that are one's own.

    Parameters
    ----------
    own : slice
    chosen : Tensor of shape (n,), int
    """
    return chosen[(chosen >= own.start) & (chosen < own.stop)] - own.start


def gathered(tensor, dim=0):
    """Return a tensor with the regions of all processes along an axis.

    There are no derivatives of it where there are several.
    """
    ranks = _ranks.get()
    if ranks is None:
        return tensor
    tensor = tensor.detach().movedim(dim, 0)
    counts, _ = _counts(len(tensor))
    if not tensor[:1].numel() and 0 in tensor.shape[1:]:
        return tensor.new_empty(sum(counts), *tensor.shape[1:]).movedim(0, dim)
    missing = max(counts) - len(tensor)
    longest = pad(tensor, [0, 0] * (tensor.ndim - 1) + [0, missing]).contiguous()
    found = [part[:n] for part, n in zip(ranks.each(longest), counts, strict=True)]
    return torch.cat(found).movedim(0, dim)


def decided(choose):
    """Return whether to do something, as the first process decides."""
    ranks = _ranks.get()
    return choose() if ranks is None else ranks.decide(choose)
