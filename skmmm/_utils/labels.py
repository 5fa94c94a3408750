"""What channels are called in messages and pictures."""

_MOST_LISTED = 30  # labels in a message


def called(label):
    """Return a channel in words; one of a group is a tuple, "brand / market / tv"."""
    return " / ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def listed(labels):
    """Return a list of labels as text, that of hundreds cut."""
    more = len(labels) - _MOST_LISTED
    return f"{labels[:_MOST_LISTED]}" + (f" and {more} more" if more > 0 else "")
