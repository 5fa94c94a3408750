"""Designs of geo tests beside those of Meridian GeoX, and whether they are honest.

Both get the example of GeoX 1.0.1 for a single cell (simulated; 114 regions, 91 days)
and the question of its notebook: 30 days, alpha .1 two-sided, power .8, at most 30 % of
the KPI treated, region 105 left out. The data are read from the installed package.
Writes results/geox.csv, one row per question, tool and method.

"design", the example itself:

- n_candidates: sets of regions looked at
- first_seconds, seconds, cpu_seconds: the whole call, the first of a process (GeoX
  compiles), the second by the clock and by the processor; per_candidate in ms
- mde_best, mde_median, mde_worst: minimum detectable effect of the ten designs with the
  least, as a share of the KPI of the treated regions; se_best: standard error of the
  best, as such a share; n_treated and share (of the KPI) of the best

"held out", windows in which nothing happens, and the three best designs of data before
each of them (n_designs in all):

- of 7 and 14 days in the same 91 days, a week apart; of 30 days only that after the
  example, in the 86 regions that its analysis data do not treat. These data do not
  continue the others: on the first day of the test the differences between regions
  jump back to about those of January, so that this window tells little
- n_failed: windows without a design
- n_periods: days before the last window
- mde_best: mean of what the best designs promise; mde_held: what their errors, by the
  analysis of the same tool, are worth as an MDE
- rms_error: error as a share of the KPI; rms_z: in standard errors that the design
  promised, 1 if honest, and with few degrees of freedom more (1.4 with 4, for which
  the quantiles of t make up); rms_z_best: of the first design of each window only;
  bias_z: mean, not root mean square, over all
- rms_z_own: in standard errors of the analysis itself
- rms_error_ours: the error of the same designs if GeoLiftRegressor analyses the test

What is not the same:

- GeoX: time-based regression on the mean of all controls; candidates at random or with
  sizes by strata, as many regions as the limit allows; all are compared by R2 in the
  last window but one, the hundred best have one standard error in common: how much
  their effects per region in the last window differ from each other, so that those
  with the largest regions have the least MDE. Quantiles are normal.
- Ours: synthetic control or differences; 5, 10, ... regions, as the user says how many;
  one standard error for each design, from placebos in windows and regions. Quantiles
  are those of t with few degrees of freedom (2 windows before 30 days), up to a fourth
  more than normal ones.
- The MDE of GeoX is a share of the treated regions' KPI in the last 30 days, ours in
  all 91; both are shares of the KPI of the treated regions in a window, not of all.
- We rank by cost among designs that find `lift`. It is .001 here, which none finds, and
  the designs are taken by least MDE, as GeoX ranks them.
- Held out, GeoX looks at a tenth of its usual candidates, to save time.

    python -m venv env-geox && env-geox/bin/pip install meridian-geox==1.0.1
    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/bench_geox.py \\
        --geox env-geox/bin/python

Rows of other questions and methods stay as they are in the file.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from skmmm.experiments import GeoLiftRegressor, design_experiment

RESULTS = Path(__file__).parent / "results"
RUNNER = Path(__file__).parent / "rivals" / "run_geox.py"
OURS = ("synthetic_control", "difference")
GEOX = ("STRATIFIED_SAMPLING", "RANDOM")
KEYS = [
    "question",
    "tool",
    "method",
    "n_regions",
    "n_periods",
    "length",
    "n_candidates",
]
QUESTION = {
    "data": "design",
    "start": "2020-04-01",
    "length": 30,
    "exclude": ["105"],
    "max_share": 0.3,
    "alpha": 0.1,
    "power": 0.8,
    "n_candidates": 100_000,
    "n_designs": 10,
    "n_placebos": 0,
    "calls": 2,
}
# First day of the test in the analysis data.
TESTED = "2020-04-01"
# Of windows by length: their data, and how many days come before the first.
LENGTHS = {7: ("design", 28), 14: ("design", 42), 30: ("untreated", 91)}
ROLES = {"region": "location", "time": "date"}
# Below what is found, so that designs are ranked by what they find.
LIFT = 0.001


def read(path):
    """Return one of GeoX's tables."""
    data = pd.read_csv(path, dtype={"location": str}, parse_dates=["date"])
    return data.rename(columns=str.lower)


def sizes_of(n_regions, max_share):
    """Return numbers of treated regions to compare, up to the share of regions."""
    most = max(int(max_share * n_regions), 1)
    return [*range(5, most + 1, 5)] or [most]


def normal_quantiles(question):
    """Return the MDE in standard errors, of a normal estimate."""
    return stats.norm.ppf(1 - question["alpha"] / 2) + stats.norm.ppf(question["power"])


