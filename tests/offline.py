"""Tests that neither read the user's data nor use the internet."""

import pooch

from tensorgrad.data import download


def without_mnist(monkeypatch, cache):
    """Let MNIST be neither in the cache folder, which is this one, nor on a mirror, nor in $TENSORGRAD_DATA."""
    monkeypatch.setattr(pooch, "os_cache", lambda project: cache / project)
    monkeypatch.setattr(download, "MIRRORS", ())
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)
