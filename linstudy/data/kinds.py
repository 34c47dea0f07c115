"""The table of the kinds of data, and what it tells without loading any."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linstudy.data.content import file_hash, image_folder_hash
from linstudy.data.places import Places
from linstudy.data.published import PUBLISHED
from linstudy.spec.data import Data, DataForm

Sizes = tuple[int | None, int | None]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Kind:
    """What is known of a kind of data before any is loaded.

    Attributes:
        module: The module of this room whose `open_source(spec, places)` opens the data.
        identity: Names the bytes behind a spec of this kind.
        sizes: Training and test samples if nothing smaller is asked for.
        input_shape: Shape of one input.
        classes: The number of classes, None where only the data can tell.
    """

    module: str
    identity: Callable[[Any, Places], str]
    sizes: Sizes = (None, None)
    input_shape: Callable[[Any], Shape | None] = lambda spec: None
    classes: int | None = None


def sizes(spec: Data) -> Sizes:
    """The numbers of training and test samples, None where only the data can tell."""
    train, test = KINDS[spec.kind].sizes
    return (train if spec.train is None else spec.train, test if spec.test is None else spec.test)


def input_shape(spec: Data) -> Shape | None:
    """The shape of one input, None where only the data can tell."""
    return KINDS[spec.kind].input_shape(spec)


def form(spec: Data) -> DataForm:
    """All that is known of the data of a spec before any is loaded."""
    return DataForm(*sizes(spec), shape=input_shape(spec), classes=KINDS[spec.kind].classes)


def _published(module: str, kind: str, sizes: Sizes, shape: Shape, classes: int = 10) -> Kind:
    return Kind(module, lambda spec, places: PUBLISHED[kind].identity, sizes, lambda spec: shape, classes)


KINDS = {
    "digits": Kind("digits", lambda spec, places: "digits-sklearn-1", (1442, 355), lambda spec: (1, 8, 8), 10),
    "mnist": _published("idx", "mnist", (60_000, 10_000), (1, 28, 28)),
    "fashion_mnist": _published("idx", "fashion_mnist", (60_000, 10_000), (1, 28, 28)),
    "cifar10": _published("cifar", "cifar10", (50_000, 10_000), (3, 32, 32)),
    "cifar100": _published("cifar", "cifar100", (50_000, 10_000), (3, 32, 32), 100),
    "image_folder": Kind("image_folder", lambda spec, places: image_folder_hash(places.resolve(spec.path))),
    "npz": Kind("npz", lambda spec, places: file_hash(places.resolve(spec.path))),
    "gaussian": Kind("gaussian", lambda spec, places: "", input_shape=lambda spec: spec.shape),
}
