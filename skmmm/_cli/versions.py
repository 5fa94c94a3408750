"""What a report of a bug has to say about the machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from skmmm._version import __version__

_NEEDED = (
    "torch",
    "scikit-learn",
    "numpy",
    "pandas",
    "scipy",
    "matplotlib",
    "joblib",
    "threadpoolctl",
)
_OPTIONAL = ("plotly", "jinja2", "pyarrow", "openpyxl", "rich", "dask", "holidays")
# How many threads torch and the others take, where it is set.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def versions_text():
    """Return versions and numbers of cores and threads; nothing is imported for it."""
    lines = {
        "skmmm": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "cores": _cores(),
    }
    lines |= {name: os.environ[name] for name in _THREADS if name in os.environ}
    lines |= {name: _installed(name) for name in (*_NEEDED, *_OPTIONAL)}
    width = max(map(len, lines)) + 2
    return "\n".join(f"{name:<{width}}{said}" for name, said in lines.items())


def _installed(package):
    """Return the version of a package, from what its installation has written."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cores():
    """Return how many processors there are, and how many this process may use."""
    present = os.cpu_count()
    if not hasattr(os, "sched_getaffinity"):  # on macOS and Windows
        return str(present)
    usable = len(os.sched_getaffinity(0))
    return str(present) if usable == present else f"{present}, usable {usable}"
