"""A table that was read once, as it stands for X in further questions."""

from abc import ABC, abstractmethod


class BoundTable(ABC):
    """A table that an estimator has read."""

    @property
    @abstractmethod
    def frame(self):
        """The rows, a DataFrame."""

    @abstractmethod
    def counterfactual(self, effect="direct"):
        """Return the `Counterfactual` of its rows."""

    @abstractmethod
    def check_read_by(self, estimator):
        """Raise if another estimator has read the rows."""

    def __len__(self):
        return len(self.frame)
