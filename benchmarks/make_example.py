"""Regenerate the panel that `skmmm.datasets.load_mmm_example` reads.

Run as ``python benchmarks/make_example.py``. The files are written with a fixed time
stamp, so that running it again changes nothing. The world is fixed in the tables below;
the seed is the first one. ``python benchmarks/make_example.py --check`` fits the worlds
of ten seeds and prints how far each channel is from its truth.

Why the channels can be told apart: none of them is bought by season alone, and each
city has weeks and budgets of its own. Television, online video and display are on and
off; radio, paid search and social change their budgets city by city, and pause in each
city for some weeks. Without the pauses no week shows what sales are without them, and
a return that is counted from zero is then a guess.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor, datasets
from skmmm.datasets import _synthetic

# People in thousands.
CITIES = {
    "Berlin": 3700,
    "Bremen": 570,
    "Cologne": 1080,
    "Dresden": 560,
    "Frankfurt": 760,
    "Graz": 290,
    "Hamburg": 1850,
    "Leipzig": 610,
    "Linz": 210,
    "Munich": 1490,
    "Stuttgart": 630,
    "Vienna": 1950,
}
# Share of the whole budget, euros of sales per euro, share of the effect that is left
# after a week, half saturation in multiples of the average week, slope.
MEDIA = pd.DataFrame(
    {
        "tv": (0.30, 1.6, 0.65, 1.5, 1.3),
        "radio": (0.12, 1.3, 0.45, 1.2, 1.2),
        "paid_search": (0.20, 3.2, 0.20, 1.5, 1.0),
        "online_video": (0.15, 2.2, 0.50, 1.5, 1.2),
        "display": (0.10, 0.9, 0.35, 1.2, 1.0),
        "social": (0.13, 1.8, 0.40, 1.2, 1.0),
    },
    index=["budget", "roi", "decay", "half_saturation", "slope"],
).T
GRAPH = pd.DataFrame(0.0, MEDIA.index, MEDIA.index)
GRAPH.loc["tv", "paid_search"] = 0.3
GRAPH.loc["online_video", "social"] = 0.25
CONTROLS = pd.DataFrame(
    {"price": (9.0, -0.9 / 9.0), "holiday": (0.0, 0.08)}, index=["reference", "effect"]
).T
N_WEEKS, N_LAGS = 156, 14
SALES_PER_HEAD = 0.1  # euros a week, without media
MEDIA_SHARE = 0.3
NOISE, LEVEL = 0.04, 0.02
PEAK = 0.93  # of the season, in years: early December
DATA = Path(datasets.__file__).parent / "data"


def draw_parameters(rng, weeks, years):
    """The truth, as `PanelResponse` takes it; effects and budgets not yet scaled."""
    cities, shape = list(CITIES), (len(CITIES), len(MEDIA))
    people = 1000.0 * np.array(list(CITIES.values()))
    scale = SALES_PER_HEAD * people * np.exp(0.15 * rng.standard_normal(len(cities)))
    # What a city gets per head differs, by city and by channel in it.
    generosity = np.exp(0.15 * rng.standard_normal((len(cities), 1)))
    mix = np.exp(0.25 * rng.standard_normal(shape))
    budget = people[:, None] * generosity * mix * MEDIA["budget"].to_numpy()
    effect = np.exp(0.15 * rng.standard_normal(shape))
    level = LEVEL * _synthetic._shared_paths(rng, (len(weeks), len(cities), 1), 0.97)
    season = 0.12 * _synthetic._seasonal_wave(years, PEAK)
    kernel = MEDIA["decay"].to_numpy()[:, None] ** np.arange(N_LAGS)
    kernel /= kernel.sum(axis=1, keepdims=True)
    return {
        "scale": pd.Series(scale, cities),
        "trend": pd.Series(0.03 * years, weeks),
        "season": pd.Series(season, weeks),
        "level": pd.DataFrame(level[..., 0], weeks, cities),
        "control_effect": CONTROLS["effect"],
        "control_reference": CONTROLS["reference"],
        "half_saturation": MEDIA["half_saturation"],
        "slope": MEDIA["slope"],
        "effect": pd.DataFrame(effect, cities, MEDIA.index),
        "media_scale": pd.DataFrame(budget, cities, MEDIA.index),
        "drift": pd.DataFrame(1.0, weeks, MEDIA.index),
        "kernel": pd.DataFrame(kernel, MEDIA.index, range(N_LAGS)),
    }


def flights(rng, n_cities, on_air, persistence):
    """On or off, of shape (T, R): half of the timing is national, half the city's."""
    timing = _synthetic._shared_paths(rng, (N_WEEKS, n_cities, 1), persistence)[..., 0]
    return timing >= np.quantile(timing, 1.0 - on_air, axis=0)


