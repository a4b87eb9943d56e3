"""Settings of tests that must not read the user's data or use the internet."""

import pooch

from tensorgrad.data import download


def without_mnist(monkeypatch, cache):
    """Use an empty cache folder and no mirrors, and unset $TENSORGRAD_DATA, so that MNIST is not found."""
    monkeypatch.setattr(pooch, "os_cache", lambda project: cache / project)
    sources = {name: source._replace(mirrors=()) for name, source in download.SOURCES.items()}
    monkeypatch.setattr(download, "SOURCES", sources)
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)


def enter_empty_folder(monkeypatch, folder):
    """Change to this folder, in which programs find no MNIST."""
    monkeypatch.chdir(folder)
    without_mnist(monkeypatch, folder / "cache")
    return folder
