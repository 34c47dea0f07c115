"""CIFAR-10 and CIFAR-100 in their binary archives; the Python ones are pickled, and nothing here is ever unpickled.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linstudy.data.archive import read_published
from linstudy.data.places import Places
from linstudy.data.source import Source, Split, pixel_split
from linstudy.spec.data import Cifar10Data, Cifar100Data

_IMAGE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class _Layout:
    """The members of an archive; a record is `label_bytes` labels, the finest last, and the pixels."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    label_bytes: int


_LAYOUTS = {
    "cifar10": _Layout(tuple(f"data_batch_{i}.bin" for i in range(1, 6)), ("test_batch.bin",), "batches.meta.txt", 1),
    "cifar100": _Layout(("train.bin",), ("test.bin",), "fine_label_names.txt", 2),
}


def open_source(spec: Cifar10Data | Cifar100Data, places: Places) -> Source:
    """The official training and test split."""
    layout = _LAYOUTS[spec.kind]
    (archive,) = read_published(spec.kind, places.data_folder).values()
    members = _read_members(archive)
    return Source(
        train=_split(members, layout.train, layout.label_bytes),
        test=_split(members, layout.test, layout.label_bytes),
        classes=tuple(members[layout.names].decode().split()),
    )


def _read_members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        opened = {Path(member.name).name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in opened.items() if file is not None}


def _split(members: dict[str, bytes], names: tuple[str, ...], label_bytes: int) -> Split:
    records = np.frombuffer(b"".join(members[name] for name in names), np.uint8).reshape(-1, label_bytes + _PIXELS)
    return pixel_split(records[:, label_bytes - 1], records[:, label_bytes:].reshape(-1, *_IMAGE))
