"""Shared and regional parameters as flat vectors."""

import torch

from skmmm._model.sums import all_sum, own_regions, replicated


def joined(shared, regional):
    """Return shared and regional parameters side by side, (E, N)."""
    return torch.cat([shared, regional.flatten(1)], dim=1)


def split_like(flat, parts):
    """Undo `joined`: into the shapes of `parts`, but for the number of draws."""
    shared, regional = flat.tensor_split([parts[0].shape[1]], dim=1)
    return shared, regional.reshape(len(flat), *parts[1].shape[1:])


def among_all(shared, regional, whole, own):
    """Return flat vectors, (E, N), of the parameters of all regions.

    Parameters
    ----------
    shared, regional : Tensor
        Without derivatives; of own regions.
    whole, own
        As `of_all_regions` returns them.
    """
    placed = regional.new_zeros(len(regional), *whole[1].shape[1:])
    placed[:, own] = regional
    return all_sum(joined(replicated(shared), placed))


def of_all_regions(shared, regional):
    """Return parts with the shapes that they have in all processes together.

    Also which of the regions are one's own.
    """
    own, n_regions = own_regions(regional.shape[1])
    whole = regional.new_empty(1, 1, 1).expand(1, n_regions, regional.shape[2])
    return (shared, whole), own
