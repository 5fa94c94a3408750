"""Tables as files hold them: cells are text until the role of their column is known."""

import csv
import gzip
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_scalar, is_string_dtype

ENDINGS = (".csv", ".csv.gz", ".xlsx", ".parquet")
# In a column of numbers. In one of text only an empty cell is missing.
_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None")
_BOOLEANS = {"true": 1.0, "false": 0.0}
# Written in some way: 1.234,5 or € 12.
_LIKE_A_NUMBER = r"\W*\d[\d.,'\s]*\W*"
_ADVICE = (
    "; say how numbers are written with --decimal and --thousands, and leave out signs "
    "such as % and those of currencies"
)
# What the readers of .xlsx and .parquet raise at files that are broken.
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    SyntaxError,
    csv.Error,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Notation:
    """How cells are written.

    Attributes
    ----------
    decimal : str
        Before the decimals of a number.
    thousands : str or None
        Between groups of three digits.
    date_format : str or None
        As of `datetime.strptime`; None: ISO dates.
    fill_zero : sequence of str
        Columns of numbers whose empty cells mean 0.
    """

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    fill_zero: tuple = ()

    @property
    def number(self):
        """Regular expression of a number."""
        whole, decimal = r"\d+", re.escape(self.decimal)
        if self.thousands is not None:
            whole = rf"(?:\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+|\d+)"
        return rf"[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?"


def read_table(path, sep=","):
    """Return the table of a file.

    Parameters
    ----------
    path : str or path-like
    sep : str, default=","
        Between the cells of a .csv file.

    Returns
    -------
    frame : DataFrame
        Of text; of what the file says for .parquet.

    Raises
    ------
    ValueError
        If the file is none of `ENDINGS`, cannot be read, has no rows or two columns of
        one name.
    """
    path = Path(path)
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise ValueError(f"{path} is not a {', '.join(ENDINGS)} file")
    try:
        if name.endswith(".parquet"):
            frame = _parquet(path)
        else:
            rows = _excel(path) if name.endswith(".xlsx") else _csv(path, sep)
            frame = _framed(rows)
    except _UNREADABLE as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    columns = list(frame.columns)
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{path} has two columns called {twice!r}; rename one")
    if len(frame) == 0:
        raise ValueError(f"{path} has a header and no rows")
    return frame


