"""What a sweep deletes before it starts a run again: files of a run without a checkpoint, and nothing else."""

import pytest

from tensorgrad.errors import ConfigError
from training.worker_process import _empty


def test_everything_but_the_lock_is_deleted(tmp_path):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    for folder in (run, run / "folder", elsewhere):
        folder.mkdir()
    for path in (run / ".lock", run / "config.yaml", run / "folder" / "file", elsewhere / "file"):
        path.touch()
    (run / "link").symlink_to(elsewhere)
    _empty(run)
    assert [path.name for path in run.iterdir()] == [".lock"]
    assert (elsewhere / "file").exists()


def test_folder_behind_a_link_is_not_emptied(tmp_path):
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    (folder / "file").touch()
    link.symlink_to(folder)
    with pytest.raises(ConfigError, match=r"link is a symbolic link to a folder without a run: remove the link"):
        _empty(link)
    assert (folder / "file").exists()
