"""Public signatures carry type hints, and the package says so."""

import importlib
import inspect
from pathlib import Path
from typing import get_type_hints

import pytest

import skmmm

PUBLIC = [
    "skmmm",
    "skmmm.allocation",
    "skmmm.baselines",
    "skmmm.dask",
    "skmmm.datasets",
    "skmmm.effects",
    "skmmm.graph",
    "skmmm.inspection",
    "skmmm.metrics",
    "skmmm.model_selection",
    "skmmm.plotting",
    "skmmm.preprocessing",
    "skmmm.report",
    "skmmm.scenarios",
]


def signatures():
    """Yield the name and signature of what is public, methods of classes included."""
    for module in PUBLIC:
        public = importlib.import_module(module)
        for name in public.__all__:
            value = getattr(public, name)
            if inspect.isclass(value):
                for method in dir(value):
                    function = inspect.unwrap(getattr(value, method, None))
                    function = getattr(function, "__func__", function)
                    if not inspect.isfunction(function):
                        continue
                    ours = function.__module__.startswith("skmmm")
                    if ours and (method == "__init__" or not method.startswith("_")):
                        yield f"{module}.{name}.{method}", function
            elif inspect.isfunction(value):
                yield f"{module}.{name}", value


SIGNATURES = dict(signatures())


def missing(function):
    """Return the parameters without a hint, and "return" where that lacks."""
    signature = inspect.signature(function)
    names = [
        name
        for name, parameter in signature.parameters.items()
        if name not in ("self", "cls") and parameter.annotation is parameter.empty
    ]
    constructor = function.__name__ == "__init__"
    if signature.return_annotation is signature.empty and not constructor:
        names.append("return")
    return names


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_public_signatures_have_hints(name):
    assert missing(SIGNATURES[name]) == []


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_hints_are_found_at_run_time(name):
    assert get_type_hints(SIGNATURES[name])


def test_class_methods_are_asked_too():
    assert "skmmm.DeepCausalMMMRegressor.load" in SIGNATURES
    assert "skmmm.plotting.FitDisplay.from_estimator" in SIGNATURES


def test_package_is_marked_as_typed():
    assert (Path(skmmm.__file__).parent / "py.typed").exists()
