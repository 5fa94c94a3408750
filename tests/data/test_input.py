"""Input that makes no sense is refused by name; gaps and overlaps are understood."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import cross_val_score

from helpers import refuses, split_at
from skmmm import DeepCausalMMMRegressor
from skmmm._data.checks import why_not_learned
from skmmm.baselines import make_linear_mmm
from skmmm.model_selection import PanelTimeSeriesSplit

# --- numbers that cannot be ---------------------------------------------------------

CELL = "column 'media_2' at region 'region_3', time 2021-01-11"


def test_negative_spend(X, y, fast):
    X.loc[5, "media_2"] = -3.5
    message = (
        "Negative values in data passed to DeepCausalMMMRegressor: column 'media_2' is "
        "-3.5 at region 'region_3', time 2021-01-11. Media are spend or delivery, "
        "which cannot be negative; correct it, leave out a scaler before the model (it "
        "scales by itself), or list the column under controls."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)
    controls = ["media_2", "price", "holiday"]
    DeepCausalMMMRegressor(**fast | {"controls": controls}).fit(X, y)


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_spend_that_is_no_number(X, y, fast, value, kind):
    X.loc[5, "media_2"] = value
    message = f"Input X contains {kind}: {CELL}. Fill or drop these rows."
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_prediction_checks_the_same(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    message = f"Input X contains NaN: {CELL}. Fill or drop these rows."
    with refuses(message):
        model.predict(X.assign(media_2=X["media_2"].where(X.index != 5)))
    with pytest.raises(ValueError, match="Negative values in data"):
        model.predict(X.assign(media_2=-1.0))


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (-np.inf, "infinity")])
def test_kpi_that_is_no_number(X, y, fast, value, kind):
    y[5] = value
    message = (
        f"Input y contains {kind} at region 'region_3', time 2021-01-11. Drop these "
        "rows; missing region-weeks are masked."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_kpi_missing_in_a_nullable_column(X, y, fast):
    y = y.astype("Float64")
    y[5] = pd.NA
    with pytest.raises(ValueError, match="Input y contains NaN at region 'region_3'"):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_kpi_that_is_text(X, y, fast):
    with pytest.raises(ValueError, match=r"^y must be numeric, but .* many, .* text"):
        DeepCausalMMMRegressor(**fast).fit(X, ["many"] * len(X))


def test_kpi_of_wrong_length(X, y, fast):
    message = (
        "Found input variables with inconsistent numbers of samples: [180, 179]. X and "
        "y must have one entry per row."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y[:-1])


def test_no_kpi(X, fast):
    message = (
        "This DeepCausalMMMRegressor estimator requires y to be passed, but the target "
        "y is None."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, None)


def test_all_weights_zero(X, y, fast):
    message = "Sample weights must contain at least one non-zero number."
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y, sample_weight=np.zeros(len(X)))


def test_negative_weights(X, y, fast):
    weight = np.ones(len(X))
    weight[3] = -1.0
    with pytest.raises(ValueError, match="Negative values in data passed to"):
        DeepCausalMMMRegressor(**fast).fit(X, y, sample_weight=weight)


# --- columns ------------------------------------------------------------------------

COLUMNS = "['region', 'week', 'media_1', 'media_2', 'media_3', 'price', 'holiday']"


@pytest.mark.parametrize("role", ["media", "controls", "region", "time"])
def test_unknown_column(X, y, fast, role):
    named = ["sunshine"] if role in ("media", "controls") else "sunshine"
    message = f"{role}='sunshine' is not a column of X. Columns: {COLUMNS}."
    with refuses(message):
        DeepCausalMMMRegressor(**fast | {role: named}).fit(X, y)


@pytest.mark.parametrize(
    ("parameter", "named", "meant"),
    [
        ("time", "weak", "week"),
        ("media", ["media_1", "media2"], "media_2"),
        ("free_sign", ["Media-3"], "media_3"),
        ("brand_channels", ["medai_1"], "media_1"),
        ("synergies", [("media_1", "media__2")], "media_2"),
    ],
)
def test_misspelt_columns_get_the_one_that_was_meant(
    X, y, fast, parameter, named, meant
):
    model = DeepCausalMMMRegressor(**fast | {parameter: named})
    with pytest.raises(ValueError, match=rf"^{parameter}=.* Did you mean '{meant}'\?$"):
        model.fit(X, y)


def test_unknown_position(X, y, fast):
    message = "region=7 is not a column of X, which has 7 columns."
    with refuses(message):
        DeepCausalMMMRegressor(**fast | {"region": 7}).fit(X, y)


def test_column_with_two_roles(X, y, fast):
    message = (
        "The column 'price' has two roles; name it only once among media, controls, "
        "region, time and population."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast, media=["media_1", "price"]).fit(X, y)


def test_column_named_twice(X, y, fast):
    with refuses("media names the column 'media_1' twice."):
        DeepCausalMMMRegressor(**fast, media=["media_1", "media_1"]).fit(X, y)


def test_two_columns_of_one_name(X, y, fast):
    X.columns = [*X.columns[:-1], "price"]
    with refuses("X has two columns called 'price'; rename one."):
        DeepCausalMMMRegressor(**fast | {"controls": ["price"]}).fit(X, y)


def test_column_called_baseline(X, y, fast):
    message = (
        "X has a column called 'baseline', which is the name of what is left in "
        "contributions; rename it."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X.rename(columns={"media_1": "baseline"}), y)


def test_column_of_text(X, y, fast):
    X["agency"] = "ours"
    message = (
        "Column 'agency' is not numeric (dtype str): it has 'ours' at region "
        "'region_1', time 2021-01-04. Media and controls must be numbers; name the "
        "column as region or time, drop it, or convert it."
    ).replace("(dtype str)", f"(dtype {X['agency'].dtype})")
    first = X["region"] == "region_1"
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[first], y[first])


def test_a_cell_of_text_is_named(X, y, fast):
    X["media_2"] = X["media_2"].astype(object)
    X.loc[5, "media_2"] = "12,5"
    message = (
        r"Column 'media_2' is .*: it has '12,5' at region 'region_3', time 2021-01"
    )
    with pytest.raises(ValueError, match=message):
        DeepCausalMMMRegressor(**fast).fit(X, y)
    kpi = y.astype(object)
    kpi[5] = "many"
    with pytest.raises(ValueError, match=r"y must be numeric: it has 'many' at region"):
        DeepCausalMMMRegressor(**fast).fit(X.drop(columns="media_2"), kpi)


@pytest.mark.parametrize("national", [False, True])
def test_periods_without_any_row_stay_gaps(X, y, fast, national):
    weeks = X["week"].unique()
    kept = ~X["week"].isin(weeks[[7, 9]])
    if national:
        kept &= X["region"] == "region_1"
    said = (
        "^2 periods between the first and the last have no row in any region: "
        "2021-02-22, 2021-03-08. Nothing is learned there.*split by period: skmmm"
    )
    with pytest.warns(UserWarning, match=said):
        model = DeepCausalMMMRegressor(**fast).fit(X[kept], y[kept])
    assert model._model.history.shape[1] == len(weeks)


def test_too_few_rows_are_counted(X, y, fast):
    fast = fast | {"controls": ["price"]}
    X = X.drop(columns="holiday")
    early = (X["region"] == "region_1") & (X["week"] < "2021-05-24")
    with pytest.warns(UserWarning, match=r"only 20 training rows.* at least 52: two"):
        DeepCausalMMMRegressor(**fast).fit(X[early], y[early])
    regions = X["week"] < X["week"].unique()[6]
    with pytest.warns(UserWarning, match="only 18 training rows.* at least 20: two"):
        DeepCausalMMMRegressor(**fast).fit(X[regions], y[regions])


def test_free_sign_of_a_control(X, y, fast):
    message = (
        "free_sign names 'price', which is not one of the media columns ['media_1', "
        "'media_2', 'media_3']."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast, free_sign=["media_1", "price"]).fit(X, y)


NO_SPEND = (
    "'media_2': no spend in any training row. The effect stays what was expected "
    "beforehand, at spend as usual in the other channels. Leave such channels out of "
    "media, or tell what is known of them with the parameter priors."
)
STEADY = (
    "'media_2': spend that hardly moves in any region. The effect cannot be told from "
    "the baseline. Leave such channels out of media, or tell what is known of them "
    "with the parameter priors."
)
STILL = (
    "'price': the same value in every training row. Such controls teach nothing and "
    "are left out: they contribute nothing, also where they move later."
)


def warns(message):
    return pytest.warns(UserWarning, match="^" + re.escape(message) + "$")


def test_channel_without_spend_stays_at_its_prior(X, y, fast):
    X, y = X[X["region"] == "region_1"], y[X["region"] == "region_1"]
    late = X["week"] >= "2021-12-13"
    started = X.assign(media_2=X["media_2"].where(late, 0.0))
    fast = fast | {"n_draws": 8}
    fast["priors"] = {"media_2": {"roi": (20.0, 30.0)}}
    with warns(NO_SPEND):
        model = DeepCausalMMMRegressor(**fast).fit(started[~late], y[~late])
    summary = model.channel_summary(started[late]).loc["media_2"]
    assert summary["verdict"] == "prior-driven"
    assert 10.0 < summary["roi"] < 60.0
    assert summary["roi_high"] > 1.3 * summary["roi_low"]
    past = model.channel_summary().loc["media_2"]
    assert past["contribution"] == past["contribution_high"] == 0.0


def test_channel_without_spend_has_the_typical_spend_of_the_others(X, y, fast):
    X["media_2"] = 0.0
    cost = {"media_1": 2.0, "media_2": 0.5}
    with warns(NO_SPEND):
        model = DeepCausalMMMRegressor(**fast, media_cost=cost).fit(X, y)
    money = model._model.scales.media * [2.0, 0.5, 1.0]
    assert_allclose(money[:, 1], np.median(money[:, ::2], axis=1), rtol=1e-12)


def test_steady_channel_is_not_identified(X, y, fast):
    X, y = X[X["region"] == "region_1"], y[X["region"] == "region_1"]
    with warns(STEADY):
        model = DeepCausalMMMRegressor(**fast | {"n_draws": 8}).fit(
            X.assign(media_2=9999.9), y
        )
    assert model.channel_summary().loc["media_2", "verdict"] == "not identified"


@pytest.mark.parametrize("seed", range(20))
def test_what_cannot_be_learned_has_a_reason(seed):
    rng = np.random.RandomState(seed)
    size = 10.0 ** rng.uniform(-9, 9)
    media = rng.uniform(size=(3, 40, 6))
    media[..., 0] = 0.0
    media[..., 1] = size
    media[..., 2] = [[0.0], [size], [3.0 * size]]
    media[..., 3] = size * (1.0 + 0.003 * rng.normal(size=(3, 40)))
    media[..., 4] = size * (np.arange(40) == rng.randint(1, 40))
    counts = rng.uniform(size=(3, 40)) < 0.8
    counts[:, media[0, :, 4] > 0] = True
    media[..., :2][~counts] = 7.0 * size
    reason = why_not_learned(media, counts)
    assert reason.tolist() == ["zero", "steady", "steady", "steady", "", ""]


@pytest.mark.filterwarnings("ignore:The spend of")  # which follows the price
@pytest.mark.parametrize("value", [9.99, 0.0])
def test_constant_control_contributes_nothing(X, y, fast, value, tmp_path):
    moved = X.assign(price=value + (X["week"] > "2021-12-13"))
    with warns(STILL):
        model = DeepCausalMMMRegressor(**fast).fit(X.assign(price=value), y)
    contributions = model.contributions(moved)
    assert_allclose(contributions["price"], 0.0, atol=1e-9)
    assert_allclose(model.control_coef_[0], 0.0, atol=1e-6)
    assert_array_equal(model.predict(moved), model.predict(X.assign(price=value)))
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    assert_array_equal(loaded.predict(moved), model.predict(moved))
    linear = make_linear_mmm(
        media=["media_1"], controls=["price"], region="region", time="week"
    ).fit(X.assign(price=value), y)
    assert_allclose(linear.predict(moved), linear.predict(X.assign(price=value)))


def test_early_folds_have_scores(X, y, fast):
    late = X["week"] >= "2021-12-20"
    started = X.assign(
        media_2=X["media_2"].where(late, 0.0), price=X["price"].where(late, 9.99)
    )
    cv = PanelTimeSeriesSplit(2, test_size=5, region="region", time="week")
    model = DeepCausalMMMRegressor(**fast)
    with pytest.warns(UserWarning, match="training row"):
        scores = cross_val_score(model, started, y, cv=cv, error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("value", [5e-324, 1e-200, -3e-310])
def test_numbers_too_small_to_compute_with(X, y, fast, value):
    message = (
        f"Column 'price' is {value:g} at region 'region_3', time 2021-01-11, too small "
        "to compute with. Write 0 there, or express the column in smaller units."
    )
    with refuses(message):
        tiny = X["price"].where(X.index != 5, value)
        DeepCausalMMMRegressor(**fast).fit(X.assign(price=tiny), y)
    with refuses(
        f"The KPI is {value:g} at region 'region_3', time 2021-01-11, too small to "
        "compute with. Write 0 there, or express the KPI in smaller units."
    ):
        DeepCausalMMMRegressor(**fast).fit(X, y.where(X.index != 5, value))


def test_regions_of_several_values(X, y, fast):
    X["region"] = [(name, 1) for name in X["region"]]
    message = (
        "The region column 'region' has ('region_1', 1) in row 0, which is no single "
        "value. Write the region as one text, such as 'A, 1'."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_empty_frame(X, y, fast):
    message = (
        "Found array with 0 sample(s) (shape=(0, 7)) while a minimum of 1 is required. "
        "X has no rows."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[:0], y[:0])
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    with refuses(message):
        model.predict(X[:0])
    message = (
        "Found array with 0 feature(s) (shape=(180, 0)) while a minimum of 1 is "
        "required. X has no columns."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X[[]], y)


def test_columns_by_position_and_by_callable(X, y, fast):
    by_name = DeepCausalMMMRegressor(**fast).fit(X, y).predict(X)

    def select(frame):
        return [c for c in frame if c.startswith("media")]

    for columns in (
        {"region": 0, "time": 1, "controls": [5, 6]},
        {"region": -7, "time": -6, "controls": [-2, -1], "media": [2, 3, 4]},
        {"media": select, "controls": ["holiday", "price"]},
    ):
        model = DeepCausalMMMRegressor(**fast | columns).fit(X, y)
        assert_array_equal(model.predict(X), by_name)


# --- regions ------------------------------------------------------------------------


def test_region_missing_in_a_row(X, y, fast):
    X.loc[5, "region"] = None
    message = (
        "The region column 'region' is missing in row 5. Every row needs a region."
    )
    with refuses(message):
        DeepCausalMMMRegressor(**fast).fit(X, y)


def test_unseen_region(X, y, fast):
    seen = X["region"] != "region_2"
    model = DeepCausalMMMRegressor(**fast).fit(X[seen], y[seen])
    message = (
        "Region 'region_2' is not among the 2 regions of the training data. Use "
        "unseen_region='average' to predict it as an average region. If rows were "
        "split by their order, as KFold and TimeSeriesSplit do, split by period: "
        "skmmm.model_selection.PanelTimeSeriesSplit."
    )
    with refuses(message):
        model.predict(X)
    average = DeepCausalMMMRegressor(**fast, unseen_region="average")
    predicted = average.fit(X[seen], y[seen]).predict(X)
    assert_allclose(predicted[seen], model.predict(X[seen]), rtol=1e-12)
    # An average region: KPI of the size of the others.
    others = predicted[seen].reshape(60, 2).mean(axis=1)
    assert_allclose(predicted[~seen], others, rtol=0.3)
    # Which region comes first, and what it is called, is of no matter.
    other_name = X[~seen].assign(region="elsewhere")
    assert_allclose(average.predict(other_name), predicted[~seen], rtol=1e-12)


# --- gaps and overlaps --------------------------------------------------------------


def test_gap_between_training_and_prediction(X, y, fast):
    train, test, y_train, _ = split_at(X, y, 50)
    late = test[test["week"] >= "2022-01-03"]
    model = DeepCausalMMMRegressor(**fast).fit(train, y_train)
    assert np.isfinite(model.predict(test)).all()
    message = (
        "X has no row for 2 periods between the training data and its other rows, the "
        "first is 2021-12-20: carry-over through them is unknown. Add rows for them, "
        "or set gap='mask' to leave them out of the carry-over."
    )
    with refuses(message):
        model.predict(late)
    masked = DeepCausalMMMRegressor(**fast, gap="mask").fit(train, y_train)
    predicted = masked.predict(late)
    assert np.isfinite(predicted).all()
    assert not np.allclose(predicted, masked.predict(test)[-len(late) :], rtol=1e-9)


def test_gap_inside_the_rows_to_predict(X, y, fast):
    train, test, y_train, _ = split_at(X, y, 50)
    model = DeepCausalMMMRegressor(**fast).fit(train, y_train)
    with pytest.raises(ValueError, match=re.escape("no row for 1 period between")):
        model.predict(test[test["week"] != "2022-01-03"])


def test_training_rows_predict_as_fitted(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    predicted = model.predict(X)
    assert_allclose(predicted, model.contributions().sum(axis=1), rtol=1e-9)
    # Any selection of them: what X leaves out is known from training.
    some = X.sample(40, random_state=0)
    assert_allclose(model.predict(some), predicted[some.index], rtol=1e-9)


def test_media_of_X_win_over_those_of_training(X, y, fast):
    model = DeepCausalMMMRegressor(**fast).fit(X, y)
    before = model.predict(X)
    week = X["week"] == X["week"].iloc[90]
    changed = X.assign(media_2=X["media_2"].where(~week, 0.0))
    assert X.loc[week, "media_2"].all()
    after = model.predict(changed)
    earlier = X["week"] < X["week"].iloc[90]
    assert_array_equal(after[earlier], before[earlier])
    assert (after[week] < before[week]).all()
    # The rows of other weeks alone do not know of the change.
    assert_array_equal(model.predict(changed[~week]), before[~week])


def test_missing_week_is_masked_not_zero(X, y, fast):
    hole = (X["region"] == "region_2") & (X["week"] == X["week"].iloc[90])
    masked = DeepCausalMMMRegressor(**fast).fit(X[~hole], y[~hole])
    zero = X.assign(**{c: X[c].where(~hole, 0.0) for c in X if "media" in c})
    weight = np.where(hole, 0.0, 1.0)
    filled = DeepCausalMMMRegressor(**fast).fit(zero, y, sample_weight=weight)
    after_masked, after_filled = masked.predict(X[~hole]), filled.predict(X[~hole])
    assert np.isfinite(after_masked).all()
    assert not np.allclose(after_masked, after_filled, rtol=1e-6)
    # Asked about the missing row, the model knows its media but had no KPI for it.
    row = masked.predict(X)[hole.to_numpy()]
    assert_allclose(row, y[hole], rtol=0.3)


def test_the_cell_of_y_that_is_no_number_is_named(X, y, fast):
    model = DeepCausalMMMRegressor(**fast)
    mixed = y.astype(object)
    mixed[3], mixed[7] = "2.5", "oops"  # the first can be read
    with pytest.raises(ValueError, match="y must be numeric: it has 'oops' at"):
        model.fit(X, mixed)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, np.array([1.0] * (len(y) + 5) + ["oops"], dtype=object))
