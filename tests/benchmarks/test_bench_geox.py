"""The benchmark beside GeoX asks and scores our half as it says; it needs no GeoX."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

PATH = Path(__file__).parents[2] / "benchmarks" / "bench_geox.py"
if not PATH.exists():
    pytest.skip(
        "benchmarks are not part of the source distribution", allow_module_level=True
    )
sys.path.insert(0, str(PATH.parent))
bench = importlib.import_module("bench_geox")
sys.path.remove(str(PATH.parent))


@pytest.fixture(scope="module")
def data():
    """A panel in the columns of GeoX; region "105" is all noise."""
    days = pd.date_range("2020-01-01", periods=60)
    rng = np.random.default_rng(0)
    size = np.linspace(100, 300, 13)
    common = 1 + 0.02 * rng.standard_normal((60, 1))
    noise = 0.01 * rng.standard_normal((60, 13))
    names = ["105", *(str(1000 + i) for i in range(12))]
    kpi = pd.DataFrame(size * (common + noise), index=days, columns=names)
    kpi["105"] *= rng.uniform(0, 2, 60)
    kpi.index.name = "date"
    return kpi.reset_index().melt("date", var_name="location", value_name="conversions")


QUESTION = bench.QUESTION | {
    "start": "2020-02-20",
    "length": 5,
    "max_share": 0.4,
    "n_candidates": 30,
    "calls": 1,
}


@pytest.mark.parametrize("method", bench.OURS)
def test_our_designs_are_asked_the_question(data, method):
    answer = bench.ask_us(data, QUESTION, method)
    row = bench.key_of(data, QUESTION, "skmmm", method) | bench.design_row(answer)
    assert [row[key] for key in ("question", "n_regions", "n_periods")] == [
        "design",
        12,
        50,
    ]
    assert row["n_designs"] == 10
    assert 0 < row["mde_best"] <= row["mde_median"] <= row["mde_worst"] < 0.2
    # Few degrees of freedom ask for more than a normal does.
    assert row["mde_best"] / row["se_best"] > bench.normal_quantiles(QUESTION)
    assert row["share"] <= QUESTION["max_share"]
    assert row["n_treated"] == 4  # 40 % of 12 regions, fewer than five
    assert all("105" not in design["regions"] for design in answer["designs"])
    assert row["seconds"] > 0


def test_held_out_errors_are_those_of_the_windows(data, monkeypatch):
    monkeypatch.setitem(bench.LENGTHS, 5, ("design", 40))
    windows = bench.held_out_questions(data, 5, 20)
    questions = [window | {"n_placebos": 0, "max_share": 0.4} for window in windows]
    assert [question["start"] for question in questions] == [
        "2020-02-10",
        "2020-02-17",
        "2020-02-24",
    ]
    assert questions[0]["end"] == "2020-02-14"
    answers = [bench.ask_us(data, question, "difference") for question in questions]
    answers[1] = {"error": "no design"}
    tests = bench.held_out_tests(data, questions, answers, "difference")
    row = bench.held_out_row(tests, questions)
    assert len(tests) == 6
    assert (row["n_windows"], row["n_failed"], row["n_designs"]) == (2, 1, 6)
    assert row["rms_error"] == row["rms_error_ours"] < 0.02
    assert 0.1 < row["rms_z"] < 4
    z = (tests["estimate"] / tests["std_error"])[tests["rank"] == 0]
    assert row["rms_z_best"] == pytest.approx(np.sqrt((z**2).mean()))


def test_a_rival_is_scored_by_its_own_estimate_and_by_ours(data):
    question = bench.QUESTION | {
        "start": "2020-02-20",
        "end": "2020-02-24",
        "length": 5,
        "n_placebos": 10,
    }
    design = {"regions": ["1000", "1001"], "mde_lift": 0.05, "share": 0.1}
    answer = {"designs": [design | {"std_error": 8.0, "estimate": 16.0}]}
    tests = bench.held_out_tests(data, [question], [answer], "difference")
    row = bench.held_out_row(tests, [question])
    assert row["rms_z"] == 2.0
    assert np.isnan(row["rms_z_own"])
    treated = data["location"].isin(design["regions"])
    treated &= data["date"].between(question["start"], question["end"])
    kpi = data.loc[treated, "conversions"].sum()
    assert row["rms_error"] == pytest.approx(16 / kpi)
    assert row["rms_error_ours"] == pytest.approx(abs(tests["by_us"][0]) / kpi)


def test_quantiles_and_sizes():
    assert bench.normal_quantiles(bench.QUESTION) == pytest.approx(
        stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    )
    assert bench.sizes_of(113, 0.3) == [5, 10, 15, 20, 25, 30]
    assert bench.sizes_of(12, 0.3) == [3]


def test_rows_replace_those_of_the_same_question(tmp_path):
    key = dict.fromkeys(bench.KEYS, "a") | {"n_candidates": 100}
    out = tmp_path / "geox.csv"
    bench.write([key | {"seconds": 1.0}], out)
    bench.write([key | {"seconds": 2.0}, key | {"tool": "b", "seconds": 3.0}], out)
    table = pd.read_csv(out)
    assert table["seconds"].tolist() == [2.0, 3.0]
    assert table["per_candidate"].tolist() == [20.0, 30.0]
