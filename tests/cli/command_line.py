"""Arguments of quick fits, and the one line that an error is."""

SALES = ["--kpi", "sales", "--media", "media_1", "media_2"]
QUICK = ["--max-iter", "5", "--draws", "2", "--max-lag", "3"]


def to_csv(frame, path):
    frame.to_csv(path, index=False)


def one_error(capsys):
    """Return the only line on stderr, which has to be an error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("skmmm: error: ")
    return lines[0]