def _csv(path, sep):
    """Return the rows of a .csv file, the header first."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=sep)
        rows = []
        try:
            for row in filter(any, reader):
                rows.append(row)
                _check_length(row, rows[0], reader.line_num, sep)
        except UnicodeDecodeError as error:
            raise ValueError("it is not UTF-8; save it as CSV UTF-8") from error
    return rows


def _check_length(row, header, line, sep):
    """Raise if a row has not as many cells as the header."""
    if row is header:
        others = [char for char in ",;\t|" if char != sep and char in row[0]]
        if len(row) == 1 and others:
            char = max(others, key=row[0].count)
            shown = "tab" if char == "\t" else repr(char)
            raise ValueError(
                f"its header is a single cell, {row[0][:60]!r}; if cells are separated "
                f"by {shown}, say --sep {shown.replace(chr(39), chr(34))}"
            )
    elif len(row) != len(header):
        raise ValueError(
            f"line {line} has {len(row)} cells, the header has {len(header)}; look for "
            f"a {sep!r} inside a cell, such as a decimal comma, and put it in quotes"
        )


def _excel(path):
    """Return the rows of the first sheet, as text."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise ImportError(
            "reading .xlsx needs openpyxl: pip install 'skmmm[excel]'"
        ) from error
    with path.open("rb") as file:
        book = load_workbook(file, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows = [[_cell(value) for value in row] for row in sheet.values]
        book.close()
    rows = [row for row in rows if any(row)]
    width = max(
        (j + 1 for row in rows for j, cell in enumerate(row) if cell), default=0
    )
    return [[*row, *[""] * (width - len(row))][:width] for row in rows]


def _cell(value):
    """Return the value of a cell of a spreadsheet as text."""
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return value.isoformat().removesuffix("T00:00:00")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _framed(rows):
    """Return rows of text, the header first, as a table of the columns with a name."""
    if not rows:
        raise ValueError("it is empty")
    header, *rows = rows
    cells = np.array(rows, dtype=object).reshape(len(rows), len(header))
    named = [j for j, name in enumerate(header) if name.strip()]
    return pd.DataFrame(
        cells[:, named], columns=[header[j] for j in named], dtype=object
    )


def _parquet(path):
    """Return the table of a .parquet file, with its index as columns."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "reading .parquet needs pyarrow: pip install 'skmmm[report]'"
        ) from error
    frame = pd.read_parquet(path)
    if frame.index.names != [None]:
        frame = frame.reset_index()
    return frame.reset_index(drop=True).set_axis(list(map(str, frame.columns)), axis=1)


def as_text(column):
    """Return a column as text, an empty one for a missing value."""
    return pd.Series(list(map(_text, column)), column.index, object, column.name)


def _text(value):
    if isinstance(value, str):
        return value
    return "" if is_scalar(value) and pd.isna(value) else _cell(value)


def read_labels(column, name):
    """Return the text of every row as it stands, or raise if one is missing.

    "NA" and "01001" stay what they are.
    """
    text = as_text(column)
    empty = np.flatnonzero(text.str.strip() == "")
    if len(empty):
        raise ValueError(f"the column {name!r} is empty in data row {empty[0] + 1}")
    return text


def read_times(column, name, notation):
    """Return dates or whole numbers, or raise at the first row that holds neither."""
    if not is_string_dtype(column.dtype):
        return column
    text = read_labels(column, name).str.strip()
    if notation.date_format is not None:
        return _dates_like(text, name, notation.date_format)
    if text.str.fullmatch(r"[+-]?\d{1,18}").all():
        numbers = text.astype("int64")
        _check_no_written_dates(numbers, name)
        return numbers
    dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    _check_dates(
        dates,
        text,
        name,
        "not a date; write 2024-01-29, or say how dates are written with --date-format",
    )
    return text


def _dates_like(text, name, form):
    """Return dates that are written in a format; of weeks, their Mondays."""
    cells, read = text, form
    if "%G" in form and "%V" in form and not re.search("%[uwaA]", form):
        cells, read = text + " 1", form + " %u"
    try:
        dates = pd.to_datetime(cells, format=read, errors="coerce")
    except ValueError as error:
        raise ValueError(f"--date-format {form!r} is no format: {error}") from error
    hint = "" if "%" in form else "; formats are written as in %d.%m.%Y or %G-W%V"
    _check_dates(dates, text, name, f"not like {form!r}{hint}")
    return dates


def _check_dates(dates, text, name, why):
    bad = np.flatnonzero(dates.isna())
    if len(bad):
        raise ValueError(
            f"the time column {name!r} has {text.iloc[bad[0]]!r} in data row "
            f"{bad[0] + 1}, which is {why}"
        )


def _check_no_written_dates(numbers, name):
    """Raise if whole numbers are dates such as 20240129."""
    if not numbers.between(19000101, 21001231).all():
        return
    dates = pd.to_datetime(numbers.map(str), format="%Y%m%d", errors="coerce")
    if dates.notna().all():
        raise ValueError(
            f"the time column {name!r} holds {numbers.iloc[0]}; if these are dates, "
            "say so with --date-format %Y%m%d"
        )


def holds_text(column, notation):
    """Return whether no cell of a column is a number, nor looks like one."""
    if is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype):
        return False
    is_number, text = _number_tester(notation), False
    for cell in map(str.strip, as_text(column)):
        if is_number(cell) or re.fullmatch(_LIKE_A_NUMBER, cell):
            return False
        text = text or cell not in _MISSING
    return text


def count_empty(column):
    """Return how many cells of a column of numbers are empty."""
    return sum(cell in _MISSING for cell in map(str.strip, as_text(column)))


def _number_tester(notation):
    """Return a function that says whether a cell is a number, or true or false."""
    matches = re.compile(notation.number).fullmatch
    return lambda cell: matches(cell) or cell.lower() in _BOOLEANS


def read_numbers(column, name, notation, where):
    """Return a column of numbers.

    Parameters
    ----------
    column : Series of shape (n_rows,)
    name : str
    notation : Notation
    where : callable
        Says which row a position is.

    Returns
    -------
    numbers : Series of shape (n_rows,)
        Whole numbers stay whole.

    Raises
    ------
    ValueError
        If a cell is no finite number, or is empty and not in `notation.fill_zero`.
    """
    column = read_numbers_or_missing(column, name, notation, where)
    missing = np.flatnonzero(column.isna())
    if len(missing) and name in notation.fill_zero:
        return column.fillna(0)
    if len(missing):
        raise ValueError(
            f"the column {name!r} is empty at {where(missing[0])}; fill it or leave "
            f"out the row, or, if empty means 0, say --fill-zero {name}"
        )
    bad = np.flatnonzero(~np.isfinite(column.to_numpy(dtype=np.float64)))
    if len(bad):
        raise ValueError(f"the column {name!r} is infinite at {where(bad[0])}")
    return column


def read_numbers_or_missing(column, name, notation, where):
    """Return the same, with NaN where a cell is empty."""
    if is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype):
        return column
    return _from_text(as_text(column), name, notation, where)


def _check_no_thousands(cells, name, notation, where):
    """Raise if decimals are rather groups of three digits, as in 987 and 12.345."""
    mark = re.escape(notation.decimal)
    marked = [row for row, cell in enumerate(cells) if notation.decimal in cell]
    others = {cell for cell in cells if notation.decimal not in cell} - {"0", *_MISSING}
    if (
        len(marked) >= 8
        and all(re.fullmatch(rf"[1-9]\d{{0,2}}{mark}\d{{3}}", cells[i]) for i in marked)
        and others
        and all(re.fullmatch(r"\d{1,3}", cell) for cell in others)
    ):
        raise ValueError(
            f"the column {name!r} has numbers such as {cells[marked[0]]!r} at "
            f"{where(marked[0])} beside {min(others, key=len)!r}, as if "
            f"{notation.decimal!r} stood between thousands: say --thousands "
            f'"{notation.decimal}" and --decimal, or write the same number of decimals '
            "in all rows"
        )


def _from_text(text, name, notation, where):
    """Return numbers, NaN where a cell is empty."""
    cells, is_number = list(map(str.strip, text)), _number_tester(notation)
    for row, cell in enumerate(cells):
        if not is_number(cell) and cell not in _MISSING:
            raise ValueError(
                f"the column {name!r} has {cell!r} at {where(row)}, which is no number"
                f"{_ADVICE if re.fullmatch(_LIKE_A_NUMBER, cell) else ''}"
            )
    if notation.thousands is None:
        _check_no_thousands(cells, name, notation, where)
    else:
        cells = [cell.replace(notation.thousands, "") for cell in cells]
    if all(cell.lstrip("+-").isdigit() and len(cell) <= 15 for cell in cells):
        return pd.Series(list(map(int, cells)), text.index, "int64", text.name)
    numbers = [_to_float(cell.replace(notation.decimal, ".")) for cell in cells]
    return pd.Series(numbers, text.index, "float64", text.name)


def _to_float(cell):
    if cell in _MISSING:
        return np.nan
    boolean = _BOOLEANS.get(cell.lower())
    return float(cell) if boolean is None else boolean
