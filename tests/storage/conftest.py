"""A file that a model was saved to."""

import pytest


@pytest.fixture(scope="session")
def content(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.skmmm"
    fitted.save(path)
    return path.read_bytes()


@pytest.fixture
def saved(content, tmp_path):
    path = tmp_path / "model.skmmm"
    path.write_bytes(content)
    return path
