"""Output files are whole or not there, and errors name them."""

import errno
import os
import stat
from pathlib import Path

import pytest

from skmmm._storage.files import replacing


@pytest.fixture
def umask():
    """A known umask, which says what a new file may be."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def stop_in_the_middle(path, error):
    with replacing(path) as temporary:
        temporary.write_text("half of the new cont")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(28, "full")])
def test_what_was_there_survives_a_stop_in_the_middle(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("good")
    with pytest.raises((KeyboardInterrupt, ValueError, OSError)):
        stop_in_the_middle(path, error)
    assert path.read_text() == "good"
    assert entries(tmp_path) == ["table.csv"]


def test_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(b"old")
    with replacing(str(path)) as temporary:
        assert temporary.name == path.name
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert entries(tmp_path) == ["table.csv.gz"]


def test_permissions_are_those_of_a_new_file_or_of_the_one_replaced(tmp_path, umask):
    path = tmp_path / "table.csv"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    with replacing(path) as temporary:
        temporary.write_text("newer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert path.read_text() == "newer"


def test_links_are_followed_to_their_target(tmp_path):
    target, link = tmp_path / "there" / "model", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to(target)
    for content in ("first", "second"):  # a dangling link, and one that is not
        with replacing(link) as temporary:
            temporary.write_text(content)
        assert link.is_symlink()
        assert target.read_text() == content
    assert entries(target.parent) == ["model"]


def test_pipes_and_devices_are_written_to_directly():
    with replacing(os.devnull) as temporary:
        assert temporary == Path(os.devnull)
        temporary.write_text("gone")


def test_full_disk_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "table.csv"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match=r"No space left on device.*table\.csv") as found:
        stop_in_the_middle(path, full)
    assert found.value.errno == errno.ENOSPC
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", IsADirectoryError),
        ("no/folder/table.csv", FileNotFoundError),
        ("file/table.csv", NotADirectoryError),
        ("loop", OSError),
        ("x" * 300, OSError),
    ],
)
def test_paths_that_cannot_be_written_are_named(tmp_path, name, error):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    path = tmp_path / name
    with pytest.raises(error) as found, replacing(path):
        pytest.fail("was opened for writing")
    assert found.value.filename == str(path)


def test_read_only_files_and_folders_are_not_replaced(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("kept")
    path.chmod(0o400)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write everything")
    with pytest.raises(PermissionError, match=r"table\.csv"), replacing(path):
        pytest.fail("was opened for writing")
    tmp_path.chmod(0o500)
    other = tmp_path / "other.csv"
    with pytest.raises(PermissionError, match=r"other\.csv"), replacing(other):
        pytest.fail("was opened for writing")


def test_errors_about_other_files_keep_their_name(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"input\.csv"),
        replacing(tmp_path / "table.csv"),
    ):
        (tmp_path / "input.csv").read_text()


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"table\.csv"),
        replacing(tmp_path / "table.csv"),
    ):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_errors_of_what_is_no_file_name_it():
    with (
        pytest.raises(OSError, match="'/dev/full'") as caught,
        replacing("/dev/full") as path,
    ):
        path.write_text("content")
    assert caught.value.errno == errno.ENOSPC
