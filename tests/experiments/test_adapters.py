"""Reports of other software as rows of experiments: totals, errors, refusals."""

from types import SimpleNamespace as Part

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from skmmm._data.calendar import infer_calendar
from skmmm._data.experiments import read_experiments
from skmmm.experiments import (
    from_average,
    from_causalpy,
    from_geolift,
    from_geox,
    from_lift,
)

DAYS = pd.Series(pd.date_range("2021-01-01", periods=120))
CITIES = ["chicago", "portland"]
PLACE = {"media": "tv", "start": "2021-04-01", "end": "2021-04-15", "regions": CITIES}
TEST = PLACE | {"change": 1.5}
INFERENCE = {"ATT": 155.6, "Perc.Lift": 5.4, "pvalue": 0.013}


def as_read(table):
    """Return the one experiment of a table as a fit reads it."""
    (one,) = read_experiments(
        table,
        media=["tv", "search"],
        regions=np.array([*CITIES, "miami"]),
        calendar=infer_calendar(DAYS, "date"),
        grid_length=len(DAYS),
    )
    return one


def test_an_average_becomes_a_total_and_says_so():
    table = from_average(
        155.6, interval=(30.0, 281.2), n_regions=2, n_periods=15, **TEST
    )
    one = as_read(table)
    assert one.estimate == 4668.0
    assert_allclose(one.std_error, 30 * (281.2 - 30.0) / 2 / 1.6449, rtol=1e-4)
    assert one.treated
    assert one.stop - one.start == 15
    assert one.regions.tolist() == [0, 1]
    assert table["note"].item() == (
        "155.6 per region and period x 2 regions x 15 periods = 4668; std_error: half "
        "of the 90% interval over 1.645"
    )


@pytest.mark.parametrize(
    ("n_regions", "n_periods", "words"),
    [
        (1, 8, "10 per period x 8 periods = 80"),
        (2, 1, "10 per region x 2 regions = 20"),
        (1, 1, "10 in total = 10"),
    ],
)
def test_what_is_not_averaged_is_not_multiplied(n_regions, n_periods, words):
    table = from_average(
        10.0, std_error=2.0, n_regions=n_regions, n_periods=n_periods, **TEST
    )
    assert table["note"].item() == words
    assert_allclose(table["estimate"] / table["std_error"], 5.0)


def test_an_average_over_other_regions_is_refused():
    with pytest.raises(ValueError, match="n_regions=3, but regions names 2"):
        from_average(10.0, std_error=2.0, n_regions=3, n_periods=1, **TEST)


def test_an_error_of_a_lift_in_kpi_units_is_refused():
    with pytest.raises(ValueError, match="more than the whole KPI"):
        from_lift(0.1, std_error=5000.0, counterfactual=1e6, **TEST)


def test_p_values_of_one_side():
    options = {**TEST, "regions": ["a", "b"], "n_periods": 3}
    two, one = (
        from_geolift({"ATT": 10.0, "pvalue": p}, stat_test=kind, **options)
        for p, kind in ((0.2, "Total"), (0.1, "Positive"))
    )
    assert_allclose(two["std_error"], one["std_error"])


def test_an_error_from_a_p_value_gives_the_p_value():
    table = from_average(-12.0, p_value=0.04, n_regions=1, n_periods=3, **TEST)
    z = table["estimate"].item() / table["std_error"].item()
    assert_allclose(2 * norm.sf(abs(z)), 0.04)
    assert z < 0


def test_an_interval_with_a_long_side_counts_by_its_width():
    short, long = (
        from_average(5.0, interval=i, n_regions=1, n_periods=1, **TEST)
        for i in ((1.0, 9.0), (4.0, 12.0))
    )
    assert_allclose(short["std_error"], long["std_error"])
    assert "sides differ" in long["note"].item()
    assert "sides differ" not in short["note"].item()


def test_a_lift_is_multiplied_with_the_kpi_without_the_change():
    table = from_lift(
        0.054, counterfactual=86_400.0, std_error=0.02, cooldown=3, **TEST
    )
    one = as_read(table)
    assert_allclose([one.estimate, one.std_error], [4665.6, 1728.0])
    assert one.cooldown == 3
    assert "0.054 x 86400 without the change" in table["note"].item()


