"""Settings of tests that must not read the user's data or use the internet."""

import pooch
import pytest

from tensorgrad.data import download


def without_mnist(monkeypatch, cache):
    """Use an empty cache folder and no mirrors, and unset $TENSORGRAD_DATA, so that MNIST is not found."""
    monkeypatch.setattr(pooch, "os_cache", lambda project: cache / project)
    monkeypatch.setattr(download, "MIRRORS", ())
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)


@pytest.fixture(autouse=True)
def workplace(monkeypatch, tmp_path):
    """Change to a new folder, in which MNIST is not found and cannot be downloaded."""
    monkeypatch.chdir(tmp_path)
    without_mnist(monkeypatch, tmp_path / "cache")
    return tmp_path
