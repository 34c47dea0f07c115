"""How much of a device's memory is held unless said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from linstudy.tangent.placement import MEMORY_ON_CPUS, everywhere, memory_budget_or_default, on_device


class Accelerator:
    def __init__(self, statistics):
        self._statistics = statistics

    def memory_stats(self):
        return self._statistics


def test_a_cpu_holds_the_same_on_every_machine():
    assert memory_budget_or_default(None) == MEMORY_ON_CPUS


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [
        ({"bytes_limit": 70 * 2**30}, 35 * 2**30),
        ({"bytes_limit": 70 * 2**30, "bytes_in_use": 50 * 2**30}, 10 * 2**30),
        ({"num_allocs": 3}, MEMORY_ON_CPUS),
        (None, MEMORY_ON_CPUS),
    ],
)
def test_an_accelerator_holds_half_of_what_is_left_of_it(monkeypatch, statistics, expected):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [Accelerator(statistics)])
    assert memory_budget_or_default(None) == expected


@pytest.mark.parametrize("chosen", [1, 2**40])
def test_what_is_chosen_is_kept_to(chosen):
    assert memory_budget_or_default(chosen) == chosen


def test_a_mapped_array_is_not_copied(tmp_path):
    mapped = np.memmap(tmp_path / "array", np.float32, "w+", shape=(3, 5))
    mapped[:] = np.arange(15).reshape(3, 5)
    placed = on_device(mapped)
    assert placed.unsafe_buffer_pointer() == mapped.ctypes.data
    assert np.array_equal(placed, mapped)


@pytest.mark.parametrize("leaf", [np.ones(3), "text"])
def test_the_annotation_of_a_tree_holds_for_each_leaf(leaf):
    assert everywhere(tree := {"one": [jnp.ones(3), None]}) is tree
    with pytest.raises(TypeCheckError):
        everywhere({"one": [jnp.ones(3), leaf]})
