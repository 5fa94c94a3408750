"""Dates of holidays: of countries, from the package holidays, or from a table."""

import re

import numpy as np
import pandas as pd

from skmmm._data.checks import (
    as_frame,
    did_you_mean,
    in_words,
    labels_of,
    region_values,
)
from skmmm._data.times import read_times

# A holiday that is kept on another day, or whose day is computed, is the same holiday.
_NOTE = re.compile(
    r"\s*[(（]([^()（）]*\b(observed|estimated|substitut|in lieu)[^()（）]*)[)）]$"
)
_INSTALL = (
    "HolidayEncoder(country=...) needs the package holidays: pip install "
    "'skmmm[holidays]'. Or pass your own dates: HolidayEncoder(dates=...)."
)
_EXAMPLES = "Codes are those of ISO 3166: 'DE', or 'DE-BY' for a part of a country"


def check_code(code, of):
    """Raise if the package holidays has no such country, or no such part of it.

    Parameters
    ----------
    code : str
        "DE" or "DE-BY".
    of : str
        What the code belongs to, to begin the message with.
    """
    known = _package().list_supported_countries()
    code = str(code)
    country, _, part = code.partition("-")
    if country not in known:
        raise ValueError(
            f"{of}: {code!r} is no code of a country whose holidays are known. "
            f"{_EXAMPLES}."
            f"{did_you_mean(country, [c for c in known if len(c) == 2])}"
        )
    if part and part not in known[country]:
        parts = f"{country} has {in_words(known[country])}"
        raise ValueError(
            f"{of}: {code!r} is no part of {country} whose holidays are known. "
            f"{parts if known[country] else f'{country} has no parts'}."
        )


def dates_of_country(code, first, last):
    """Return the holidays of a country from one day to another, and those around.

    Parameters
    ----------
    code : str
        "DE" or "DE-BY".
    first, last : int
        In days since 1970.

    Returns
    -------
    dates : dict of str to ndarray of int
        Days since 1970 by name of the holiday, which is English where there is one.
    """
    package = _package()
    country, _, part = code.partition("-")
    years = [np.datetime64(int(day), "D").item().year for day in (first, last)]
    entity = package.country_holidays(country, subdiv=part or None)
    if years[0] < entity.start_year or years[1] > entity.end_year:
        raise ValueError(
            f"The holidays of {code!r} are known from {entity.start_year} to "
            f"{entity.end_year}, but X goes from {years[0]} to {years[1]}. Leave out "
            "these rows, or pass your own dates: HolidayEncoder(dates=...)."
        )
    # Else names would depend on the language of the machine.
    languages = entity.supported_languages
    language = "en_US" if "en_US" in languages else entity.default_language
    found = package.country_holidays(
        country,
        subdiv=part or None,
        years=range(years[0] - 1, years[1] + 2),
        language=language,
    )
    names = [(day, name) for day in found for name in found.get_list(day)]
    return _by_name(
        np.array([day for day, _ in names], dtype="datetime64[D]"),
        [_NOTE.sub("", name) for _, name in names],
    )


def read_dates(dates, region):
    """Return a table of dates with columns `date`, `name` and maybe `region`, or raise.

    Parameters
    ----------
    dates : DataFrame
        Of the user.
    region : str, int or None
        Parameter of the encoder.
    """
    if not hasattr(dates, "columns"):
        raise TypeError(
            "dates must be a DataFrame with the columns 'date' and 'name' (and "
            f"'region', if regions differ), got {type(dates).__name__}."
        )
    table = as_frame(dates).reset_index(drop=True)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"The table of dates has several columns {twice[0]!r}.")
    for label in ("date", "name"):
        if label not in table:
            raise ValueError(
                f"The table of dates has no column {label!r}. It needs 'date' and "
                f"'name', and has {in_words(labels_of(table))}."
            )
        missing = np.flatnonzero(table[label].isna().to_numpy())
        if len(missing):
            raise ValueError(
                f"The table of dates has no {label} in row {missing[0]}. Fill it in, "
                "or leave out the row."
            )
    if not len(table):
        raise ValueError("The table of dates has no rows.")
    if "region" in table and region is None:
        raise ValueError(
            "The table of dates has a column 'region', but HolidayEncoder has "
            "region=None. Name the region column of X, or drop that of the dates."
        )
    read = {"day": _read_days(table["date"]), "name": table["name"].astype(str)}
    if "region" in table:
        read["region"] = region_values(table, "region")
    return pd.DataFrame(read)


def dates_of_table(table, region):
    """Return the holidays of a region in a table of `read_dates`, as of a country."""
    if "region" in table:
        table = table[(table["region"] == region).to_numpy()]
    return _by_name(table["day"].to_numpy(dtype="datetime64[D]"), table["name"])


def _read_days(column):
    try:
        stamps = read_times(column, "date")
    except ValueError as error:
        raise ValueError(f"The table of dates cannot be read. {error}") from error
    if np.issubdtype(stamps.dtype, np.integer):
        raise ValueError(
            f"The table of dates has {column.iloc[0]!r} in row 0, which is not a date. "
            "Use datetimes or ISO strings (2021-12-25)."
        )
    return stamps.astype("datetime64[D]").astype("datetime64[s]")


def _by_name(days, names):
    """Return the sorted days of each name."""
    table = pd.DataFrame({"day": days.astype(np.int64), "name": list(names)})
    return {
        name: np.unique(rows.to_numpy()) for name, rows in table.groupby("name")["day"]
    }


def _package():
    try:
        import holidays
    except ImportError as error:
        raise ImportError(_INSTALL) from error
    return holidays
