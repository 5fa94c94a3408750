"""The KPI as the user passes it."""

from sklearn.utils.validation import column_or_1d

from skmmm._data.checks import check_target


def read_target(y, n_rows):
    """Return the KPI as numbers, or raise if a value is missing or rows do not match.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
    n_rows : int

    Returns
    -------
    y : ndarray of shape (n_rows,)
    """
    return check_target(column_or_1d(y, warn=True), n_rows, "row {}".format)