@pytest.mark.parametrize("kind", ["dict", "series", "frame", "file", "summary"])
def test_geolift_in_any_form(kind, tmp_path):
    bounds = {"Lower.Conf.Int": 20.0, "Upper.Conf.Int": 290.0}
    result = INFERENCE | bounds
    if kind == "series":
        result = pd.Series(result)
    elif kind == "frame":
        result = pd.DataFrame([result])
    elif kind == "file":
        pd.DataFrame([result]).to_csv(tmp_path / "inference.csv")
        result = pd.read_csv(tmp_path / "inference.csv", index_col=0)
    elif kind == "summary":
        names = {"ATT_est": 155.6, "LowerCI": 20.0, "UpperCI": 290.0}
        result = names | {"incremental": 4667, "pvalue": 0.013}
    one = as_read(from_geolift(result, n_periods=15, **TEST))
    assert one.estimate == 4668.0
    assert_allclose(one.std_error, 30 * 270.0 / 2 / norm.ppf(0.95))


def test_geolift_without_interval_has_its_p_value():
    empty = {"Lower.Conf.Int": np.nan, "Upper.Conf.Int": None}
    one = as_read(from_geolift(INFERENCE | empty, n_periods=15, **TEST))
    assert_allclose(2 * norm.sf(one.estimate / one.std_error), 0.013)


def test_geolift_notices_wrong_numbers_of_periods():
    with pytest.raises(ValueError, match=r"4667 incremental, but its ATT makes 155\.6"):
        from_geolift(INFERENCE | {"incremental": 4667}, n_periods=3, **TEST)


def causalpy(rows, ends="hdi"):
    values = {"average": [12.0, 4.0, 20.0], "cumulative": [96.0, 32.0, 160.0]}
    values["treatment_effect"] = values["average"]
    columns = ["mean", f"{ends}_lower", f"{ends}_upper"]
    return pd.DataFrame([values[r] for r in rows], rows, columns)


@pytest.mark.parametrize(
    ("rows", "ends"),
    [
        (["average", "cumulative"], "hdi"),
        (["average"], "ci"),
        (["treatment_effect"], "hdi"),
    ],
)
def test_causalpy_rows_say_the_same(rows, ends):
    summary = Part(table=causalpy(rows, ends), text="The effect ...")
    one = as_read(from_causalpy(summary, n_regions=2, n_periods=8, **TEST))
    assert one.estimate == 2 * 96.0
    assert_allclose(one.std_error, 2 * 128.0 / 2 / norm.ppf(0.975))


def geox(kind, cells=("cell_1",)):
    lift = Part(point_estimate=820.0, standard_deviation=160.0, p_value=0.001)
    design = Part(
        designs={cell: Part(treatment_geos=set(CITIES)) for cell in cells},
        design_config=Part(experiment_types=kind),
    )
    config = Part(
        design=design,
        analysis_start_date=pd.Timestamp("2021-04-01"),
        analysis_end_date=pd.Timestamp("2021-04-15"),
    )
    return Part(
        results={cell: Part(lift=lift) for cell in cells}, analysis_config=config
    )


def test_geox_lift_is_a_total_and_negative_where_a_cell_went_dark():
    more = as_read(from_geox(geox(Part(name="HEAVY_UP")), media="tv", change=1.5))
    assert (more.estimate, more.std_error) == (820.0, 160.0)
    assert more.regions.tolist() == [0, 1]
    table = from_geox(geox(Part(name="GO_DARK")), media="tv", spend_change=-900.0)
    assert as_read(table).estimate == -820.0
    assert "went dark" in table["note"].item()


def test_geox_cells_are_rows():
    kinds = {"cell_1": Part(name="HEAVY_UP"), "cell_2": Part(name="GO_DARK")}
    result = geox(kinds, ("cell_1", "cell_2"))
    media = {"cell_1": "tv", "cell_2": ["tv", "search"]}
    change = {"cell_1": 900.0, "cell_2": -900.0}
    table = from_geox(result, media=media, spend_change=change, end="2021-04-11")
    assert table["estimate"].tolist() == [820.0, -820.0]
    assert as_read(table.iloc[[1]]).channels == [0, 1]
    assert as_read(table.iloc[[0]]).stop == as_read(table.iloc[[1]]).stop == 101
    with pytest.raises(ValueError, match="media has no entry for the cell 'cell_2'"):
        from_geox(result, media={"cell_1": "tv"}, spend_change=change)


