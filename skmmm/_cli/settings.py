"""Options in a TOML file: read as arguments, and written so that a fit can be repeated.

Nothing is checked here but names and kinds of values: the parser does the rest, as if
what the file says stood on the command line.
"""

import datetime
import difflib
import json
import re
import shlex
import tomllib
from pathlib import Path

from skmmm._cli.values import UsageError
from skmmm._version import __version__

_HEADER = "# Written by skmmm"
# Not what a command did, or not on its own.
_NOT_WRITTEN = ("command", "config", "quiet")
_KINDS = (
    (bool, "true or false"),
    (int | float, "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "a table"),
    (datetime.date | datetime.time, "a date or time"),
)


def read_settings(path, command, commands):
    """Return what a file says of a command.

    Parameters
    ----------
    path : str
    command : str
    commands : dict of str to ArgumentParser
        Of all commands: the tables that the file may have.

    Returns
    -------
    settings : dict of Action to list of str
        The arguments that each option or positional becomes.

    Raises
    ------
    ValueError
        If there is no such file.
    UsageError
        If it is no TOML, has a key that is no option of its table's command, or a
        value of the wrong kind.
    """
    if not Path(path).is_file():
        raise ValueError(f"--config: there is no file {path}")
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except ValueError as error:  # no UTF-8, or no TOML
        raise UsageError(f"--config: cannot read {path} as TOML: {error}") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(
                f"{path}: {name!r} stands outside of a table; write it below "
                f"[{command}]"
            )
        if name not in commands:
            raise UsageError(
                f"{path}: [{name}] is no command{_nearest(name, commands, '[{}]')}"
            )
    found = {
        name: _by_action(tables[name], commands[name], path, name) for name in tables
    }
    if command not in found:
        raise UsageError(f"{path} has no table [{command}]")
    return found[command]


def keys_of(parser):
    """Return the options and positionals that a file may name, by key."""
    return {
        key_of(action): action
        for action in parser._actions
        if action.dest not in ("help", "config")
    }


def key_of(action):
    """Return what an option is called in a file."""
    return action.option_strings[-1][2:] if action.option_strings else action.dest


def _by_action(table, parser, path, command):
    """Return the arguments of each key of a table."""
    keys, found = keys_of(parser), {}
    for name, value in table.items():
        key = name.replace("_", "-")
        where = f"{path}: [{command}] {key}"
        if key not in keys:
            raise UsageError(
                f"{path}: {name!r} is no option of skmmm {command}"
                f"{_nearest(key, keys, '{}')}"
            )
        if keys[key] in found:
            raise UsageError(f"{where} is there twice, with - and with _")
        found[keys[key]] = _arguments(keys[key], value, where)
    return found


def _nearest(name, known, form):
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {form.format(close[0])}?" if close else ""


def _arguments(action, value, where):
    """Return a value as arguments: --name=text for options, the text for others."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise _wrong(where, "true or false", value)
        return [action.option_strings[-1]] if value else []
    texts = _texts(action, value, where)
    if not action.option_strings:
        return texts
    return [f"{action.option_strings[-1]}={text}" for text in texts]


def _texts(action, value, where):
    """Return a value as the texts that would stand after the option."""
    several = action.nargs == "+"
    may_be_number = action.type is not None
    if several:
        may_be_number = action.metavar not in ("NAME", "NAME:NAME")
    if not several:
        if not _is_plain(value, may_be_number):
            expected = "a number or text" if may_be_number else "text in quotes"
            raise _wrong(where, expected, value)
        return [_text(value)]
    if isinstance(value, dict) and may_be_number:
        counts = {"LOW:HIGH:COST": 3, "LOW:HIGH": 2}
        n = next((n for form, n in counts.items() if form in action.metavar), 1)
        return list(_texts_of_table(value, where, n))
    values = value if isinstance(value, list) else [value]
    for one in values:
        if not _is_plain(one, may_be_number):
            forms = " or a table, name = value" if may_be_number else " of texts"
            inside = isinstance(value, list)
            raise _wrong(where, f"a list{forms}", one, " in it" if inside else "")
    if not values:
        raise UsageError(f"{where} is an empty list; leave it out")
    return list(map(_text, values))


def _texts_of_table(table, where, n_numbers):
    """Yield NAME=VALUE or, of several numbers, NAME=LOW:HIGH or NAME:QUANTITY=...."""
    for name, value in table.items():
        if isinstance(value, dict):
            for text in _texts_of_table(value, f"{where}.{name}", n_numbers):
                yield f"{name}:{text}"
            continue
        is_list = isinstance(value, list)
        ends = value if is_list else [value]
        wrong = is_list and (len(ends) != n_numbers or n_numbers == 1)
        if wrong or not all(_is_plain(end, True) for end in ends):
            forms = "number or text"
            if n_numbers > 1:
                count = {2: "two", 3: "three"}[n_numbers]
                forms = f"number, text or a list of {count} numbers"
            raise _wrong(f"{where}.{name}", f"a {forms}", value)
        yield f"{name}={':'.join(map(_text, ends))}"


def _is_plain(value, may_be_number):
    if isinstance(value, bool):
        return False
    # Columns, regions and periods may be called by whole numbers.
    plain = (str, datetime.date, int, *((float,) if may_be_number else ()))
    return isinstance(value, plain)


def _text(value):
    if isinstance(value, datetime.date):  # or a date with a time
        return value.isoformat()
    return str(value)


def _wrong(where, expected, value, inside=""):
    kind = next((kind for types, kind in _KINDS if isinstance(value, types)), "that")
    return UsageError(f"{where} must be {expected}, got {kind}{inside}")


def is_own(path):
    """Return whether a file of settings was written by a fit, which may replace it."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return file.readline().startswith(_HEADER)


def settings_text(args, path):
    """Return the settings of a command as TOML.

    Parameters
    ----------
    args : Namespace
        As of `parse`.
    path : path-like
        Where they are written, for the line that says how to repeat the command.
    """
    said = {
        name: value
        for name, value in vars(args).items()
        if name not in _NOT_WRITTEN and value is not None and value != []
    }
    again = shlex.join(["skmmm", args.command, "--config", str(path)])
    lines = [
        f"{_HEADER} {__version__}. To repeat: {again}",
        "# Options on the command line count before these. Paths are relative to the",
        "# folder in which skmmm is started, as they were when this was written.",
        "",
        f"[{args.command}]",
        *(f"{name.replace('_', '-')} = {_toml(said[name])}" for name in said),
    ]
    return "\n".join(lines) + "\n"


def _toml(value):
    """Return a value of TOML, in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
    if isinstance(value, dict):
        if None in value:  # the cost of all channels that are not named
            named = (
                f"{name}={cost}" for name, cost in value.items() if name is not None
            )
            return _toml([value[None], *named])
        pairs = (f"{_toml_key(name)} = {_toml(one)}" for name, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)


def _toml_key(name):
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
