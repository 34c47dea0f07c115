"""Which accelerators workers can use, by what their driver and the environment say."""

import pytest

from linstudy import accelerators


@pytest.mark.parametrize(
    ("chosen", "expected"), [("2,5", ["2", "5"]), ("", []), ("-1", []), ("GPU-8f,GPU-1c", ["GPU-8f", "GPU-1c"])]
)
def test_a_chosen_part_of_the_accelerators_is_kept_to(monkeypatch, chosen, expected):
    monkeypatch.setattr(accelerators, "_has_cuda_plugin", lambda: True)
    monkeypatch.setattr(accelerators.shutil, "which", lambda name: name)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert accelerators.visible_accelerators() == expected