def test_rows_of_all_adapters_make_one_table_and_one_file(tmp_path):
    tables = [
        from_average(10.0, std_error=2.0, n_regions=2, n_periods=15, **TEST),
        from_lift(0.1, counterfactual=1e4, std_error=0.02, cooldown=2, **TEST),
        from_geox(geox("HEAVY_UP"), media="search", change=1.2, observed="control"),
    ]
    table = pd.concat(tables, ignore_index=True)
    path = tmp_path / "tests.csv"
    table.assign(regions=";".join(CITIES)).to_csv(path, index=False)
    grid = {"media": ["tv", "search"], "regions": np.array(CITIES)}
    grid |= {"calendar": infer_calendar(DAYS, "date"), "grid_length": len(DAYS)}
    for given in (table, path):
        read = read_experiments(given, **grid)
        assert [one.estimate for one in read] == [300.0, 1000.0, 820.0]
        assert [one.treated for one in read] == [True, True, False]
    assert read[1].cooldown == 2


GOOD = {"average": 10.0, "std_error": 2.0, "n_regions": 2, "n_periods": 15}
BAD_AVERAGES = {
    r"average=nan is no number": {"average": np.nan},
    r"std_error=nan is no number": {"std_error": np.nan},
    r"n_periods=0 must be a whole number, 1 or more": {"n_periods": 0},
    r"n_regions=1\.5 must be a whole number": {"n_regions": 1.5},
    r"by one of std_error, interval and p_value; 0 are given": {"std_error": None},
    r"by one of .*; 2 are given": {"p_value": 0.1},
    r"The low end of the interval \(9\) is not below its high end \(1\)": {
        "std_error": None,
        "interval": (9.0, 1.0),
    },
    r"The estimate 10 is not inside its interval, 1 to 9": {
        "std_error": None,
        "interval": (1.0, 9.0),
    },
    r"interval\[1\]=nan is no number": {"std_error": None, "interval": (1.0, np.nan)},
    r"must be a low and a high end": {"std_error": None, "interval": (1.0, 2.0, 3.0)},
    r"p_value=0 says nothing": {"std_error": None, "p_value": 0.0},
    r"An estimate of 0 has the p_value 1": {
        "average": 0.0,
        "std_error": None,
        "p_value": 0.5,
    },
    r"confidence_level=90 must be between": {
        "std_error": None,
        "interval": (1.0, 19.0),
        "confidence_level": 90,
    },
    r"The row has a std_error of 0\. It has to be above": {"std_error": 0.0},
    r"The row has neither change nor spend_change": {"change": None},
    r"The row went dark, and X shows no spend": {"change": 0.0},
    r"The row has a cooldown of -1": {"cooldown": -1},
    r"a column 'lift' that is none of": {"lift": 0.1},
    r"estimate follows from what is reported": {"estimate": 5.0},
    r"measure follows from what is reported": {"measure": "roi"},
}


@pytest.mark.parametrize("message", BAD_AVERAGES)
def test_bad_averages_are_refused(message):
    with pytest.raises(ValueError, match=message):
        from_average(**TEST | GOOD | BAD_AVERAGES[message])


@pytest.mark.parametrize(
    ("message", "lift", "counterfactual"),
    [
        (r"lift=12 is more than .* share: write 0\.12 for 12 %", 12.0, 1e4),
        (r"lift=nan is no number", np.nan, 1e4),
        (r"counterfactual=0 must be above zero", 0.1, 0.0),
    ],
)
def test_bad_lifts_are_refused(message, lift, counterfactual):
    with pytest.raises(ValueError, match=message):
        from_lift(lift, counterfactual=counterfactual, std_error=0.01, **TEST)


@pytest.mark.parametrize(
    ("read", "result", "options", "message"),
    [
        (from_geolift, {"pvalue": 0.1}, {"n_periods": 15}, r"no 'ATT', only \['pval"),
        (from_geolift, pd.DataFrame([INFERENCE] * 2), {"n_periods": 15}, "has 2 rows"),
        (from_geolift, 155.6, {"n_periods": 15}, "result must be a mapping"),
        (
            from_geolift,
            INFERENCE,
            {"n_periods": 15, "regions": "chicago"},
            "must be a list of the test loc",
        ),
        (from_causalpy, 155.6, {"n_regions": 2}, r"result must be effect_summary\(\)"),
        (
            from_causalpy,
            causalpy(["average"]),
            {"n_regions": 2},
            "'average' is an effect per period. Say in n_periods",
        ),
        (
            from_causalpy,
            causalpy(["average"]).set_axis(["total"]),
            {"n_regions": 2},
            r"result has the rows \['total'\], none of",
        ),
    ],
)
def test_bad_reports_are_refused(read, result, options, message):
    with pytest.raises(ValueError, match=message):
        read(result, **TEST | options)
