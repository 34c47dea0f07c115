"""Standard normal draws."""

import numpy as np

from linstudy.data.places import Places
from linstudy.data.source import Source, Split
from linstudy.spec.data import GaussianData


def open_source(spec: GaussianData, places: Places) -> Source:
    """Draws from N(0, I), the first of which do not depend on how many there are."""
    return Source(_draws(spec, spec.train, stream=0), _draws(spec, spec.test, stream=1), drawn=True)


def _draws(spec: GaussianData, count: int, *, stream: int) -> Split:
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(spec.seed, spawn_key=(stream,))))
    draws = generator.standard_normal((count, *spec.shape), dtype=np.float32)
    return Split(np.zeros(count, np.int64), lambda chosen: draws[chosen])