def ask_geox(python, folder, questions):
    """Return GeoX's answers, from a process of its own."""
    (folder / "questions.json").write_text(json.dumps(questions))
    subprocess.run([python, RUNNER.resolve(), folder], check=True, cwd=folder)
    answers = json.loads((folder / "answers.json").read_text())
    for question, answer in zip(questions, answers, strict=True):
        for design in answer.get("designs", []):
            design["std_error"] = design["mde"] / normal_quantiles(question)
    return answers


def ask_us(data, question, method):
    """Return our answer to the same question, in the same form."""
    data = data[data["date"] < question["start"]]
    n_regions = data["location"].nunique() - len(question["exclude"])
    sizes = sizes_of(n_regions, question["max_share"])
    wall, cpu = [], []
    for _ in range(question["calls"]):
        clocks = time.perf_counter(), time.process_time()
        found = design_experiment(
            data[["location", "date"]],
            data["conversions"],
            n_regions=sizes,
            n_periods=question["length"],
            lift=LIFT,
            method=method,
            exclude=question["exclude"],
            max_share=question["max_share"],
            alpha=question["alpha"],
            power=question["power"],
            n_candidates=question["n_candidates"] // len(sizes),
            random_state=0,
            **ROLES,
        )
        wall.append(time.perf_counter() - clocks[0])
        cpu.append(time.process_time() - clocks[1])
    best = found.sort_values("mde_lift").head(question["n_designs"])
    wanted = ["regions", "mde", "mde_lift", "share", "std_error"]
    return {"designs": best[wanted].to_dict("records"), "wall": wall, "cpu": cpu}


def analyse(data, regions, question, method):
    """Return what our analysis finds in a window in which nothing happens."""
    data = data[data["date"] <= question["end"]]
    test = GeoLiftRegressor(
        regions,
        start=question["start"],
        end=question["end"],
        method=method,
        exclude=question["exclude"],
        random_state=0,
        **ROLES,
    )
    return test.fit(data[["location", "date"]], data["conversions"]).effect_.iloc[0]


def key_of(data, question, tool, method):
    before = data[data["date"] < question["start"]]
    found = (
        "held out" if "end" in question else "design",
        tool,
        method.lower(),
        data["location"].nunique() - len(question["exclude"]),
        before["date"].nunique(),
        question["length"],
        question["n_candidates"],
    )
    return dict(zip(KEYS, found, strict=True))


def design_row(answer):
    """Return how good and how fast designs are, shares of the treated KPI."""
    designs = pd.DataFrame(answer["designs"])
    best = designs.iloc[0]
    return {
        "n_designs": len(designs),
        "first_seconds": answer["wall"][0],
        "seconds": answer["wall"][-1],
        "cpu_seconds": answer["cpu"][-1],
        "mde_best": best["mde_lift"],
        "mde_median": designs["mde_lift"].median(),
        "mde_worst": designs["mde_lift"].max(),
        "se_best": best["std_error"] * best["mde_lift"] / best["mde"],
        "n_treated": len(best["regions"]),
        "share": best["share"],
    }


def held_out_questions(data, length, n_candidates):
    """Return windows after as many days as GeoX wants, a week apart."""
    days = np.sort(data["date"].unique())
    windows = []
    name, before = LENGTHS[length]
    for first in range(before, len(days) - length + 1, 7):
        start, end = (pd.Timestamp(days[i]) for i in (first, first + length - 1))
        windows.append(
            QUESTION
            | {
                "data": name,
                "start": str(start.date()),
                "end": str(end.date()),
                "length": length,
                "n_candidates": n_candidates,
                "n_designs": 3,
                "n_placebos": 1000,
                "calls": 1,
            }
        )
    return windows


def held_out_tests(data, questions, answers, ours):
    """Return one row per window and design; `ours` is the method of our analysis."""
    rows = []
    for question, answer in zip(questions, answers, strict=True):
        within = data["date"].between(question["start"], question["end"])
        for rank, design in enumerate(answer.get("designs", [])):
            effect = analyse(data, design["regions"], question, ours)
            by_us = {"estimate": effect["estimate"], "own_error": effect["std_error"]}
            by_tool = {key: design.get(key, np.nan) for key in by_us}
            treated = within & data["location"].isin(design["regions"])
            rows.append(
                {
                    "start": question["start"],
                    "rank": rank,
                    "kpi": data.loc[treated, "conversions"].sum(),
                    "by_us": effect["estimate"],
                    **{key: design[key] for key in ("mde_lift", "std_error", "share")},
                    "n_treated": len(design["regions"]),
                    **(by_tool if question["n_placebos"] else by_us),
                }
            )
    return pd.DataFrame(rows)


