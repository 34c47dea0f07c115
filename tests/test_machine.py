"""What a process may use, from texts as a machine, a container and a queue write them."""

import pytest

from linstudy.machine import (
    available_memory,
    available_threads,
    cgroup_memory,
    cgroup_threads,
    parse_memory,
    slurm_memory,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("12GB", 12 * 10**9),
        ("12GiB", 12 * 2**30),
        ("900M", 900 * 2**20),
        (" 1.5 gb ", 1_500_000_000),
        ("2T", 2**41),
        ("64kB", 64_000),
        ("10B", 10),
    ],
)
def test_a_size_of_memory(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["12", "", "GB", "-3GB", "12 GBytes", "0GB", "1e3MB", "12G B", "nan GB"])
def test_what_is_no_size_of_memory_is_told(text):
    with pytest.raises(ValueError, match="is not a size of memory.*as in 12GB, 12GiB or 900M"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("environment", "size"),
    [
        ({}, None),
        ({"SLURM_MEM_PER_NODE": "4096"}, 4 * 2**30),
        ({"SLURM_MEM_PER_NODE": "8G"}, 8 * 2**30),
        ({"SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_ON_NODE": "4"}, 8 * 2**30),
        ({"SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_PER_TASK": "3"}, 6 * 2**30),
        ({"SLURM_MEM_PER_CPU": "2048"}, 2 * 2**30),
        ({"SLURM_MEM_PER_NODE": "0"}, None),
        ({"SLURM_MEM_PER_NODE": "lots"}, None),
    ],
)
def test_memory_that_slurm_gives(environment, size):
    assert slurm_memory(environment) == size


@pytest.fixture
def root(tmp_path):
    """A function that writes files under a root, given their texts by path, and returns it."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_limits_of_cgroups_are_looked_for_from_the_own_one_up(root):
    files = {
        "proc/self/cgroup": "0::/slurm/job_7/step_0\n",
        "sys/fs/cgroup/slurm/job_7/step_0/memory.max": "max\n",
        "sys/fs/cgroup/slurm/job_7/memory.max": "2147483648\n",
        "sys/fs/cgroup/slurm/memory.max": "9999999999\n",
        "sys/fs/cgroup/slurm/cpu.max": "350000 100000\n",
        "sys/fs/cgroup/cpu.max": "max 100000\n",
    }
    assert list(cgroup_memory(root(files))) == [2147483648, 9999999999]
    assert list(cgroup_threads(root(files))) == [3]


def test_limits_of_the_first_version_of_cgroups(root):
    files = {
        "proc/self/cgroup": "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n2:freezer:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",  # in a container the root is its own
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert list(cgroup_memory(root(files))) == [1073741824]
    assert list(cgroup_threads(root(files))) == [2]


def test_no_limit_of_the_first_version_is_none(root):
    files = {
        "proc/self/cgroup": "9:memory:/\n4:cpu:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert list(cgroup_memory(root(files))) == list(cgroup_threads(root(files))) == []


def test_the_least_of_all_limits_counts(root):
    empty = root({"proc/self/cgroup": "0::/\n"})
    machine = available_memory(empty, {})
    assert machine > 2**20
    assert available_memory(empty, {"SLURM_MEM_PER_NODE": "1"}) == 2**20
    assert available_memory(empty, {"SLURM_MEM_PER_NODE": "900T"}) == machine
    assert available_memory(root({"sys/fs/cgroup/memory.max": "4096\n"}), {"SLURM_MEM_PER_NODE": "1"}) == 4096


def test_threads_are_at_least_one(root):
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert available_threads(root(files), {}) == 1
    assert available_threads(root({}), {"SLURM_CPUS_PER_TASK": "1"}) == 1
    assert 1 <= available_threads() <= 4096
