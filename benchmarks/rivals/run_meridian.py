"""Meridian with the default priors of its getting-started page, columns as spend.

Twice: with the default knots of the baseline (one, if there is one region), and with
its automatic selection of knots.

python run_meridian.py FOLDER

With --race after the folder: default knots only, once with fewer draws and once with
as many as that page has. With --short: default knots, one chain and few draws, for
panels of many regions. Twice: with population 1 in each region, and with the region's
mean KPI as population, since Meridian scales spend and KPI by it.
"""

import sys
from functools import partial

import numpy as np
from exchange import answer_all, rows
from meridian.analysis import analyzer
from meridian.data import data_frame_input_data_builder
from meridian.model import model, spec

DRAWS = {"n_chains": 2, "n_adapt": 500, "n_burnin": 500, "n_keep": 1000}
PAGE = {"n_chains": 10, "n_adapt": 2000, "n_burnin": 500, "n_keep": 1000}
SHORT = {"n_chains": 1, "n_adapt": 200, "n_burnin": 50, "n_keep": 150}


def fit(X, y, roles, *, enable_aks, draws=DRAWS, sized=False):
    region, media = roles["region"], roles["media"]
    frame = X.rename(columns={region: "geo", roles["time"]: "time"})
    frame["time"] = frame["time"].dt.strftime("%Y-%m-%d")
    population = y.groupby(X[region]).transform("mean") if sized else 1.0
    frame = frame.assign(kpi=y, population=population).sort_values(["geo", "time"])
    builder = data_frame_input_data_builder.DataFrameInputDataBuilder(
        kpi_type="revenue"
    )
    builder = builder.with_kpi(frame).with_population(frame)
    builder = builder.with_media(
        frame, media_cols=media, media_spend_cols=media, media_channels=media
    )
    if roles["controls"]:
        builder = builder.with_controls(frame, control_cols=roles["controls"])
    mmm = model.Meridian(
        input_data=builder.build(), model_spec=spec.ModelSpec(enable_aks=enable_aks)
    )
    mmm.sample_posterior(**draws, seed=0)
    effects = np.asarray(
        analyzer.Analyzer(
            model_context=mmm.model_context, inference_data=mmm.inference_data
        ).incremental_outcome(aggregate_geos=False, aggregate_times=False)
    )  # (chains, draws, R, T, M)
    effects = effects.reshape(-1, *effects.shape[2:])
    return rows(X, roles, effects.mean(axis=0)), effects.sum(axis=(1, 2))


if __name__ == "__main__":
    few = partial(fit, enable_aks=False)
    if "--race" in sys.argv:
        answer_all("Meridian, 2 chains", few)
        answer_all("Meridian", partial(few, draws=PAGE))
    elif "--short" in sys.argv:
        short = partial(few, draws=SHORT)
        answer_all("Meridian, short", short)
        answer_all("Meridian, short, sized", partial(short, sized=True))
    else:
        answer_all("Meridian", few)
        answer_all("Meridian, automatic knots", partial(fit, enable_aks=True))
