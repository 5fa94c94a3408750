"""Codes for the names of regions."""

from typing import Literal

import numpy as np

from skmmm._data.checks import region_values, resolve_column
from skmmm._utils.docs import shared_docs
from skmmm._utils.sklearn import StrOptions
from skmmm._utils.typing import Column
from skmmm.preprocessing._base import (
    COLUMN,
    FEATURES,
    ColumnMaker,
    check_new_names,
    codes_of,
    replace,
)


@shared_docs("", attributes=FEATURES)
class RegionEncoder(ColumnMaker):
    """Replace the region column by integer codes or by one column per region.

    All other columns, dates included, stay as they are, where they are.

    Parameters
    ----------
    region : str or int, default=None
        Name or position of the region column. With None there is nothing to encode
        and X passes through.
    encoding : {"ordinal", "onehot"}, default="ordinal"
        "ordinal" puts the position in `regions_` in place of the region, under the
        same name. "onehot" puts one column per region there, 1 where the row is of
        that region and 0 elsewhere, called ``<region column>_<region>``.
    unseen : {"error", "ignore"}, default="error"
        What to do in `transform` with a region that `fit` did not see: raise, or
        encode it as -1 (ordinal) or as zeros in all columns (onehot).

    Attributes
    ----------
    regions_ : ndarray of shape (n_regions,) or None
        Regions in sorted order; None if `region` is None.

    See Also
    --------
    PanelScaler : Scale columns within each region.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmmm.preprocessing import RegionEncoder
    >>> X = pd.DataFrame({"region": ["Bonn", "Aachen"], "tv": [3.0, 7.0]})
    >>> RegionEncoder(region="region").fit_transform(X)
       region   tv
    0       1  3.0
    1       0  7.0
    >>> RegionEncoder(region="region", encoding="onehot").fit_transform(X)
       region_Aachen  region_Bonn   tv
    0            0.0          1.0  3.0
    1            1.0          0.0  7.0
    """

    _parameter_constraints = {
        "region": COLUMN,
        "encoding": [StrOptions({"ordinal", "onehot"})],
        "unseen": [StrOptions({"error", "ignore"})],
    }

    def __init__(
        self,
        *,
        region: Column | None = None,
        encoding: Literal["ordinal", "onehot"] = "ordinal",
        unseen: Literal["error", "ignore"] = "error",
    ):
        self.region = region
        self.encoding = encoding
        self.unseen = unseen

    def _learn(self, frame):
        self.regions_ = None
        if self.region is None:
            return
        label = resolve_column(frame, self.region, "region")
        self.regions_ = np.unique(region_values(frame, label))
        if self.encoding == "onehot":
            check_new_names(
                frame.columns.drop(label),
                self._dummy_names(label),
                "one-hot column of the region",
            )

    def _dummy_names(self, label):
        if self.regions_ is None:
            return []
        return [f"{label}_{region}" for region in self.regions_]

    def _apply(self, frame):
        if self.region is None:
            return dict.fromkeys(frame.columns)
        label = resolve_column(frame, self.region, "region")
        otherwise = "unseen='ignore'" if self.unseen == "error" else None
        code = codes_of(frame, label, self.regions_, otherwise=otherwise)
        if self.encoding == "ordinal":
            return replace(frame, [label], code[:, None])
        names = self._dummy_names(label)
        dummies = (code[:, None] == np.arange(len(names))).astype(np.float64)
        out: dict = {}
        for column in frame.columns:
            if column == label:
                out.update(zip(names, dummies.T, strict=True))
            else:
                out[column] = None
        return out

    def _names_out(self, names):
        if self.region is None or self.encoding == "ordinal":
            return names
        j = _position(self._labels, self.region)
        return [*names[:j], *self._dummy_names(names[j]), *names[j + 1 :]]


def _position(labels, key):
    """Return the position of a column given by name or position."""
    return labels.index(key) if isinstance(key, str) else key % len(labels)
