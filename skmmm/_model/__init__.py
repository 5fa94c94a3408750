"""The outcome model: tensors, priors, inference, and the way to and from numpy."""

ADSTOCKS = ("weibull", "geometric", "delayed", "free", "gru")
