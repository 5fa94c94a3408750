"""PyMC-Marketing as its quickstart has it: geometric adstock, logistic saturation.

python run_pymc_marketing.py FOLDER

With --numpyro after the folder: by numpyro, four chains in place of two.
"""

import sys
from functools import partial

from exchange import answer_all, rows
from pymc_marketing.mmm import GeometricAdstock, LogisticSaturation
from pymc_marketing.mmm.multidimensional import MMM

NUTPIE = {"nuts_sampler": "nutpie", "chains": 2, "cores": 2}
NUMPYRO = {"nuts_sampler": "numpyro", "chains": 4, "draws": 1000, "tune": 1000}


def fit(X, y, roles, sampler=NUTPIE):
    time, region, media = roles["time"], roles["region"], roles["media"]
    several = X[region].nunique() > 1
    model = MMM(
        adstock=GeometricAdstock(l_max=8),
        saturation=LogisticSaturation(),
        date_column=time,
        channel_columns=media,
        control_columns=roles["controls"] or None,
        yearly_seasonality=2,
        dims=(region,) if several else None,
        target_column=y.name,
    )
    model.fit(X, y, **sampler, random_seed=0, progressbar=False)
    data = model.idata
    scale = data.constant_data["target_scale"].squeeze(drop=True)
    draws = (data.posterior["channel_contribution"] * scale).sel(channel=media)
    draws = draws.stack(sample=("chain", "draw"))
    draws = draws if several else draws.expand_dims({region: ["nation"]})
    draws = draws.sortby([region, "date"])
    draws = draws.transpose(region, "date", "channel", "sample")
    totals = draws.sum([region, "date"]).transpose("sample", "channel")
    return rows(X, roles, draws.mean("sample")), totals.to_numpy()


if __name__ == "__main__":
    numpyro = "--numpyro" in sys.argv
    answer_all("PyMC-Marketing", partial(fit, sampler=NUMPYRO) if numpyro else fit)
