"""NumPy archives with the names that Keras uses: x_train, y_train, x_test, y_test."""

import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from linstudy.data.errors import DataError
from linstudy.data.places import Places
from linstudy.data.source import Labels, Source, Split, unit_range
from linstudy.spec.data import NpzData

_NAMES = ("x_train", "y_train", "x_test", "y_test")


def open_source(spec: NpzData, places: Places) -> Source:
    """Vectors (n, d), grey images (n, h, w) or images (n, h, w, c); bytes are taken as pixels of 0 to 255."""
    path = places.resolve(spec.path)
    arrays = _read_arrays(path)
    train, test = (_split(path, arrays, split) for split in ("train", "test"))
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise _wrong(
            path, "x_test", arrays["x_test"], f"inputs of the shape of x_train's, {arrays['x_train'].shape[1:]}"
        )
    return Source(train, test, tuple(str(label) for label in range(max(train.labels.max(), test.labels.max()) + 1)))


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in _NAMES if name not in archive.files]
            if missing:
                raise DataError(
                    f'"{path}" has no {", ".join(missing)}; it holds {", ".join(archive.files) or "nothing"}. '
                    f"Write it with numpy.savez(path, x_train=…, y_train=…, x_test=…, y_test=…)"
                )
            return {name: archive[name] for name in _NAMES}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f'"{path}" is no NumPy archive of plain arrays ({error})') from error


def _split(path: Path, arrays: dict[str, np.ndarray], split: str) -> Split:
    inputs = _channel_first(path, f"x_{split}", arrays[f"x_{split}"])
    labels = _labels(path, f"y_{split}", arrays[f"y_{split}"])
    if len(inputs) != len(labels):
        raise _wrong(path, f"y_{split}", labels, f"one label for each of the {len(inputs):,} samples of x_{split}")
    return Split(labels, lambda chosen: _float32(inputs[chosen]))


def _labels(path: Path, name: str, labels: np.ndarray) -> Labels:
    flat = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or not np.issubdtype(flat.dtype, np.integer) or flat.min(initial=0) < 0:
        raise _wrong(path, name, labels, "one class a sample, integers from 0")
    return flat.astype(np.int64)


def _channel_first(path: Path, name: str, inputs: np.ndarray) -> np.ndarray:
    if inputs.ndim not in (2, 3, 4) or inputs.size == 0 or not np.issubdtype(inputs.dtype, np.number):
        raise _wrong(path, name, inputs, "numbers of shape (n, d), (n, h, w) or (n, h, w, c)")
    if not np.isrealobj(inputs) or not np.isfinite(inputs).all():
        raise _wrong(path, name, inputs, "finite real numbers")
    if inputs.ndim == 4 and inputs.shape[1] in (1, 3) and inputs.shape[3] not in (1, 3):
        raise _wrong(path, name, inputs, f"channels on the last axis: {name}.transpose(0, 2, 3, 1)")
    return np.moveaxis(inputs, -1, 1) if inputs.ndim == 4 else inputs[:, None] if inputs.ndim == 3 else inputs


def _float32(inputs: np.ndarray) -> Float32[np.ndarray, "samples ..."]:
    return unit_range(inputs) if inputs.dtype == np.uint8 else inputs.astype(np.float32)


def _wrong(path: Path, name: str, array: np.ndarray, wanted: str) -> DataError:
    return DataError(f'"{path}": {name} is {array.dtype} of shape {array.shape}; expected {wanted}')
