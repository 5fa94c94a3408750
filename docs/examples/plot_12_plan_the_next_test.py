"""
Plan the next test
==================

In which regions should spend change, by how much, and would the test see anything?
Designs are compared by what their analysis would have made of the past, in which there
was no test.
"""

# %%
# The bundled example: twelve cities, three years. For eight weeks paid search is to be
# off in some of them, or two and a half times as much. The test has to find a return of
# three.
import matplotlib.pyplot as plt

from skmmm.datasets import load_mmm_example
from skmmm.experiments import GeoLiftRegressor, design_experiment

data, roi = load_mmm_example(), 3.0
keys = {"region": "region", "time": "week", "random_state": 0}
designs = {
    change: design_experiment(
        data.X,
        data.y,
        n_regions=[2, 3, 4, 5],
        n_periods=8,
        media="paid_search",
        change=change,
        roi=roi,
        max_share=0.5,
        n_candidates=60,
        n_designs=40,
        **keys,
    )
    for change in (0.0, 2.5)
}

# %%
# Each point is a set of cities: the money that the test moves, and the least return
# that four of five such tests find. Below the line a test can answer; of those the
# cheapest is the best. A channel that is off moves no more money than is spent.
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained", sharey=True)
for ax, (change, table) in zip(axes, designs.items(), strict=True):
    for n_regions, some in table.groupby("n_regions"):
        money = some["spend_change"].abs() / 1000
        ax.plot(money, some["mde_roi"], "o", markersize=4, label=f"{n_regions} cities")
    best = table.iloc[0]
    ax.plot(
        abs(best["spend_change"]) / 1000, best["mde_roi"], "ko", ms=11, fillstyle="none"
    )
    ax.axhline(roi, color="0.3", linewidth=0.8, linestyle="--")
    ax.set_title(f"spend × {change:g}", loc="left", fontsize=9)
    ax.set_xlabel("spend that changes, thousand euros")
axes[0].set_ylabel("least return found")
axes[1].legend(frameon=False, fontsize=8)
plt.show()

# %%
# The best of each, and why.
for change, table in designs.items():
    print(f"spend × {change:g}: {', '.join(table['regions'][0])}")
    print(table["reason"][0])

# %%
# What the analysis finds where there is nothing to find: the cities of the second
# design, and sets of others, in earlier windows. These are behind the error that it
# promises, and :class:`~skmmm.experiments.GeoLiftRegressor` will take them for its
# interval.
weeks, best = data.X["week"].unique(), designs[2.5].iloc[0]
placebo = (
    GeoLiftRegressor(best["regions"], start=weeks[-8], end=weeks[-1], **keys)
    .fit(data.X, data.y)
    .placebo_
)
figure, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
z = placebo.groupby("kind")["z"]
ax.hist(z.get_group("control"), bins=30, range=(-4, 4), label="sets of other cities")
own, low = z.get_group("treated"), ax.get_xaxis_transform()
ax.plot(own, [0.05] * len(own), "ko", markersize=4, transform=low, label="these cities")
effect = best["effect"] / best["std_error"]
ax.axvline(effect, color="0.3", linestyle="--", label="effect to find")
ax.set_xlabel("effect found where there is none, standard errors")
ax.set_yticks([])
ax.legend(frameon=False, fontsize=8, loc="upper left")
plt.show()
