"""The outcome model: tensors, priors, inference, and the way to and from numpy."""

from typing import Literal, TypeAlias, get_args

Adstock: TypeAlias = Literal["weibull", "geometric", "delayed", "free", "gru"]
ADSTOCKS: tuple[str, ...] = get_args(Adstock)
