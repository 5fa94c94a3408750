"""What messages advise, in words of the command line."""

import re
import shlex
from ast import literal_eval

_OPTIONS = (
    "max_lag|max_iter|adstock|media_cost|target_roi|target_mroi|money_bounds|"
    "price_level|price_elasticity|brand_channels"
)
_NOT_A_NAME = r"(?<![\w'\"-])"  # of a column, which is quoted


def _as_bare_option(found):
    """Return an argument whose value is left to the reader as an option."""
    return f"{found[1]} --{found[2].replace('_', '-')}"


# What the package says to a programmer, and the same at the command line; what no
# option can do is left out.
SAID = (
    (
        r"Plan them otherwise, as in make_future_frame\(\d+, spend='(\w+)'\), or with "
        r"numbers or a DataFrame as spend, and pass the table as X\.",
        r"Plan them otherwise: --spend \1, or a table of these periods as --data in "
        r"place of --horizon.",
    ),
    (
        r"(control_values.*)Repeat others, as in make_future_frame\(.*?\), plan "
        r"numbers, or add the row to X\.",
        r"\1Add the row to the data and fit again, or give a table of the coming "
        r"periods as --data in place of --horizon.",
    ),
    (
        r"Repeat others, as in make_future_frame\(\d+, spend='(\w+)'\), plan numbers, "
        r"or add the row to X\.",
        r"Repeat others with --spend \1, or give a table of the coming periods as "
        r"--data in place of --horizon.",
    ),
    (r"\bspend(\[.+?\])?='(last_\w+)' (?=needs|repeats)", r"--spend \2 "),
    (
        r"\bcontrol_values\[(.+?)\]='last_(\w+)' (?=needs|repeats)",
        r"the control \1, as last \2, ",
    ),
    (r"Use '(last_\w+)', or plan numbers\.", r"Use --spend \1, or --data."),
    (r"Ask for fewer, or plan numbers\.", "Ask for fewer, or use --data."),
    (r"( to leave them out of the carry-over)?, or set gap='mask'.*?\.", "."),
    (r" ?If rows were split by their order, .*?PanelTimeSeriesSplit\.", ""),
    (r" ?Use unseen_region='average' to predict it as an average region\.", ""),
    (r" ?Its worth_testing\(\) says which channel's test would pay most\.", ""),
    (
        r": give these rows sample_weight 0\. Their spend still acts later, and .*?\.",
        ". In Python, sample_weight 0 leaves these rows out.",
    ),
    (r" passed to DeepCausalMMMRegressor", ""),
    (r" by DeepCausalMMMRegressor\b", ""),
    (r" are needed to know their length; use time=None .*?\.", " are needed."),
    (r"Use more periods, or time=None for rows .*?\.", "Use more periods."),
    (r" If the dates are first days of weeks, the nearest Monday is .*", ""),
    (r"pass model=\.\.\., fitted again", "say --model, a model fitted again"),
    (r"\bX_actual\b", "DATA"),
    (r"\bplan\.X does\b", "the plan does"),
    (
        r"\b([Gg]ive (?:it|them) (?:some|spend)) in X\.",
        r"\1 in a table of these rows as --data.",
    ),
    (r"Plan with effect='total' to count it\.", "In Python, effect='total' counts it."),
    (r", or set allow_extrapolation=True\.", "."),
    (r"the parameter priors\b", "--prior"),
    (r"\bpriors\[('[^']*')\]\['(\w+)'\]", r"--prior of \1:\2"),
    (r"\bpriors\[('[^']*')\]", r"--prior of \1"),
    (r"\bwith a larger n_draws\b", "with more --draws"),
    (r"\bn_draws=(\d+)", r"--draws \1"),
    (r" \(n_draws\)", " (--draws)"),
    (r"\banother random_state\b", "another --seed"),
    (r", or set n_hidden=0\.", "."),
    (r" See sampling_diagnostics_\.| \(sampling_diagnostics_\)", ""),
    (r"\bexperiments_ says\b", "experiments.csv says"),
    (r", see control_summary\)", ")"),
    (r" \(media_cost_\)", ""),
    (r"\b(fit(?: it)? with) (time|media_cost)=\.\.\.", _as_bare_option),
    (r"; if it may do harm, name it in free_sign\.", "."),
    (r", or fit with synergies=None\.", ", or fit without --synergy."),
    (r"^(error: )?synergies (?=names|pairs)", r"\1--synergy "),
    (r"\bis in synergies, ", "is in --synergy, "),
    (rf"{_NOT_A_NAME}({_OPTIONS})='?(\w+(?:\.\w+)?)'?(?![\w'])", None),
    (rf"{_NOT_A_NAME}({_OPTIONS})(?![\w'=])", None),
    (
        r"(?:^|(?<=^error: ))(bounds|fixed|levers)"
        r"(?= (?:of|names?|asks?|sets|are|scale)\b)",
        None,
    ),
)
_NAMES = {"fixed": "fix", "levers": "lever", "brand_channels": "brand"}


def for_command_line(text):
    """Return a message with options in place of what is Python."""
    for pattern, said in SAID:
        text = re.sub(pattern, _as_option if said is None else said, text)
    return re.sub(r"fixed=\[(.*?)\] keeps", _as_fix, text)


def _as_option(found):
    """Return an argument as an option, with its value if it has one."""
    name = found[1]
    option = f"--{_NAMES.get(name, name).replace('_', '-')}"
    valued = "=" in found[0]
    return f"{option} {found[2]}" if valued else option


def _as_fix(found):
    """Return channels that a message fixes as the option that does."""
    channels = map(str, literal_eval(f"[{found[1]}]"))
    return f"--fix {shlex.join(channels)} keeps"
