"""A fitted regressor as a file: what is written, and how it is read again."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skmmm._data.checks import as_frame
from skmmm._data.costs import money_columns
from skmmm._data.frequency import frequency_columns
from skmmm._model.threads import one_thread
from skmmm._storage.archive import (
    MODEL,
    StoredArrays,
    check_kind,
    check_kinds,
    headed,
    loading,
    read_archive,
    write_archive,
)
from skmmm._storage.header import (
    check_header,
    pack_calendar,
    pack_columns,
    pack_parameters,
    unpack_calendar,
    unpack_columns,
    unpack_parameters,
    unpack_regions,
)
from skmmm._storage.index import pack_index, unpack_index
from skmmm._storage.plain import plain, restored
from skmmm.allocation import BudgetPlan
from skmmm.allocation._storage import read_plan
from skmmm.graph._storage import pack_graph, unpack_graph
from skmmm.inspection._placement import ADVICE
from skmmm.inspection._sampling import COLUMNS


class SavingMixin:
    """`save` and `load` of `DeepCausalMMMRegressor`."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to one file of arrays and JSON.

        Parameters
        ----------
        path : str or path-like
            Conventionally ends in ``.skmmm``.

        Raises
        ------
        OSError
            If the file cannot be written; one that was there is left as it was.
        ValueError
            If a parameter (a callable, a random generator) or the index of the
            training frame cannot be stored as data.

        Notes
        -----
        The file is written beside its place and moved there when it is complete.
        Equal models give equal bytes. Parameters are those of the fit, whatever was
        set since; `gap` and `unseen_region`, which `predict` reads, are as they are.
        """
        check_is_fitted(self)
        header, arrays = _packed(self)
        write_archive(path, header, arrays, MODEL)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a model that `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        estimator : DeepCausalMMMRegressor
            Predicts exactly what the saved one did.

        Raises
        ------
        ValueError
            If the file is no model, was cut short or changed, contradicts itself, or
            is of a format that this version does not read. It says which version
            wrote it.
        """
        with loading(path):
            header, arrays = read_archive(path, MODEL)
        return cls._of_parts(path, header, arrays)

    @classmethod
    def load_plan(cls, path: str | PathLike[str]) -> BudgetPlan:
        """Read a plan that its `save` wrote, with the model that made it.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        plan : BudgetPlan
            With `review`. It no longer knows what other plans would have caused: to ask
            what is ``worth_testing()``, plan again.

        Raises
        ------
        ValueError
            If the file is no plan, was cut short or changed, contradicts itself, or
            it or the model in it is of a format that this version does not read.
        """
        question, found = read_plan(path, cls._of_parts)
        return BudgetPlan(question, None, **found)

    @classmethod
    def _of_parts(
        cls, path: str | PathLike[str], header: dict, arrays: StoredArrays
    ) -> Self:
        """Return the model of a header and arrays that were read from a file."""
        with loading(path):
            check_kind(header, MODEL)
        with loading(f"{path}, written by skmmm {header['version']:.20},"):
            return _unpacked(cls, header, arrays)

    def _as_parts(self) -> tuple[dict, dict]:
        """Return the header and the arrays of a file inside of which the model is."""
        check_is_fitted(self)
        header, arrays = _packed(self)
        return headed(header, MODEL) | {"arrays": {}}, arrays


def _packed(estimator):
    """Return the header and the arrays of a fitted estimator."""
    from skmmm._model.storage import pack_model  # torch takes seconds to import

    model, arrays = pack_model(estimator._model)
    index, index_arrays = pack_index(estimator._training_index)
    header = {
        "parameters": pack_parameters(_parameters_to_save(estimator)),
        **pack_columns(estimator._labels, estimator._columns),
        "named": hasattr(estimator, "feature_names_in_"),
        **pack_calendar(estimator._calendar, estimator._model.history.shape[1]),
        "index": index,
        "remarks": estimator.remarks_,
        "alarms": estimator._alarms,
        "experiments": plain("experiments_", estimator.experiments_),
        "model": model,
    }
    arrays |= index_arrays
    arrays |= {} if estimator._graph is None else pack_graph(estimator._graph)
    if estimator._sampling is not None:
        arrays["sampling"] = estimator._sampling
    if estimator._money is not None:
        arrays["money"] = estimator._money
    arrays |= {
        "regions": estimator.regions_,
        "loss_curve": estimator.loss_curve_,
        "contradicted": estimator._contradicted,
        "cost": estimator._media_cost,
        "answers": _predictions(estimator._model),
    }
    return header, arrays


def _parameters_to_save(estimator):
    """Return the parameters of the fit, and those that `predict` reads, as now."""
    now = {"gap": estimator.gap, "unseen_region": estimator.unseen_region}
    parameters = estimator._fitted_parameters | now
    type(estimator)(**parameters)._validate_params()
    for name in ("synergies", "brand_channels"):  # which earlier versions do not know
        if parameters.get(name) is None:
            parameters.pop(name, None)
    return parameters | {"experiments": _as_data(parameters["experiments"])}


def _as_data(experiments):
    """Return a table of pandas, or a path as text."""
    if hasattr(experiments, "columns"):
        return as_frame(experiments)
    return None if experiments is None else fspath(experiments)


