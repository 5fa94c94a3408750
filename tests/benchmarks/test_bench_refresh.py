"""The benchmark of refreshes: one short market, and the table that is committed."""

import pandas as pd
import pytest

from helpers import benchmark_modules


@pytest.fixture(scope="module")
def bench():
    """The benchmark, importable while these tests run."""
    with benchmark_modules("bench_refresh", "bench_recovery") as modules:
        yield modules.bench_refresh


def test_a_larger_drift_sees_more_of_a_fall_and_leaves_fewer_verdicts(bench):
    found = bench.summarise(pd.read_csv(bench.RESULTS / "refresh.csv"))
    contenders = [f"drift {size}" for size in ("0.03", "0.06", "0.12", "0.24", "0.4")]
    for market in ("panel", "series"):
        own = found.xs(market, level="market").loc["stationary"].loc[contenders]
        assert own["followed after 12 weeks"].is_monotonic_increasing
        assert own["data-driven after 12 weeks"].is_monotonic_decreasing
        assert (own["change"] < 0.05).all()


@pytest.mark.usefixtures("short_chains")
def test_contenders_go_on_from_the_same_fit(bench, monkeypatch):
    monkeypatch.setattr(bench, "N_HISTORY", 60)
    monkeypatch.setattr(bench, "N_COMING", 4)
    table = bench.run_market("drift", "series", 0, ["as it is", "drift 0.4"])
    wide = table.pivot(index=["weeks", "channel"], columns="contender", values="roi")
    assert (wide.loc[0, "as it is"] == wide.loc[0, "drift 0.4"]).all()
    late = table[(table["weeks"] == 4) & (table["moves"] == 1)]
    assert len(late) == 2
    widths = late.set_index("contender")["width_last"]
    assert widths["drift 0.4"] > widths["as it is"]
