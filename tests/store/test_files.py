import errno
import os
import stat

import pytest

from linstudy.spec.errors import LinstudyError
from linstudy.store.files import install, replacement


@pytest.fixture
def files(tmp_path):
    """A finished file under a temporary name, and an old one that it shall replace."""
    temporary, final = tmp_path / "new", tmp_path / "final"
    temporary.write_text("new")
    final.write_text("old")
    return temporary, final


def failing_fsync(monkeypatch, error, folders):
    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == folders:
            raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", fsync)


def test_a_file_system_that_cannot_sync_folders_is_no_obstacle(files, monkeypatch):
    failing_fsync(monkeypatch, errno.EINVAL, folders=True)
    install(*files)
    assert files[1].read_text() == "new"


@pytest.mark.parametrize(("error", "folders"), [(errno.EIO, True), (errno.EINVAL, False)])
def test_a_real_failure_of_syncing_is_told(files, monkeypatch, error, folders):
    failing_fsync(monkeypatch, error, folders)
    with pytest.raises(OSError, match=os.strerror(error)):
        install(*files)


def test_a_folder_in_the_way_is_named(files, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(LinstudyError, match="folder is a folder, where a file belongs. Move the folder elsewhere"):
        install(files[0], tmp_path / "folder")


def test_a_replacement_is_whole_or_nothing(tmp_path):
    final = tmp_path / "final"
    with replacement(final) as temporary:
        temporary.write_text("first")
        assert not final.exists()
    with pytest.raises(UnicodeEncodeError), replacement(final) as temporary:
        temporary.write_text("second \udcff", encoding="utf-8")
    assert final.read_text() == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["final"]
