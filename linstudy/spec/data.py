"""The data sets a study can name."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from linstudy.spec.base import Spec

Count = Annotated[int, Field(gt=0)]


def _check_path(path: str) -> str:
    if not path.strip():
        raise ValueError("the path is empty; write the folder or file that holds the data")
    if "\0" in path:
        raise ValueError("the path contains a null character")
    return path


def _check_npz(path: str) -> str:
    if PurePath(path).suffix != ".npz":
        raise ValueError(
            f'"{path}" does not end in .npz; write one with numpy.savez(path, x_train=, y_train=, x_test=, y_test=)'
        )
    return path


def _check_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) not in (1, 3):
        raise ValueError(f"{list(shape)} has {len(shape)} entries; write [channels, height, width] or [dimension]")
    return shape


class _Subsets(Spec):
    """What every data set lets a study choose."""

    train: Count | None = Field(
        default=None, description="Training samples, a stratified subset; all of them unless said."
    )
    test: Count | None = Field(default=None, description="Test samples, a stratified subset; all of them unless said.")
    seed: int = Field(
        default=0,
        ge=0,
        description="Chooses subsets, their order, and random draws. Larger subsets contain smaller ones.",
    )


class DigitsData(_Subsets):
    """8×8 handwritten digits that come with scikit-learn: 1,442 for training, 355 for testing, one channel."""

    kind: Literal["digits"] = Field(description="The embedded digits.")


class MnistData(_Subsets):
    """MNIST: 60,000 + 10,000 handwritten digits, 28×28, one channel."""

    kind: Literal["mnist"] = Field(description="MNIST in its four idx files.")


class FashionMnistData(_Subsets):
    """Fashion-MNIST: 60,000 + 10,000 pictures of clothes, 28×28, one channel."""

    kind: Literal["fashion_mnist"] = Field(description="Fashion-MNIST in its four idx files.")


class Cifar10Data(_Subsets):
    """CIFAR-10: 50,000 + 10,000 photographs of 10 classes, 32×32, three channels."""

    kind: Literal["cifar10"] = Field(description="CIFAR-10 in its binary archive.")


class Cifar100Data(_Subsets):
    """CIFAR-100 with its 100 fine classes: 50,000 + 10,000 photographs, 32×32, three channels."""

    kind: Literal["cifar100"] = Field(description="CIFAR-100 in its binary archive.")


class ImageFolderData(_Subsets):
    """Images in train/<class>/ and test/<class>/, all of one size and one number of channels."""

    outside: ClassVar[frozenset[str]] = frozenset({"path"})

    kind: Literal["image_folder"] = Field(description="A folder of JPEG or PNG files.")
    path: Annotated[str, AfterValidator(_check_path)] = Field(
        description="Holds train/ and test/; a relative one lies beside the study file, or else in the data folder."
    )


class NpzData(_Subsets):
    """A NumPy archive with x_train, y_train, x_test and y_test: vectors, grey images or channel-last images."""

    outside: ClassVar[frozenset[str]] = frozenset({"path"})

    kind: Literal["npz"] = Field(description="A NumPy archive.")
    path: Annotated[str, AfterValidator(_check_path), AfterValidator(_check_npz)] = Field(
        description="The .npz file; a relative one lies beside the study file, or else in the data folder."
    )


class GaussianData(Spec):
    """Standard normal inputs N(0, I), not normalized and all of class 0, for tasks that make their own labels."""

    kind: Literal["gaussian"] = Field(description="Standard normal draws.")
    shape: Annotated[tuple[Count, ...], AfterValidator(_check_shape)] = Field(
        default=(1, 32, 32), description="Shape of one input: [channels, height, width], or [dimension]."
    )
    train: Count = Field(default=10_000, description="Training samples.")
    test: Count = Field(default=10_000, description="Test samples.")
    seed: int = Field(default=0, ge=0, description="Chooses the draws. Larger sets contain smaller ones.")


Data = Annotated[
    DigitsData | MnistData | FashionMnistData | Cifar10Data | Cifar100Data | ImageFolderData | NpzData | GaussianData,
    Field(discriminator="kind"),
]


@dataclass(frozen=True)
class DataForm:
    """What is known of a data set before any of it is loaded; None where only the data can tell.

    Attributes:
        train: Training samples.
        test: Test samples.
        shape: Shape of one input.
        classes: The number of classes.
    """

    train: int | None = None
    test: int | None = None
    shape: tuple[int, ...] | None = None
    classes: int | None = None

    @property
    def samples(self) -> int | None:
        """Of training and test together."""
        return None if self.train is None or self.test is None else self.train + self.test


def unknown_form(_: Data) -> DataForm:
    """For where nothing is known but the spec."""
    return DataForm()
