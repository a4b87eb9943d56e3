"""For tests that neither read the user's data nor use the network."""

import pooch

from tensorgrad.data import download


def without_mnist(monkeypatch, cache):
    """Make MNIST unavailable: in the cache folder, which is set to ``cache``, on mirrors, and in $TENSORGRAD_DATA."""
    monkeypatch.setattr(pooch, "os_cache", lambda project: cache / project)
    monkeypatch.setattr(download, "MIRRORS", ())
    monkeypatch.delenv("TENSORGRAD_DATA", raising=False)