def held_out_row(tests, questions):
    """Return how far estimates are off where there is no effect, and as promised."""

    def rms(values):
        return float(np.sqrt((values**2).mean()))

    first = tests[tests["rank"] == 0]
    error = rms(tests["estimate"] / tests["kpi"])
    return {
        "n_windows": first["start"].nunique(),
        "n_failed": len(questions) - first["start"].nunique(),
        "n_designs": int(tests["estimate"].notna().sum()),
        "mde_best": first["mde_lift"].mean(),
        "mde_held": error * normal_quantiles(questions[0]),
        "n_treated": first["n_treated"].mean(),
        "share": first["share"].mean(),
        "rms_error": error,
        "rms_z": rms(tests["estimate"] / tests["std_error"]),
        "rms_z_best": rms(first["estimate"] / first["std_error"]),
        "bias_z": (tests["estimate"] / tests["std_error"]).mean(),
        "rms_z_own": rms(tests["estimate"] / tests["own_error"]),
        "rms_error_ours": rms(tests["by_us"] / tests["kpi"]),
    }


def run_designs(python, folder, candidates):
    """Return the rows of the question of the notebook."""
    data, rows = read(folder / "design.csv"), []
    for rule in GEOX:
        question = QUESTION | {"rule": rule}
        answer = ask_geox(python, folder, [question])[0]
        rows.append(key_of(data, question, "GeoX", rule) | design_row(answer))
        print(rows[-1], flush=True)
    for n_candidates in candidates:
        for method in OURS:
            question = QUESTION | {"n_candidates": n_candidates}
            answer = ask_us(data, question, method)
            rows.append(key_of(data, question, "skmmm", method) | design_row(answer))
            print(rows[-1], flush=True)
    return rows


def run_held_out(python, folder, length, candidates):
    """Return the rows of windows in which nothing happens, and all their tests."""
    data = read(folder / f"{LENGTHS[length][0]}.csv")
    rows, tests = [], []
    tools = [("GeoX", rule) for rule in GEOX] + [("skmmm", method) for method in OURS]
    for tool, method in tools:
        rival = tool == "GeoX"
        questions = held_out_questions(data, length, candidates[tool])
        if rival:
            questions = [question | {"rule": method} for question in questions]
            answers = ask_geox(python, folder, questions)
        else:
            questions = [question | {"n_placebos": 0} for question in questions]
            answers = [ask_us(data, question, method) for question in questions]
        ours = OURS[0] if rival else method
        found = held_out_tests(data, questions, answers, ours)
        key = key_of(data, questions[-1], tool, method)
        if len(found):
            rows.append(key | held_out_row(found, questions))
            tests.append(found.assign(**key))
            print(rows[-1], flush=True)
    return rows, tests


def write_untreated(folder):
    """Write the regions without spend in the test of the analysis data."""
    data = read(folder / "analysis.csv")
    spent = (data["date"] >= TESTED) & (data["spend"] > 0)
    treated = data.loc[spent, "location"].unique()
    data[~data["location"].isin(treated)].to_csv(folder / "untreated.csv", index=False)


def write(rows, out):
    """Write rows into the file, in place of those with the same key."""
    table = pd.DataFrame(rows)
    if "seconds" in table:
        table["per_candidate"] = 1000 * table["seconds"] / table["n_candidates"]
    table = table.round(5)
    if out.exists():
        table = pd.concat([pd.read_csv(out), table])
    table = table.drop_duplicates(KEYS, keep="last").sort_values(KEYS)
    table.to_csv(out, index=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--geox", required=True, help="Python that has meridian-geox")
    parser.add_argument("--candidates", type=int, nargs="+", default=[3000, 30_000])
    parser.add_argument("--lengths", type=int, nargs="*", default=[*LENGTHS])
    parser.add_argument("--no-designs", action="store_true", help="held out only")
    parser.add_argument("--tests", type=Path, help="write all held-out tests here")
    parser.add_argument("--out", type=Path, default=RESULTS / "geox.csv")
    options = parser.parse_args()
    python = str(Path(options.geox).absolute())
    with tempfile.TemporaryDirectory() as name:
        folder, tests = Path(name), []
        subprocess.run([python, RUNNER.resolve(), folder, "--data"], check=True)
        write_untreated(folder)
        if not options.no_designs:
            write(run_designs(python, folder, options.candidates), options.out)
        for length in options.lengths:
            candidates = {"GeoX": 10_000, "skmmm": options.candidates[0]}
            rows, found = run_held_out(python, folder, length, candidates)
            write(rows, options.out)
            tests.extend(found)
        if options.tests and tests:
            pd.concat(tests).to_csv(options.tests, index=False)


if __name__ == "__main__":
    main()
