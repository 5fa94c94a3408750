"""What is written after an option, as numbers and mappings."""

import math
from argparse import ArgumentTypeError

TOTAL_ONLY = "col:"  # before a column of money whose rows do not count
QUANTITIES = ("roi", "decay", "half_saturation")


class UsageError(ValueError):
    """Arguments that cannot be used, whatever the data are."""


def whole_number(least):
    """Return a reader of whole numbers of at least `least`."""

    def read(text):
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < least:
            raise ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
        return number

    return read


def positive(text):
    """Return a number above zero."""
    number = _number(text)
    if number is None or number <= 0:
        raise ArgumentTypeError(f"{text!r} is no number above zero")
    return number


def from_zero_below_one(text):
    """Return a number from zero and below one."""
    number = _number(text)
    if number is None or not 0 <= number < 1:
        raise ArgumentTypeError(f"{text!r} is no number from 0 and below 1")
    return number


def separator(text):
    """Return the character between two cells; a tab may be written as tab or \\t."""
    char = "\t" if text in ("tab", r"\t") else text
    if len(char) != 1 or char in '"\r\n':
        raise ArgumentTypeError(f"{text!r} is no single character, nor the word tab")
    return char


def mark(text):
    """Return the character inside a number."""
    if len(text) != 1 or text.isalnum() or text in "+-":
        raise ArgumentTypeError(f"{text!r} is no single character such as , or .")
    return text


def two_names(text):
    """Return the text of two names, which are apart by a colon."""
    if not all(text.partition(":")):
        raise ArgumentTypeError(f"{text!r} is not NAME:NAME")
    return text


def read_costs(texts):
    """Read ``1``, ``tv=12.5 search=search_spend``, or both together.

    Returns
    -------
    costs : float or dict of str or None to float or str
        Of all channels, or by channel, the key None for those that are not named; a
        str is the column that holds the money, after "col:" if only its total counts.
    """
    plain = [text for text in texts if _number(text) is not None]
    named = _costs_by_name([text for text in texts if text not in plain])
    if len(plain) > 1:
        raise ArgumentTypeError(
            f"takes one number, the cost of all channels that are not named, got "
            f"{' and '.join(plain)}"
        )
    if not plain:
        return named
    general = positive(plain[0])
    return {None: general} | named if named else general


def costs_by_channel(costs, media):
    """Return what `read_costs` has read by name, for the channels of a table."""
    general = dict.fromkeys(media, costs[None]) if None in costs else {}
    return general | {name: cost for name, cost in costs.items() if name is not None}


def _costs_by_name(texts):
    """Return costs, or columns of spend, by channel."""
    costs: dict[str | None, float | str] = {}
    for text in texts:
        name, equal, cost = text.partition("=col:")
        if not equal:
            name, equal, cost = text.rpartition("=")
        if not name or not cost:
            raise ArgumentTypeError(
                f"{text!r} is neither NAME=COST nor NAME=COLUMN (a single number is "
                "the cost of all channels)"
            )
        if equal == "=col:":
            _put(costs, name, f"{TOTAL_ONLY}{cost}")
        else:
            _put(costs, name, cost if _number(cost) is None else positive(cost))
    return costs


def read_columns(texts):
    """Read ``video=video_frequency``.

    Returns
    -------
    named : dict of str to str
        Columns by channel.
    """
    named: dict[str, str] = {}
    for text in texts:
        name, _, column = text.rpartition("=")
        if not name or not column:
            raise ArgumentTypeError(f"{text!r} is not NAME=COLUMN")
        _put(named, name, column)
    return named


def read_bounds(texts):
    """Read ``0.5 2``, ``tv=0.5:2``, or both together.

    Returns
    -------
    general : (float, float) or None
        Least and most multiples of today's spend.
    named : dict of str to (float, float)
        By channel.
    """
    plain = [text for text in texts if _number(text) is not None]
    if len(plain) not in (0, 2):
        raise ArgumentTypeError(
            "takes two numbers, least and most, or NAME=LOW:HIGH, got "
            f"{' '.join(texts)!r}"
        )
    general = _interval(*plain) if plain else None
    return general, read_intervals([text for text in texts if text not in plain])


def read_intervals(texts):
    """Read ``tv=0:900000``.

    Returns
    -------
    named : dict of str to (float, float)
        By channel.
    """
    named: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, _, ends = text.rpartition("=")
        low, colon, high = ends.partition(":")
        if not name or not colon:
            raise ArgumentTypeError(f"{text!r} is not NAME=LOW:HIGH")
        _put(named, name, _interval(low, high))
    return named


def read_limits(texts):
    """Read ``tv+video=0:900000``, where one of the ends may be left out.

    Returns
    -------
    limits : list of (str, float or None, float or None)
        Channels as they were written, least and most money.
    """
    limits = []
    for text in texts:
        names, _, ends = text.rpartition("=")
        low, colon, high = ends.partition(":")
        if not names or not colon or not (low or high):
            raise ArgumentTypeError(
                f"{text!r} is not NAME+NAME=LOW:HIGH, of which LOW or HIGH may be "
                "left out"
            )
        least, most = _interval(low or "0", high or low)
        limits.append((names, least if low else None, most if high else None))
    return limits


def read_levers(texts):
    """Read ``price=8.5:9.5:-10000``.

    Returns
    -------
    named : dict of str to (float, float, float)
        Least and most level, and what one more unit costs in a row, by control.
    """
    named: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, _, values = text.rpartition("=")
        numbers = [_number(value) for value in values.split(":")]
        if not name or len(numbers) != 3 or None in numbers:
            raise ArgumentTypeError(f"{text!r} is not NAME=LOW:HIGH:COST")
        low, high, cost = (number for number in numbers if number is not None)
        if low > high:
            raise ArgumentTypeError(f"{text} must hold LOW <= HIGH")
        _put(named, name, (low, high, cost))
    return named


def read_numbers(texts):
    """Read ``tv=1.08``.

    Returns
    -------
    named : dict of str to float
        By channel.
    """
    named: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not name or _number(number) is None:
            raise ArgumentTypeError(f"{text!r} is not NAME=NUMBER")
        _put(named, name, float(number))
    return named


def read_priors(texts):
    """Read ``tv:roi=1:3``.

    Returns
    -------
    priors : dict of str to dict of str to (float, float)
        By channel and quantity.
    """
    priors: dict[str, dict[str, tuple[float, float]]] = {}
    for text in texts:
        of, _, ends = text.rpartition("=")
        name, _, quantity = of.rpartition(":")
        low, colon, high = ends.partition(":")
        if not name or not colon or quantity not in QUANTITIES:
            raise ArgumentTypeError(
                f"{text!r} is not NAME:QUANTITY=LOW:HIGH with one of "
                f"{', '.join(QUANTITIES)}"
            )
        ends = _interval(low, high)
        if not 0 < ends[0] < ends[1] or (quantity == "decay" and ends[1] >= 1):
            below = " < 1" if quantity == "decay" else ""
            raise ArgumentTypeError(f"{text} must hold 0 < LOW < HIGH{below}")
        _put(priors.setdefault(name, {}), quantity, ends)
    return priors


def _number(text):
    """Return a finite number, None if it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _interval(low, high):
    ends = _number(low), _number(high)
    if None in ends or not 0 <= ends[0] <= ends[1]:
        raise ArgumentTypeError(
            f"{low} and {high} are not two numbers 0 <= LOW <= HIGH"
        )
    return ends


def _put(mapping, name, value):
    if name in mapping:
        raise ArgumentTypeError(f"{name!r} is given twice")
    mapping[name] = value
