"""What a Dask worker does for a fit: it runs a process beside itself.

Without torch: the Dask worker itself computes nothing.
"""

import pickle
import subprocess
import sys

from skmmm._version import __version__

_SERVE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from skmmm._model.dask_machines import serve; serve()"
)


def host(version, address, secret, rank):
    """Run a process that computes for a fit, until it ends; return its exit code.

    Its standard input ends with the Dask worker, and it ends with that.

    Parameters
    ----------
    version : str
        Of the package in the calling process.
    address : tuple of (str, int)
        Where the calling process listens.
    secret : bytes
        That both know.
    rank : int
        Of the process.
    """
    if version != __version__:
        raise RuntimeError(
            f"this Dask worker has skmmm {__version__}, the calling process {version}"
        )
    words = pickle.dumps(sys.path) + pickle.dumps((address, secret, rank))
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, bufsize=0
    )
    try:
        process.stdin.write(words)  # type: ignore[union-attr]  # it is a pipe
        return process.wait()
    finally:
        process.kill()
        process.wait()
