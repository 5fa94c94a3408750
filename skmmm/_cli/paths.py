"""Which files a command reads and writes, before it starts."""

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from skmmm._cli.settings import is_own, settings_text
from skmmm._cli.values import UsageError

TABLES = (
    "channels.csv",
    "contributions.csv",
    "skill.csv",
    "channel_graph.csv",
    "experiments.csv",
    "optimal_frequency.csv",
    "brand_effects.csv",
    "synergies.csv",
)
PICTURES = (
    "fit.png",
    "contributions.png",
    "response_curves.png",
    "returns.png",
    "verdicts.png",
    "waterfall.png",
    "channel_graph.png",
    "experiments.png",
)
_INPUTS = ("data", "model", "previous", "plan", "experiments", "config")
MODEL, REPORT, SETTINGS = "model.skmmm", "report.html", "settings.toml"


def check_paths(args):
    """Raise if an input is not there, or an output would replace an input.

    Parameters
    ----------
    args : Namespace
        As of `parse`.
    """
    _check_notation(args)
    named = {name: getattr(args, name, None) for name in _INPUTS}
    inputs = {name: Path(path) for name, path in named.items() if path is not None}
    for name, path in inputs.items():
        if not path.is_file():
            inside = path / "model.skmmm"
            hint = f"; did you mean {inside}?" if inside.is_file() else ""
            option = f"--{name}: " if name in ("experiments", "previous") else ""
            raise ValueError(f"{option}there is no file {path}{hint}")
    written = outputs(args)
    if len(set(written)) < len(written):
        raise UsageError(f"--out and --save are the same file, {written[0]}")
    for path in written:
        saved = getattr(args, "save", None)
        option = "--save" if saved is not None and path == Path(saved) else "--out"
        if path.is_dir():
            raise UsageError(f"{option}: {path} is a folder; name a file")
        for name, read in inputs.items():
            if path.exists() and path.samefile(read):
                if name == "config" and path.name == SETTINGS and is_own(read):
                    continue  # a fit that is repeated
                raise UsageError(f"{option} would replace {read}, which is read")
    if args.command in ("fit", "demo"):
        _check_settings(args, Path(args.out) / SETTINGS)


def outputs(args):
    """Return the paths of all files that a command may write or remove."""
    if args.command not in ("fit", "demo"):
        named = args.out, getattr(args, "save", None)
        return [Path(path) for path in named if path is not None]
    out = Path(args.out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; name a folder")
    names = [*TABLES, *PICTURES, MODEL, SETTINGS]
    return [
        out / name for name in (names if args.command == "fit" else [*names, REPORT])
    ]


def make_room(args):
    """Make the folder of the outputs, and raise if they cannot be written."""
    for path in outputs(args):
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(f"{path} may not be written")
        if not path.exists() or path.is_file():  # not a pipe
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass


def _check_settings(args, path):
    """Raise if settings cannot be written, or would replace a file of the user."""
    if path.exists() and not is_own(path):
        raise UsageError(
            f"--out would replace {path}, which skmmm has not written; rename that "
            "file, or name another folder"
        )
    try:
        settings_text(args, path).encode()
    except UnicodeEncodeError as error:
        key, equal, _ = error.object[: error.end].splitlines()[-1].partition(" = ")
        raise UsageError(
            f"{key if equal else 'out'} has a name that is no UTF-8, which {SETTINGS} "
            "cannot hold; rename the file or folder"
        ) from error


@contextmanager
def no_empty_folders(args):
    """Remove folders that a command has made, and left empty where it was stopped."""
    made = {
        folder
        for path in outputs(args)
        for folder in path.parents
        if not folder.exists()
    }
    try:
        yield
    finally:
        for folder in sorted(made, key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):  # not made, or not empty
                folder.rmdir()


def _check_notation(args):
    """Raise if the table cannot be written as the arguments say."""
    if getattr(args, "data", None) is None:
        return
    if args.decimal == args.thousands:
        raise UsageError("--decimal and --thousands are the same character")
    read = [args.data, getattr(args, "experiments", None) or ""]
    if any(path.lower().endswith((".csv", ".csv.gz")) for path in read):
        return
    for name, usual in (("sep", ","), ("decimal", "."), ("thousands", None)):
        if getattr(args, name) != usual:
            raise UsageError(
                f"--{name} is for .csv files; numbers are numbers in {args.data}"
            )
