import errno
import os
import tempfile
from functools import partial

import numpy as np
import pytest

from linstudy.resources import LIMITS, Cache, Resources
from linstudy.spec.errors import LinstudyError

IN_MEMORY = LIMITS.keys() - {"span"}


def parts(resources):
    return {name: getattr(resources, name) for name in IN_MEMORY}


@pytest.mark.parametrize("memory", [None, 20 * 2**30, 2**40])
def test_much_memory_gives_every_part_its_limit(memory):
    assert parts(Resources(memory)) == {name: LIMITS[name] for name in IN_MEMORY}


@pytest.mark.parametrize("memory", [2**28, 2**30, 12 * 10**9, 20 * 2**30 - 1])
def test_parts_of_little_memory_leave_some_of_it(memory):
    found = parts(Resources(memory))
    assert all(0 < size <= LIMITS[name] for name, size in found.items())
    assert sum(found.values()) < 0.86 * memory
    assert any(size < LIMITS[name] for name, size in found.items())


def test_linearizations_train_through_a_gram_that_the_memory_s_pages_hold():
    assert Resources().span == LIMITS["span"]
    assert Resources(24 * 2**30).span == 19 * 2**30
    assert 0 < Resources(2**30).span < 2**28


@pytest.mark.parametrize(("rows", "in_file"), [(10, False), (11, True)])
def test_an_array_beyond_its_part_is_in_a_file(monkeypatch, tmp_path, rows, in_file):
    monkeypatch.setitem(LIMITS, "gram", 10 * 10 * 8)
    scratch = partial(tempfile.TemporaryFile, dir=tmp_path)
    array = Resources(scratch=scratch).array((rows, rows), np.float64)
    assert isinstance(array, np.memmap) is in_file
    assert (array.shape, array.dtype) == ((rows, rows), np.float64)
    array[:] = np.eye(rows)
    assert np.array_equal(array, np.eye(rows))
    assert array.ctypes.data % 64 == 0, "a device of the same memory takes it as it is"
    assert list(tmp_path.iterdir()) == [], "the file has no name"


def test_a_disk_without_room_says_so_before_anything_is_written(monkeypatch):
    def full(descriptor, start, size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(LIMITS, "gram", 0)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(LinstudyError, match=r"2\.0 GiB of disk .*\(No space left on device\).*--scratch"):
        Resources().array((2**14, 2**14), np.float64)


def test_what_does_not_fit_the_memory_is_refused():
    with pytest.raises(LinstudyError, match=r"^it takes 3\.0 GiB of memory, and this worker has 2\.0\. Do less, or"):
        Resources(2 * 2**30).require(3 * 2**30, "it", "Do less")
    Resources(2 * 2**30).require(2 * 2**30, "it", "Do less")
    Resources().require(2**50, "it", "Do less")


def test_what_needs_more_than_its_part_gets_the_cache_s_room():
    resources = Resources()
    resources.cache.of("span", 1, list)
    resources.require(resources.gram, "it", "Do less")
    assert resources.cache.of("span", 1, dict) == []
    resources.require(resources.gram + 1, "it", "Do less")
    assert resources.cache.of("span", 1, dict) == {}


def test_a_cache_keeps_the_last_of_each_name():
    cache, made = Cache(), []

    def make(value):
        return lambda: made.append(value) or value

    keys = [("a", 1), ("b", 1), ("a", 1), ("a", 2), ("b", 1), ("a", 1)]
    assert [cache.of(name, key, make((name, key))) for name, key in keys] == keys
    assert made == [("a", 1), ("b", 1), ("a", 2), ("a", 1)]


def test_a_cache_gives_up_the_old_before_it_makes_the_new():
    cache = Cache()
    cache.of("a", 1, list)
    with pytest.raises(ZeroDivisionError):
        cache.of("a", 2, lambda: 1 // 0)
    assert cache.of("a", 1, dict) == {}


def test_a_cache_is_cleared():
    cache = Cache()
    cache.of("a", 1, list)
    cache.of("b", 1, list)
    cache.drop("a")
    assert (cache.of("a", 1, dict), cache.of("b", 1, dict)) == ({}, [])
    cache.clear()
    assert cache.of("b", 1, dict) == {}
