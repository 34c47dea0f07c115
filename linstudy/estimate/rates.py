"""How long operations take on this machine's processors."""

from linstudy.estimate.work import Work

PEAK = 3.5e10
"""Multiply-adds a second of one core: 70 GFLOP/s, the float32 matrix product of an AMD EPYC, of which two were measured
at 87 to 207 GFLOP/s."""

EFFICIENCY = {
    "gram": 0.7,  # LeNet, m = 60,000: 171 s on two cores
    "features": 0.25,  # LeNet: 225 µs a sample on two cores
    "training": 0.5,  # MLP, 50,000 + 10,000 samples, 200 epochs: 378 s; ResNet18, a step of 128: 4.7 s
    "decomposition": 0.35,  # LAPACK in float64, all pairs of m = 3,000: 5 s of one core
    "krylov": 0.22,  # float64 products with a float32 Gram, 1,000 pairs of m = 60,000: 799 s on two cores
    "derivatives": 0.11,  # float64, all 1,024 NADs of a ResNet18: 622 s on two cores
}
"""The share of it that each kind of work reaches, each with the measurement that it is from."""

BANDWIDTH = 6e9
"""Bytes a second at which rows of a large Gram are read in random order, by all cores together."""

START = 1.0
"""Seconds of every run: reading its data, tracing its programs, storing its results. To compile takes more, once."""

PROCESS = 500_000_000
"""Bytes of a worker with JAX and its compiled programs."""


def seconds(work: Work, cores: int) -> float:
    """The time that work takes on some cores, but for the start of its run."""
    computed = sum(number / (EFFICIENCY[name] * PEAK * cores) for name, number in work.operations.items())
    return computed + work.read / BANDWIDTH + work.calls
