"""What the words of the page mean."""

from skmmm.report._html import escape

_TERMS = (
    (
        "Contribution",
        "What is predicted with the spend of a channel, minus what is predicted "
        "without it. An estimate of what the channel caused, as far as its verdict "
        "allows.",
    ),
    (
        "Interval",
        "Where the value lies with the stated probability, given the model. It does "
        "not cover that the model itself may be wrong. On simulated panels with known "
        "truth, intervals were somewhat too narrow: the scorecard of the documentation "
        "says by how much. The value beside it is the most "
        "probable one, which is not the middle: it lies near one end where the other "
        "side is less certain.",
    ),
    (
        "ROI and marginal ROI",
        "What all spend of a channel returned per unit, and what one more unit would. "
        "Curves flatten, so that the second is in general smaller. Only the second "
        "says where the next unit should go. It depends on the level and the timing of "
        "spend: on the page Channels it is that of past spend, on the page of the plan "
        "that of the coming periods.",
    ),
    (
        "Verdict",
        "Data-driven: the data narrowed the estimate to less than half of its prior "
        "range. Prior-driven: they say too little, and the number is an assumption. "
        "Not identified: they cannot tell the channel from something else.",
    ),
    (
        "Follows KPI",
        "Spend of the channel rose after sales rose. Its effect may be overstated, and "
        "no model of sales can see by how much: test it.",
    ),
    (
        "Baseline",
        "What would have come without media: level, trend, season. Controls are what "
        "moves the KPI besides, such as prices and holidays.",
    ),
    (
        "Carry-over and saturation",
        "Spend acts in later periods too, and each further unit adds less. Both are "
        "learned from the data per channel.",
    ),
    (
        "Skill",
        "Share of the naive forecast's error that is avoided: one is perfect, zero as "
        "good as repeating the last value. It shows whether the model knows the KPI, "
        "not whether it knows what caused it.",
    ),
    (
        "Plan",
        "The best split by the model within bounds. It keeps the pattern of unchanged "
        "spend over regions and periods. Move in steps and measure.",
    ),
)


def reading(content):
    """Return the tab of what words mean."""
    terms = "\n".join(
        f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in _TERMS
    )
    return f'<div class="card"><dl>{terms}</dl></div>'
