"""Output files that are whole or not there."""

import errno
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path):
    """Write a file beside its place, flush it, and move it there as a whole.

    Whatever stops the writing, an error, an interrupt or a full disk, leaves the file
    that was there as it was.

    Parameters
    ----------
    path : str or path-like
        The file to write. A link is followed to its target; what is no file, such as
        a pipe or ``/dev/null``, is written to directly.

    Yields
    ------
    temporary : Path
        Where to write, as text or bytes. It has the name of the file, so that writers
        which choose a format by the suffix choose the same one. It is gone afterwards.

    Raises
    ------
    OSError
        If the file cannot be written; it names `path`.
    """
    path = Path(path)
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        with _naming(path, path.parent):
            yield path
        return
    target = Path(os.path.realpath(path))
    with (
        _naming(path, target.parent),
        tempfile.TemporaryDirectory(
            prefix=".skmmm-", dir=target.parent, ignore_cleanup_errors=True
        ) as folder,
    ):
        temporary = Path(folder, target.name)
        yield temporary
        with temporary.open("r+b") as written:
            os.fsync(written.fileno())
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(target)


def _mode(path):
    """Return type and permissions of a file, None if there is none yet."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return mode


@contextmanager
def _naming(path, folder):
    """Let errors about temporary files in a folder name `path` instead."""
    try:
        yield
    except OSError as error:
        about = error.filename
        if about is not None and not str(about).startswith(f"{folder}{os.sep}.skmmm-"):
            raise
        raise OSError(
            error.errno or errno.EIO, error.strerror or str(error), str(path)
        ) from error
