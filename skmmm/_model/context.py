"""What changes over time: a GRU that reads the calendar and controls, never media."""

from dataclasses import dataclass, replace

import torch

from skmmm._model.adstock import linear_scan

# How sharply a unit of time switches, per training window.
_SWITCH = 6.0


@dataclass(frozen=True, eq=False)
class Context:
    """A minimal gated recurrent unit whose weights are drawn once and kept.

    Its gates see the context but not the state::

        z[t] = sigmoid(gate . c[t])
        h[t] = (1 - z[t]) * h[t - 1] + z[t] * tanh(candidate . c[t])

    so that all periods are solved at once. Only what is read out of the states is
    learned: the model stays as certain about its read-outs as the data allow, where
    trained weights would find something that changes in any noise.

    Attributes
    ----------
    weight : Tensor of shape (2, n_hidden, n_columns)
        Of gate and candidate.
    bias : Tensor of shape (2, n_hidden)
    mean : Tensor of shape (R, n_hidden)
        Mean states over training, the zero of what is read out.

    References
    ----------
    .. [1] Feng et al. (2024). Were RNNs All We Needed? arXiv 2410.01201.
    .. [2] Lukosevicius and Jaeger (2009). Reservoir computing approaches to recurrent
       neural network training. Computer Science Review 3.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    mean: torch.Tensor

    def states(self, columns):
        """Return the states of each region, (R, n_columns, T) -> (R, n_hidden, T).

        Regions beyond those of the training data get the average mean.
        """
        drive = torch.einsum("ghc,rct->grht", self.weight, columns)
        gate, candidate = drive + self.bias[:, None, :, None]
        gate = torch.sigmoid(gate)
        states = linear_scan(1.0 - gate, gate * torch.tanh(candidate))
        n_new = len(columns) - len(self.mean)
        new = self.mean.mean(dim=0, keepdim=True).expand(n_new, -1)
        return states - torch.cat([self.mean, new])[..., None]

    def centred(self, columns, observed):
        """Return the context whose states have mean zero in the observed cells.

        Parameters
        ----------
        columns : Tensor of shape (R, n_columns, T)
        observed : Tensor of shape (R, T)
        """
        states = self.states(columns)
        weight = observed[:, None]
        total = weight.sum(dim=2).clamp_min(1.0)
        return replace(self, mean=self.mean + (weight * states).sum(dim=2) / total)


def draw_context(n_hidden, n_season, n_controls, n_regions, generator):
    """Draw the weights of a `Context` for columns season, time, controls.

    Every other unit watches time alone and switches somewhere in the training window;
    the others mix season, time and controls.
    """
    size = (2, n_hidden, n_season + 1 + n_controls)
    weight = torch.randn(size, generator=generator, dtype=torch.float64)
    # Controls enter as their sum, so that their order does not matter.
    weight[..., n_season + 1 :] = (
        weight[..., n_season + 1 : n_season + 2] if n_controls else 0.0
    )
    weight = weight / size[2] ** 0.5
    bias = torch.zeros(2, n_hidden, dtype=torch.float64)
    bias[0] = -2.0  # states move over about eight periods
    of_time = torch.arange(0, n_hidden, 2)
    weight[:, of_time] = 0.0
    weight[1, of_time, n_season] = _SWITCH
    middle = (torch.arange(len(of_time)) + 0.5) / len(of_time) - 0.5
    bias[1, of_time] = -_SWITCH * middle.to(torch.float64)
    mean = torch.zeros(n_regions, n_hidden, dtype=torch.float64)
    return Context(weight, bias, mean)
