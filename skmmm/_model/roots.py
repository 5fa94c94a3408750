"""Roots of precisions."""

import torch


def root_of(precision):
    """Return lower triangles L with ``L L' = precision``, of shape (..., n, n).

    The prior gives every direction a precision of at least one; where rounding has
    taken that away, it is given back.
    """
    root, failed = torch.linalg.cholesky_ex(precision)
    if failed.any():
        values, vectors = torch.linalg.eigh(precision)
        lost = 1e-15 * values.shape[-1] * values.amax(dim=-1, keepdim=True)
        size = torch.maximum(values, lost.clamp_min(1.0)).sqrt()
        mended = torch.linalg.qr(size[..., None] * vectors.transpose(-1, -2)).R
        bad = (failed > 0)[..., None, None]
        root = torch.where(bad, mended.transpose(-1, -2), root)
    return root
