"""Times and ratios of the parts, taken in one run, interleaved and warmed up: `just bench`. Nothing is asserted.

Floors: a Gram of m samples and n parameters by explicit gradients needs m²n multiply-adds over its upper half, at the
float32 matmul rate that is measured first.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from linstudy.models.network import make_network
from linstudy.spec.model import LenetModel, MlpModel, Model
from linstudy.spec.train import Linearize, Train
from linstudy.store.ledger import Ledger
from linstudy.store.rows import Batch, MetricRow, RunRow, StudyRow
from linstudy.store.snapshot import publish
from linstudy.store.workspace import Workspace
from linstudy.tangent import freeze, linearize, load_neural_tangents, merge, ntk_gram, parameter_count, split
from linstudy.tasks.labelled import Labelled
from linstudy.train.fit import fit

REPEATS = 3


def medians(*functions: Callable[[], object]) -> list[float]:
    """Median seconds of each, called in turn after one call to warm up."""
    for function in functions:
        jax.block_until_ready(function())
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(REPEATS):
        for function, taken in zip(functions, times, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(function())
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def matmul_rate() -> float:
    """Multiply-adds a second of a 2048³ float32 product."""
    matrix = jnp.ones((2048, 2048), jnp.float32)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    [seconds] = medians(lambda: product(matrix))
    return 2048**3 / seconds


def gram(name: str, spec: Model, shape: tuple[int, ...], samples: int, rate: float) -> None:
    """Our Gram against neural-tangents' Jacobian contraction and structured derivatives, unbatched."""
    nt = load_neural_tangents()
    model = freeze(*make_network(spec, shape, 0))
    inputs = np.asarray(jax.random.normal(jax.random.PRNGKey(0), (samples, *shape)), np.float32)
    parameters, static = split(model)

    def batched(point, batch):
        return jax.vmap(merge(point, static))(batch)[:, None]

    peers = {}
    for number, peer in ((1, "neural-tangents, Jacobians"), (3, "neural-tangents, structured")):
        kernel = jax.jit(nt.empirical_ntk_fn(batched, trace_axes=(-1,), implementation=number))
        peers[peer] = lambda kernel=kernel: kernel(jnp.asarray(inputs), None, parameters)
    ours, *others = medians(lambda: ntk_gram(model, inputs), *peers.values())
    floor = samples**2 / 2 * parameter_count(model) / rate
    row(f"Gram {name}, m = {samples}", ours, f"{ours / floor:.1f} × floor {floor:.3f} s")
    for peer, seconds in zip(peers, others, strict=True):
        row(f"  {peer}", seconds, f"{seconds / ours:.2f} × ours")


def training(name: str, spec: Model, shape: tuple[int, ...], samples: int) -> None:
    """An epoch of a network, and of its linearization through the network."""
    draws = np.random.default_rng(0)
    inputs = draws.standard_normal((samples, *shape), dtype=np.float32)
    labels = np.where(draws.random(samples) < 0.5, -1, 1).astype(np.float32)
    data = Labelled(inputs, labels, inputs[:64], labels[:64])
    model, state = make_network(spec, shape, 0)

    def epochs(linear: bool):
        train = Train(epochs=100, linearize=Linearize() if linear else None)
        start = linearized(model, state) if linear else (model, state)
        results = fit(*start, data, train, 0)
        return lambda: next(results).state

    network, linear = medians(epochs(False), epochs(True))
    steps = samples // 128
    row(f"epoch of {name}, {steps} steps of 128, with evaluation", network, f"{network / steps * 1e3:.1f} ms a step")
    row("  its linearization, through the network", linear, f"{linear / network:.2f} × the network")


def linearized(model, state):
    """What a training on a linearization starts from."""
    from linstudy.models.network import Stateless

    return Stateless(linearize(freeze(model, state))), None


def store() -> None:
    """Rows a second, and publishing."""
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Workspace(Path(folder))) as ledger:
        ledger.register(StudyRow("bench", "", "", ""), [RunRow("r", "training", {"kind": "training"})])
        rows = [MetricRow("r", "loss", "", "train", epoch, epoch, 0.5) for epoch in range(100_000)]
        [seconds] = medians(lambda: ledger.write(Batch(metrics=rows)))
        row("100,000 metric rows", seconds, f"{1e5 / seconds:,.0f} rows a second")
        [seconds] = medians(lambda: publish(ledger, Path(folder) / "results.duckdb"))
        row("publishing 400,000 rows", seconds, "")


def start_up() -> None:
    """Whole commands."""
    study = Path(__file__).parents[2] / "studies" / "kernel_rotation.yaml"
    commands = (["plan", str(study)], ["schema"], ["--help"])
    for arguments in commands:
        command = [sys.executable, "-m", "linstudy", *arguments]
        [seconds] = medians(lambda command=command: subprocess.run(command, capture_output=True, check=True).returncode)
        row(f"linstudy {arguments[0]}", seconds, "")


def row(what: str, seconds: float, remark: str) -> None:
    """One line of the table."""
    print(f"| {what} | {seconds:.3f} | {remark} |", flush=True)


def main() -> None:
    device = jax.devices()[0]
    rate = matmul_rate()
    print(f"{device.platform} {device.device_kind}, JAX {jax.__version__}, {2 * rate / 1e9:.0f} GFLOP/s in float32\n")
    print("| what | median seconds | |\n|---|---|---|")
    gram("MLP", MlpModel(kind="mlp"), (3, 32, 32), 512, rate)
    gram("LeNet", LenetModel(kind="lenet"), (3, 32, 32), 64, rate)
    training("MLP", MlpModel(kind="mlp"), (3, 32, 32), 1280)
    training("LeNet", LenetModel(kind="lenet"), (3, 32, 32), 1280)
    store()
    start_up()


if __name__ == "__main__":
    main()
