"""What several functions share is described once, and shown by all of them."""

import inspect
import re

import pytest

from skmmm import DeepCausalMMMRegressor, allocation, inspection, scenarios
from skmmm._utils.docs import documented_by
from skmmm.effects import Effects, effects_of

PUBLIC = [
    getattr(module, name)
    for module in (allocation, inspection, scenarios)
    for name in module.__all__
    if not inspect.isclass(getattr(module, name))
]
SHARED = ("contributions", "channel_summary", "response_curve", "optimize_budget")
METHODS = [
    getattr(owner, name)
    for owner in (DeepCausalMMMRegressor, Effects)
    for name in (*SHARED, "compare_scenarios")
]


@pytest.mark.parametrize("function", [*PUBLIC, effects_of, *METHODS])
def test_every_parameter_is_described_once(function):
    text = inspect.getdoc(function).split("Parameters\n----------\n")[1]
    heads = re.findall(
        r"^(\w.*?) : ", text.split("\n\nReturns\n")[0], flags=re.MULTILINE
    )
    described = [name for head in heads for name in head.split(", ")]
    expected = [n for n in inspect.signature(function).parameters if n != "self"]
    assert sorted(described) == sorted(expected)
    assert "Returns\n-------\n" in inspect.getdoc(function)


def source(X, by=None, level=0.9):
    """Do it.

    In detail.

    Parameters
    ----------
    X : array
        Rows.
    by, level : float
        Numbers.

    Returns
    -------
    y : array

    Examples
    --------
    >>> 1
    1
    """


def test_a_line_takes_everything_but_examples():
    @documented_by(source)
    def method(self, X, level=0.9):
        """Do it here."""

    assert method.__doc__ == (
        "Do it here.\n\nIn detail.\n\nParameters\n----------\nX : array\n    Rows.\n"
        "level : float\n    Numbers.\n\nReturns\n-------\ny : array"
    )


def test_options_stand_for_the_parameters_of_the_source():
    @documented_by(source, without=("X",))
    def method(self, **options):
        """Do it here."""

    assert list(inspect.signature(method).parameters) == ["self", "by", "level"]
    assert "by, level : float" in method.__doc__
    assert "X : array" not in method.__doc__
