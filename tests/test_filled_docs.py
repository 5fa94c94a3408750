"""Docstrings that share descriptions are complete where they are read."""

import inspect

import pytest

from skmmm import baselines, metrics, model_selection, plotting, preprocessing
from skmmm._utils.docs import section, shared_docs

SHARED = """
amount : float
    How much.
low, high : float
    Bounds.
"""


def documented():
    for module in (baselines, metrics, model_selection, plotting, preprocessing):
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and not name.endswith("_scorer"):
                yield name, value
            for method, function in inspect.getmembers(value, inspect.isroutine):
                ours = (getattr(function, "__module__", "") or "").startswith("skmmm")
                if inspect.isclass(value) and ours and not method.startswith("_"):
                    yield f"{name}.{method}", function


DOCUMENTED = dict(documented())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_parameter_is_described(name):
    described = section(DOCUMENTED[name])
    heads = [line for line in described.splitlines() if line[:1].strip()]
    names = {n.strip(" *") for head in heads for n in head.split(" : ")[0].split(",")}
    assert names >= set(inspect.signature(DOCUMENTED[name]).parameters) - {"self"}


def test_descriptions_are_filled_in_where_none_is_given():
    @shared_docs(SHARED, returns="ends : tuple\n    Both.", intro="Of anything.")
    def ends(x, low, high, *, amount, **options):
        """Return ends.

        Parameters
        ----------
        x : object
            - With lines

              of its own.
        amount : int
            Whole.

        Examples
        --------
        >>> 1
        """

    assert inspect.getdoc(ends) == inspect.cleandoc(
        """
        Return ends.

        Of anything.

        Parameters
        ----------
        x : object
            - With lines

              of its own.
        low, high : float
            Bounds.
        amount : int
            Whole.

        Returns
        -------
        ends : tuple
            Both.

        Examples
        --------
        >>> 1
        """
    )
