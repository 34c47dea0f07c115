import os
import pwd

from linstudy.data.places import cache_folder


def test_a_user_without_a_home_has_a_cache_outside_of_the_current_folder(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert os.path.expanduser("~/a") == "~/a", "the control: there is no home"
    assert cache_folder().is_absolute()