def steps(rng, n_cities, n_weeks, spread):
    """Budgets that each city sets anew every n_weeks, of shape (T, R)."""
    n_steps = -(-N_WEEKS // n_weeks)
    return np.exp(spread * rng.standard_normal((n_steps, n_cities))).repeat(
        n_weeks, axis=0
    )[:N_WEEKS]


def draw_patterns(rng, years):
    """Course of spend, of shape (T, R, M), one on average over time in each city."""
    n = len(CITIES)
    wave = _synthetic._seasonal_wave(years, PEAK)[:, None]
    pattern = {
        "tv": flights(rng, n, 0.35, 0.8),
        "radio": (1.0 + 0.4 * wave) * steps(rng, n, 6, 0.6) * flights(rng, n, 0.8, 0.8),
        "paid_search": (1.0 + 0.2 * wave)
        * steps(rng, n, 8, 0.5)
        * flights(rng, n, 0.85, 0.8),
        "online_video": flights(rng, n, 0.45, 0.7),
        "display": (1.0 + 0.3 * wave) * flights(rng, n, 0.6, 0.5),
        "social": steps(rng, n, 4, 0.6) * flights(rng, n, 0.8, 0.8),
    }
    pattern = np.stack([pattern[name] for name in MEDIA.index], axis=-1)
    pattern = pattern * np.exp(0.2 * rng.standard_normal(pattern.shape))
    return pattern / pattern.mean(axis=0)


def draw_controls(rng, years):
    """Price and holiday, of shape (T, R, 2)."""
    reference = CONTROLS["reference"].to_numpy()
    bounds = np.append(years, years[-1] + 7 / 365.25)
    return _synthetic._draw_controls(rng, bounds, reference, len(CITIES))


def fix_returns(response, spend, controls):
    """Scale budgets and effects to the wished-for shares and returns; spend (T, R, M).

    The response is in multiples of the budget, so that both can be scaled on their own.
    """
    p, roi = response.parameters, MEDIA["roi"].to_numpy()
    other = response.baseline().sum() + response.controls(controls).sum()
    caused = other * MEDIA_SHARE / (1.0 - MEDIA_SHARE)
    share = MEDIA["budget"].to_numpy()
    total = caused * share / (share @ roi)  # (M,), euros over the whole panel
    factor = total / spend.sum(axis=(0, 1))
    p["media_scale"] = p["media_scale"] * factor
    spend = spend * factor
    p["effect"] = p["effect"] * (total * roi / response.media(spend).sum(axis=(0, 1)))
    return spend


def make_example(random_state=0):
    """Draw the panel.

    Parameters
    ----------
    random_state : int, default=0
        Seed; the files hold that of 0.

    Returns
    -------
    frame : DataFrame of shape (1872, 11)
        Money in whole euros, price in cents.

    truth : DataFrame of shape (1872, 11)
        Region, week and true contributions, in tenths of a euro.
    """
    rng = np.random.RandomState(random_state)
    weeks = pd.date_range("2021-01-04", periods=N_WEEKS, freq="W-MON")
    years = np.asarray((weeks - weeks[0]) / pd.Timedelta(days=365.25))
    parameters = draw_parameters(rng, weeks, years)
    controls = draw_controls(rng, years)
    scale = parameters["media_scale"].to_numpy()
    graph = GRAPH.to_numpy()
    order = _synthetic._parents_first(graph)
    spend = _synthetic._follow_parents(
        scale * draw_patterns(rng, years), scale, graph, order
    )
    response = _synthetic.PanelResponse(parameters=parameters, saturation="hill")
    spend = fix_returns(response, spend, controls)
    noise = NOISE * parameters["scale"].to_numpy()
    noise = noise * rng.standard_normal((N_WEEKS, len(CITIES)))
    panel = _synthetic._pack_panel(response, spend, controls, noise)
    whole = [*MEDIA.index, "holiday", "sales"]
    frame = panel.frame.round({"price": 2})
    frame[whole] = frame[whole].round().astype(np.int64)
    truth = frame[["region", "week"]].join(panel.contributions.round(1) + 0.0)
    return frame, truth


def write_gzipped_csv(table, path):
    """Write a table as gzipped CSV without a time stamp."""
    text = table.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def check(random_state):
    """Return of each channel as the defaults of the demo see it, beside the truth."""
    frame, truth = make_example(random_state)
    model = DeepCausalMMMRegressor(
        media=list(MEDIA.index),
        controls=list(CONTROLS.index),
        region="region",
        time="week",
        media_cost=1.0,
        random_state=0,
    ).fit(frame.drop(columns="sales"), frame["sales"].astype(np.float64))
    summary = model.channel_summary()[["roi", "roi_low", "roi_high", "verdict"]]
    true = truth[MEDIA.index].sum() / frame[MEDIA.index].sum()
    held = true.between(summary["roi_low"], summary["roi_high"])
    return summary.assign(true=true, held=held, seed=random_state)


def main():
    """Write both files of the example, or check ten seeds of its world."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="fit ten seeds")
    if parser.parse_args().check:
        table = pd.concat([check(seed) for seed in range(10)])
        print(table.round(2).to_string())
        return
    frame, truth = make_example()
    write_gzipped_csv(frame, DATA / "mmm_example.csv.gz")
    write_gzipped_csv(truth, DATA / "mmm_example_truth.csv.gz")


if __name__ == "__main__":
    main()