def _unpacked(cls, header, arrays):
    """Return the estimator that a header and arrays describe."""
    from skmmm._model.storage import KINDS, unpack_model

    check_header(header)
    check_kinds(header["model"], KINDS, "model")
    estimator = cls(**unpack_parameters(cls, header["parameters"]))
    estimator._validate_params()
    estimator._labels, columns = unpack_columns(header)
    estimator._columns = columns
    estimator.n_features_in_ = len(estimator._labels)
    estimator.remarks_ = list(map(str, header["remarks"]))
    if header["named"]:
        estimator.feature_names_in_ = np.array(estimator._labels, dtype=object)
    n_periods = arrays.shape("history.observed")[-1]
    estimator._calendar = unpack_calendar(header, n_periods)
    if (columns.time is None) != (estimator._calendar is None):
        raise ValueError("it has a calendar without a time column, or none for it.")
    n_media = len(columns.media)
    if header["model"]["sizes"]["per_head"] and columns.population is None:
        raise ValueError("it has spend per head without a population.")
    estimator.regions_ = unpack_regions(arrays, columns)
    sizes = {"n_regions": len(estimator.regions_), "n_media": n_media}
    estimator._alarms = _alarms_in(header, n_media)
    estimator.experiments_ = restored(header["experiments"])
    estimator._contradicted = arrays.take("contradicted", (n_media,), "bool")
    estimator._media_cost = _cost_in(arrays, n_media)
    estimator._graph = unpack_graph(arrays, **sizes)
    estimator._model = unpack_model(
        header["model"],
        arrays,
        estimator._calendar,
        n_controls=len(columns.controls),
        **sizes,
    )
    estimator._sampling = _sampling_in(arrays, n_media)
    n_rows = len(estimator._model.history.cell)
    estimator._money_columns = money_columns(
        estimator.media_cost, list(columns.media), estimator._labels
    )
    estimator._frequency_columns = frequency_columns(
        estimator.frequency, list(columns.media), estimator._labels
    )
    _check_frequency(estimator._model.scales, estimator._with_frequency())
    _check_pairs(estimator._model.network.channel_priors.pairs, estimator._pairs())
    _check_stock(estimator._model.network.channel_priors, estimator._with_stock())
    estimator._money = _money_in(arrays, estimator._money_columns, (n_rows, n_media))
    estimator._training_index = unpack_index(header["index"], arrays, n_rows)
    losses = arrays.take("loss_curve", (None,), above=-np.inf)
    _check_predictions(estimator._model, arrays.take("answers", (2, n_rows)))
    arrays.check_empty()
    estimator._publish(losses)
    return estimator


def _predictions(model):
    """Return prediction and a quantile of the noise of training rows, (2, n_rows)."""
    with one_thread():
        parts = model.components(model.history)
    noise = model.noise_quantiles(parts, np.array([0.95]))[0]
    return np.concatenate([parts.total, noise])


def _check_predictions(model, saved):
    """Raise if a model that was read does not predict what the saved one did."""
    found = _predictions(model)
    size = np.abs(saved).max(axis=1, keepdims=True)
    if not (np.abs(found - saved) <= 1e-6 * size).all():
        raise ValueError("its parts do not belong together: it predicts otherwise.")


def _alarms_in(header, n_media):
    alarms = header["alarms"]
    if len(alarms) != n_media:
        raise ValueError(f"it has {len(alarms)} alarms, but {n_media} channels.")
    for alarm in alarms:
        if alarm not in ("", *ADVICE):
            raise ValueError(f"its header has the unknown alarm {alarm!r:.80}.")
    return tuple(alarms)


def _sampling_in(arrays, n_media):
    """Return the diagnostics of draws; None without draws."""
    if "sampling" not in arrays:
        return None
    return arrays.take("sampling", (n_media + 1, len(COLUMNS)))


def _money_in(arrays, columns, shape):
    """Return the money of training rows, None if no column told it."""
    if not columns:
        return None
    money = arrays.take("money", shape)
    if np.isfinite(money).all(axis=0).sum() != len(columns):
        raise ValueError("array 'money' is not that of the columns of media_cost.")
    return money


def _check_frequency(scales, told):
    """Raise if the channels that saturate by frequency are not those of a parameter."""
    found = scales.frequency
    if (found is None) != (told is None) or (
        found is not None and (np.isfinite(found) != told).any()
    ):
        raise ValueError("array 'scales.frequency' is not that of the parameter.")


def _check_pairs(found, told):
    """Raise if pairs of channels are not those of a parameter."""
    if ([] if found is None else found.tolist()) != [list(pair) for pair in told]:
        raise ValueError("array 'channel_priors.pairs' is not that of the parameter.")


def _check_stock(channels, told):
    """Raise if the channels with a slow stock are not those of the parameter."""
    found = np.zeros_like(told) if channels.stock is None else channels.stock.numpy()
    if ((found > 0) != told).any():
        raise ValueError("array 'channel_priors.stock' is not that of the parameter.")


def _cost_in(arrays, n_media):
    cost = arrays.take("cost", (n_media,))
    if not (np.isnan(cost) | ((cost > 0) & np.isfinite(cost))).all():
        raise ValueError("array 'cost' has values that are not above 0.")
    return cost
