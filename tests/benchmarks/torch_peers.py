"""The peers that need torch, timed for `just bench` in an environment of their own, without JAX.

A server: each line of standard input is a request in JSON, each line of standard output its answer, so that the caller
can alternate between these peers and linstudy. Requests of one setting share its network and inputs; the first of them
warms up with one more call.

    {"task": "about"}                                   versions and threads
    {"task": "gram", "peer": "nngeometry", "model": "lenet", "samples": 1024, "repeats": 3}
    {"task": "step", "model": "resnet18"}               one training step of the network, batch 128
    {"task": "linear_step", "model": "resnet18"}        the same of its linearization
    {"task": "rate"}                                    a 4096³ float32 matrix product
    {"task": "accuracy", "peer": "nngeometry", "model": "lenet", "samples": 64}

Answers are {"seconds": the median}, with "gflops" for a rate; for an accuracy {"relative": the error against Jacobians
in float64}; or {"error": the reason}. `--check` prints the accuracies of all instead.
"""

# pyright: reportMissingImports=false

import argparse
import contextlib
import functools
import importlib.metadata
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, TextIO

import asdl
import numpy as np
import torch
from nngeometry.gram import GramMatrix
from nngeometry.jacobian import Jacobian
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap
from torch.nn import functional

SHAPE = (3, 32, 32)
BATCH = 128
Parameters = dict[str, Tensor]


class Lenet(nn.Module):
    """conv 5×5 6, pool, conv 5×5 16, pool, 120, 84, one logit."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 6, 5, padding=2), nn.Conv2d(6, 16, 5, padding=2)])
        self.hidden = nn.ModuleList([nn.Linear(16 * 8 * 8, 120), nn.Linear(120, 84)])
        self.last = nn.Linear(84, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.convs:
            x = functional.avg_pool2d(functional.relu(layer(x)), 2)
        x = x.flatten(1)
        for layer in self.hidden:
            x = functional.relu(layer(x))
        return self.last(x)


class Block(nn.Module):
    """Two 3×3 convolutions around a shortcut; a 1×1 convolution makes the shortcut fit where shapes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norms[0](self.first(x)))
        y = self.norms[1](self.second(y))
        return functional.relu(y + self.shortcut(x))


class Resnet18(nn.Module):
    """3×3 stem without pooling, four stages of two blocks, global average pool, one logit."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(64)
        shapes = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        pairs = [(Block(inputs, outputs, stride), Block(outputs, outputs, 1)) for inputs, outputs, stride in shapes]
        self.blocks = nn.Sequential(*(block for pair in pairs for block in pair))
        self.last = nn.Linear(512, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        return self.last(self.blocks(x).mean((2, 3)))


def mlp() -> nn.Module:
    """Flatten, two hidden layers of 100, one logit."""
    layers = (nn.Linear(3072, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 1))
    return nn.Sequential(nn.Flatten(), *layers)


MODELS: dict[str, Callable[[], nn.Module]] = {"mlp": mlp, "lenet": Lenet, "resnet18": Resnet18}


def make_network(name: str) -> nn.Module:
    """A network in inference mode, with weights of variance 1/fan-in and zero biases.

    All scales of batch norm are 1: linstudy starts the last of a block at 0, and asdfghjkl divides by them.
    """
    torch.manual_seed(0)
    model = MODELS[name]()
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model.eval()


def normal(samples: int) -> Tensor:
    """Inputs, the same in every run."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal((samples, *SHAPE), dtype=np.float32))


def constants(model: nn.Module) -> tuple[Parameters, Parameters]:
    """Parameters and buffers, outside any graph."""
    return (
        {name: value.detach() for name, value in model.named_parameters()},
        {name: value.detach() for name, value in model.named_buffers()},
    )


def torch_func(model: nn.Module, inputs: Tensor) -> Tensor:
    """The Jacobian of every sample, contracted parameter by parameter, as in torch's tutorial on tangent kernels."""
    parameters, buffers = constants(model)

    def output(parameters: Parameters, sample: Tensor) -> Tensor:
        return functional_call(model, (parameters, buffers), (sample[None],)).sum()

    jacobians = vmap(grad(output), (None, 0))(parameters, inputs)
    gram = inputs.new_zeros(len(inputs), len(inputs))
    for jacobian in jacobians.values():
        rows = jacobian.flatten(1)
        gram.addmm_(rows, rows.T)
    return gram


def nngeometry_gram(model: nn.Module, inputs: Tensor) -> Tensor:
    """Products of Grams at dense layers, gradients of every sample elsewhere."""
    return GramMatrix(model, [inputs]).to_torch()[0, :, 0]


def nngeometry_jacobian(model: nn.Module, inputs: Tensor) -> Tensor:
    """The Jacobian as one matrix, contracted here."""
    jacobian = Jacobian(model, [inputs]).to_torch()[0]
    return jacobian @ jacobian.T


def asdfghjkl_direct(model: nn.Module, inputs: Tensor) -> Tensor:
    """Gradients of every sample, layer by layer."""
    return asdl.empirical_class_wise_direct_ntk(model, inputs)[..., 0]


