"""What a report is not made of, and what is said instead."""

import sys

import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from pages import read

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.report import make_report

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:The spend of"),
]


def test_refuses_other_estimators(national, tmp_path):
    _, X, y = national
    with pytest.raises(TypeError, match="needs a DeepCausalMMMRegressor, got Ridge"):
        make_report(Ridge(), X, y, tmp_path / "report.html")
    with pytest.raises(TypeError, match="needs a DeepCausalMMMRegressor, got Ridge"):
        make_report(make_pipeline(Ridge()), X, y, tmp_path / "report.html")


def test_refuses_what_is_not_fitted(national, tmp_path):
    model, X, y = national
    with pytest.raises(NotFittedError):
        make_report(clone(model), X, y, tmp_path / "report.html")


def test_refuses_a_model_without_media(national, tmp_path):
    model, X, y = national
    model = clone(model).set_params(media=[]).fit(X, y)
    with pytest.raises(ValueError, match="the model has no media"):
        make_report(model, X, y, tmp_path / "report.html")


def test_rows_without_spend_are_reported_too(series, national, tmp_path):
    model, X, y = national
    none = X[-12:].assign(**dict.fromkeys(series.media, 0.0))
    reader, payload = read(make_report(model, none, y[-12:], tmp_path / "report.html"))
    assert payload["curves"] == [None, None]
    assert "#response" not in reader.references
    assert payload["plan"]["current"] > 0  # of the periods after training


def test_refuses_half_a_holdout(national, tmp_path):
    model, X, y = national
    with pytest.raises(ValueError, match="Pass X_test and y_test together"):
        make_report(model, X, y, tmp_path / "report.html", X_test=X)


def test_refuses_a_holdout_that_comes_before(national, tmp_path):
    model, X, y = national
    with pytest.raises(ValueError, match="The holdout must come after X"):
        make_report(model, X, y, tmp_path / "report.html", X_test=X, y_test=y)


def test_says_what_is_missing_without_plotly(national, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ImportError, match=r"pip install 'skmmm\[report\]'"):
        make_report(*national, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
