"""What channels are called in messages and pictures, and how many things there are."""

_MOST_LISTED = 30  # labels in a message


def called(label):
    """Return a channel in words; one of a group is a tuple, "brand / market / tv"."""
    return " / ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def listed(labels):
    """Return a list of labels as text, that of hundreds cut."""
    more = len(labels) - _MOST_LISTED
    return f"{labels[:_MOST_LISTED]}" + (f" and {more} more" if more > 0 else "")


def shown(value):
    """Return a value as text, of a table or an array what it is and how large."""
    shape = getattr(value, "shape", ())
    if not shape:
        return f"{value!r}"
    return f"a {type(value).__name__} of shape {tuple(shape)}"


def first_few(parts, most=_MOST_LISTED):
    """Return the first of several texts, and how many there are beyond them."""
    more = len(parts) - most
    return "; ".join(parts[:most]) + (f"; and {more} more" if more > 0 else "")


def counted(n, noun):
    """Return a number of things in words: "1 row", "1,200 rows"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
