"""What every part of the benchmark is given: how much to measure, on what, with which networks and inputs."""

import dataclasses
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measure import Candidate, Timing, calls, measure
from torch_client import TorchServer

from linstudy.models.network import make_network
from linstudy.spec.model import LenetModel, MlpModel, Model, ResnetModel

SHAPE = (3, 32, 32)
MODELS: dict[str, Model] = {
    "mlp": MlpModel(kind="mlp"),
    "lenet": LenetModel(kind="lenet"),
    "resnet18": ResnetModel(kind="resnet"),
}
NAMES = {"mlp": "MLP", "lenet": "LeNet", "resnet18": "ResNet18"}
SMOKE_WIDTH = 4


@dataclasses.dataclass(frozen=True)
class Settings:
    """Choices of the command line.

    Attributes:
        smoke: Everything is made tiny, to see that it runs.
        quick: What takes minutes is left out.
        memory: Bytes that a peer may hold; larger ones are left out.
        budget: Bytes of features held by our Grams; the library's default if None.
        torch: The server of the torch peers, where there is one.
    """

    repeats: int
    smoke: bool
    quick: bool
    memory: int
    budget: int | None
    torch: TorchServer | None

    @property
    def accelerated(self) -> bool:
        """Whether the device is no CPU."""
        return jax.default_backend() != "cpu"

    def measure(self, candidates: list[Candidate]) -> list[Timing]:
        """`measure` with these repeats."""
        if self.smoke:
            return measure(candidates, 1, pause=0.0, least=0.0)
        return measure(candidates, self.repeats)

    def with_rate(self, candidates: list[Candidate], dtype: Any = np.float32) -> tuple[list[Timing], float]:
        """The timings of candidates, and the operations a second of a large matrix product measured among them."""
        side = 256 if self.smoke else 4096 if dtype == np.float32 else 2048
        *timings, product = self.measure([*candidates, _product(side, dtype)])
        if product.seconds is None:
            raise RuntimeError(f"the matrix product {product.remark}")
        rate = 2 * side**3 / product.seconds
        return [*timings, dataclasses.replace(product, remark=f"{rate / 1e9:,.0f} GFLOP/s")], rate

    @property
    def networks(self) -> list[str]:
        """Those that are measured: a smoke test that is quick has the MLP alone."""
        return list(MODELS)[:1] if self.smoke and self.quick else list(MODELS)

    @property
    def lenet(self) -> str:
        """What parts of one network measure: a LeNet, if there is one."""
        return self.networks[: len(MODELS) - 1][-1]

    def network(self, name: str, seed: int = 0) -> tuple[Any, Any]:
        """A network at initialization, and its running statistics."""
        tiny = self.smoke and name == "resnet18"
        return initialized(ResnetModel(kind="resnet", width=SMOKE_WIDTH) if tiny else MODELS[name], SHAPE, seed)


def initialized(spec: Model, shape: tuple[int, ...], seed: int) -> tuple[Any, Any]:
    """A network, and its running statistics."""
    return make_network(spec, shape, seed)


def _product(side: int, dtype: Any) -> Candidate:
    matrix = jnp.asarray(np.random.default_rng(0).standard_normal((side, side)), dtype)
    product = jax.jit(jnp.matmul)
    return Candidate(f"{side}³ product in {np.dtype(dtype).name}", calls(lambda: product(matrix, matrix)))


def images(samples: int, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """Random images whose spectrum falls like that of photographs, 1/frequency, each of mean 0 and deviation 1."""
    generator = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(shape[-2])[:, None], np.fft.rfftfreq(shape[-1])[None]
    weight = 1 / np.maximum(np.hypot(rows, columns), 1 / max(shape[-2:]))
    found = np.empty((samples, *shape), np.float32)
    for start in range(0, samples, 1000):
        block = found[start : start + 1000]
        noise = np.fft.rfft2(generator.standard_normal(block.shape, dtype=np.float32))
        smooth = np.fft.irfft2(noise * weight, s=shape[-2:])
        axes = tuple(range(1, smooth.ndim))
        block[:] = (smooth - smooth.mean(axes, keepdims=True)) / smooth.std(axes, keepdims=True)
    return found


def labels(samples: int, seed: int = 0) -> np.ndarray:
    """Random ±1."""
    return np.where(np.random.default_rng(seed).random(samples) < 0.5, -1, 1).astype(np.float32)


def memory_of_peers() -> int:
    """Half of the memory of the device."""
    device = jax.devices()[0]
    statistics = device.memory_stats() if device.platform != "cpu" else None
    held = statistics["bytes_limit"] if statistics else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return held // 2
