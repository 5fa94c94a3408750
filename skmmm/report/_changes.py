"""What changed since an earlier model, in sentences."""

from skmmm.plotting._style import shorten
from skmmm.report._phrases import listed, number, unit_of_spend

_BRIEF = 42  # characters of what was tested in a sentence
# What a part of a change comes from.
CAUSES = {
    "data": "new, corrected or other data",
    "settings": "other settings",
    "seed": "another seed, which is chance",
    "refresh": "taking in rows by partial_fit in place of a fit to all rows",
}


def what_changed(content):
    """Return what moved most since an earlier model, and why, or "" without one.

    Hedged where the seed alone may have done it.
    """
    table = content.changes
    if table is None:
        return ""
    names = dict(zip(table.index, shorten(table.index, _BRIEF), strict=True))

    def some(which):
        return listed([f"“{names[channel]}”" for channel in which])

    both = table[table["change"].notna()]
    text = "No channel has a return in both models."
    if len(both):
        text = _moved_most(content, both, some)
    rings = [table[f"alarm_{model}"].fillna("") for model in ("old", "new")]
    differs = both.index[(rings[0] != rings[1])[both.index]]
    if len(differs):
        text += (
            f" An alarm rings for {some(differs)} in one of the models only: what is "
            "reported of it jumps by more than the estimate has moved."
        )
    for model, other, verb in (("new", "old", "is new"), ("old", "new", "is gone")):
        lacks = table[f"roi_{other}"].isna() & table[f"roi_{model}"].notna()
        if lacks.any():
            text += f" {some(table.index[lacks])} {verb}."
    return text


def _moved_most(content, table, some):
    """Return which return moved most, and what its change is made of."""
    size = table["change"].abs()
    beyond = size > table["seed_noise"]
    if not (content.priced and content.paid.all()):
        size = size / table["roi_old"].abs()  # units differ
    row = table.loc[size.where(beyond | ~beyond.any(), -1.0).idxmax()]
    moved = (
        f"{some([row.name])} moved most, from {number(row.roi_old)} to "
        f"{number(row.roi_new)} {content.kpi} per {unit_of_spend(content)}"
    )
    by_seed = f"the seed alone moves it by {row.seed_noise:.2g}"
    if not beyond.any():
        text = (
            "No return moved by more than the seed alone moves it: no news. "
            f"{moved}; {by_seed}."
        )
    elif abs(row.change) < 2 * row.seed_noise:
        text = f"{moved}, {_why(row)}; but {by_seed}, so that this may be chance."
    else:
        text = f"{moved}, {_why(row)}; {by_seed}."
    others = table.index[beyond & (table.index != row.name)]
    if len(others):
        text += f" {some(others)} moved by more than the seed alone moves them, too."
    text += " Compared are rows that both models know: what came after is not seen."
    return text + _surprises(table, some)


def _surprises(table, some):
    """Return which new returns the old intervals did not hold, in a sentence."""
    outside = table.index[table["outside"].astype(bool)]
    if len(outside):
        what = "is" if len(outside) == 1 else "are"
        ends = "its earlier interval" if what == "is" else "their earlier intervals"
        return f" {some(outside)} {what} outside of {ends}."
    if table["roi_old_low"].notna().any():
        return " All returns are within their earlier intervals."
    return ""


def _why(row):
    """Return what most of a change of return owes itself to, or all parts of it."""
    parts = row[list(CAUSES)].astype(float)
    main = parts.abs().idxmax()
    share = parts[main] / row.change if row.change else 0.0
    if 0.5 < share < 1.5 and parts.abs()[main] > 0.5 * parts.abs().sum():
        text = f"mostly by {CAUSES[main]} ({parts[main]:+.2g} of {row.change:+.2g})"
    else:  # parts that cancel, or of which none is most
        order = parts[parts != 0.0].abs().sort_values(ascending=False).index
        said = [f"{CAUSES[name]} ({parts[name]:+.2g})" for name in order]
        text = f"by {listed(said)}, {row.change:+.2g} together"
    if main != "seed" and abs(parts[main]) <= row.seed_noise:
        text += ", a part no larger than what the seed does"
    return text
