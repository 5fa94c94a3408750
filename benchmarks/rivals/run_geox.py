"""Meridian GeoX on the questions of `bench_geox.py`.

python benchmarks/rivals/run_geox.py FOLDER --data    writes the package's example data
python benchmarks/rivals/run_geox.py FOLDER           answers FOLDER/questions.json

Runs in an environment of its own (meridian-geox==1.0.1) and imports nothing of skmmm.
Calls are those of the package's notebook for a single cell; settings that a question
does not name are GeoX's defaults.
"""

import argparse
import json
import logging
import time
import warnings
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import meridian_geox as geox
import pandas as pd

DATA = {
    "design": "example_design_data_single_cell.csv",
    "analysis": "example_analysis_data_single_cell_holdback.csv",
}


def write_data(folder):
    """Copy the two tables of the package's example."""
    for name, file in DATA.items():
        text = (files("meridian_geox") / "data" / file).read_text()
        (folder / f"{name}.csv").write_text(text)


def read(path):
    data = pd.read_csv(path, dtype={"location": str}, parse_dates=["date"])
    return data.rename(columns=str.lower)


def design(data, question):
    """Return the designs of one call, and its seconds (wall clock, processor)."""
    config = geox.DesignConfig(
        experiment_duration=timedelta(days=question["length"]),
        experiment_types=geox.ExperimentType.HOLDBACK,
        methodology=geox.Methodology.TBR,
        geo_assignment_rule=geox.GeoAssignmentRule[question["rule"]],
        cell_count=1,
        alpha=question["alpha"],
        power=question["power"],
        design_output_count=question["n_designs"],
        n_candidates=question["n_candidates"],
    )
    limits = geox.Constraints(
        excluded_geos=set(question["exclude"]),
        max_conversions_percent=question["max_share"],
    )
    wall, cpu = time.perf_counter(), time.process_time()
    found = geox.run_design(data, config, limits)
    return found, time.perf_counter() - wall, time.process_time() - cpu


def analyse(data, found, question):
    """Return estimate and standard error of the test of a design, in total.

    Nothing where GeoX refuses, such as for want of placebos.
    """
    config = geox.AnalysisConfig(
        design=found,
        analysis_start_date=pd.Timestamp(question["start"]),
        analysis_end_date=pd.Timestamp(question["end"]),
        n_placebo_candidates=question["n_placebos"],
    )
    try:
        lift = geox.analyze(data, config).results["cell_1"].lift
    except ValueError:
        return {}
    return {"estimate": lift.point_estimate, "own_error": lift.standard_deviation}


def answer(folder, question):
    """Return designs, best first, and what their test finds if there is one."""
    data = read(folder / f"{question['data']}.csv")
    before = data[data["date"] < question["start"]]
    calls = [design(before, question) for _ in range(question["calls"])]
    found = calls[-1][0]
    rows = []
    for _, row in found.design_metrics.iterrows():
        one = found.designs[row["design_id"]]
        rows.append(
            {
                "regions": sorted(one.designs["cell_1"].treatment_geos),
                "mde": float(row["mde_abs"]),
                "mde_lift": float(row["mde"]),
                "share": float(row["treatment_conversions_pct"]) / 100,
            }
        )
    if question["n_placebos"]:
        upto = data[data["date"] <= question["end"]]
        for row, name in zip(rows, found.design_metrics["design_id"], strict=True):
            row |= analyse(upto, found.designs[name], question)
    return {
        "designs": rows,
        "wall": [call[1] for call in calls],
        "cpu": [call[2] for call in calls],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", action="store_true", help="write the data only")
    options = parser.parse_args()
    if options.data:
        write_data(options.folder)
        return
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    answers = []
    for question in json.loads((options.folder / "questions.json").read_text()):
        try:
            answers.append(answer(options.folder, question))
        except ValueError as error:  # Such as: no design passed its checks.
            answers.append({"error": str(error)})
        print(question["start"], answers[-1].get("error", "done"), flush=True)
    (options.folder / "answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