def asdfghjkl_hadamard(model: nn.Module, inputs: Tensor) -> Tensor:
    """Products of the layers' two Grams: exact for dense layers alone."""
    return asdl.empirical_class_wise_hadamard_ntk(model, inputs)[..., 0]


PEERS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "torch.func": torch_func,
    "nngeometry": nngeometry_gram,
    "nngeometry jacobian": nngeometry_jacobian,
    "asdfghjkl direct": asdfghjkl_direct,
    "asdfghjkl hadamard": asdfghjkl_hadamard,
}
INEXACT = {("asdfghjkl hadamard", "lenet"), ("asdfghjkl hadamard", "resnet18")}


def gram(peer: str, model: str, samples: int) -> Callable[[], Any]:
    """One Gram."""
    if (peer, model) in INEXACT:
        raise ValueError(f"{peer} is wrong on {model}")
    return functools.partial(PEERS[peer], make_network(model), normal(samples))


def examples() -> tuple[Tensor, Tensor]:
    """A batch, and labels of ±1."""
    labels = np.where(np.random.default_rng(1).random(BATCH) < 0.5, -1, 1)
    return normal(BATCH), torch.from_numpy(labels.astype(np.float32))


def binary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.softplus(-labels * logits[:, 0]).mean()


def step(model: str) -> Callable[[], Any]:
    """One step of a network; batch norm takes the batch's statistics."""
    network = make_network(model).train()
    inputs, labels = examples()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def call() -> None:
        optimizer.zero_grad()
        binary_loss(network(inputs), labels).backward()
        optimizer.step()

    return call


def linear_step(model: str) -> Callable[[], Any]:
    """One step of the linearization around the start, whose batch norm is frozen."""
    network = make_network(model)
    inputs, labels = examples()
    anchor, buffers = constants(network)
    offsets = {name: torch.zeros_like(value) for name, value in anchor.items()}
    optimizer = torch.optim.SGD(offsets.values(), lr=1e-3, momentum=0.9)

    def output(parameters: Parameters) -> Tensor:
        return functional_call(network, (parameters, buffers), (inputs,))

    def objective(offsets: Parameters) -> Tensor:
        value, change = jvp(output, (anchor,), (offsets,))
        return binary_loss(value + change, labels)

    def call() -> None:
        for name, value in grad(objective)(offsets).items():
            offsets[name].grad = value
        optimizer.step()

    return call


def rate() -> Callable[[], Any]:
    """The product whose rate the floors are counted with."""
    matrix = torch.ones(4096, 4096)
    return lambda: matrix @ matrix


TASKS: dict[str, Callable[..., Callable[[], Any]]] = {
    "gram": gram,
    "step": step,
    "linear_step": linear_step,
    "rate": rate,
}


def about() -> dict[str, Any]:
    """What is measured with what."""
    versions = {name: importlib.metadata.version(name) for name in ("torch", "nngeometry", "asdfghjkl")}
    return {**versions, "threads": torch.get_num_threads()}


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def answer(request: dict[str, Any], calls: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """The answer to a request; `calls` keeps what its setting needs."""
    if request["task"] == "about":
        return about()
    if request["task"] == "accuracy":
        return {"relative": relative_error(request["peer"], request["model"], request["samples"])}
    setting = {key: value for key, value in request.items() if key != "repeats"}
    key = json.dumps(setting, sort_keys=True)
    if key not in calls:
        calls[key] = TASKS[setting.pop("task")](**setting)
        calls[key]()
    seconds = statistics.median(seconds_of(calls[key]) for _ in range(request.get("repeats", 1)))
    speed = {"gflops": 2 * 4096**3 / seconds / 1e9} if request["task"] == "rate" else {}
    return {"seconds": seconds, **speed}


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end."""
    calls: dict[str, Callable[[], Any]] = {}
    for line in requests:
        try:
            reply = answer(json.loads(line), calls)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)


@functools.lru_cache(maxsize=1)
def exact_gram(model: str, samples: int) -> Tensor:
    """From the Jacobians in float64."""
    return torch_func(make_network(model).double(), normal(samples).double())


def relative_error(peer: str, model: str, samples: int) -> float:
    """‖difference‖ / ‖Gram‖ of a peer's Gram in float32 from the one in float64."""
    exact = exact_gram(model, samples)
    found = PEERS[peer](make_network(model), normal(samples)).detach().double()
    return float(torch.linalg.norm(found - exact) / torch.linalg.norm(exact))


def check() -> None:
    """Print the error of each peer's Gram."""
    # on fewer than 16 rows MKL's product loses 2e-4 over a long axis, whoever calls it
    for model, samples in {"mlp": 64, "lenet": 64, "resnet18": 16}.items():
        for name in PEERS:
            remark = " (not timed)" if (name, model) in INEXACT else ""
            error = relative_error(name, model, samples)
            print(f"{model:8}  m = {samples}  {name:19}  {error:.1e}{remark}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--check", action="store_true", help="print errors, not times")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # both libraries use hooks and operations that today's torch warns of, once a layer
    warnings.simplefilter("ignore")
    if arguments.check:
        check()
        return
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
