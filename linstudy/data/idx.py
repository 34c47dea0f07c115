"""MNIST and Fashion-MNIST in the idx format.

Source: the page of MNIST, "The IDX file format".
"""

import struct

import numpy as np
from jaxtyping import UInt8

from linstudy.data.archive import read_published
from linstudy.data.places import Places
from linstudy.data.source import Source, Split, pixel_split
from linstudy.spec.data import FashionMnistData, MnistData

_CLASSES = {
    "mnist": tuple(str(digit) for digit in range(10)),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}


def open_source(spec: MnistData | FashionMnistData, places: Places) -> Source:
    """The official training and test split."""
    files = {name: parse_idx(content) for name, content in read_published(spec.kind, places.data_folder).items()}
    return Source(_split(files, "train"), _split(files, "t10k"), _CLASSES[spec.kind])


def parse_idx(content: bytes) -> UInt8[np.ndarray, "..."]:
    """An array of bytes: two zeros, the type code, the number of axes, their big-endian lengths, the entries."""
    axes = content[3]
    shape = struct.unpack_from(f">{axes}I", content, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _split(files: dict[str, np.ndarray], prefix: str) -> Split:
    images = files[f"{prefix}-images-idx3-ubyte.gz"]
    return pixel_split(files[f"{prefix}-labels-idx1-ubyte.gz"], images[:, None])
