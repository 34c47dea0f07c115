"""The published data sets: names, addresses and hashes of their files.

Sources of the MD5 sums: https://www.cs.toronto.edu/~kriz/cifar.html, the Fashion-MNIST README
(https://github.com/zalandoresearch/fashion-mnist), and torchvision's table for MNIST, whose own page names none.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedFile:
    """One file of a published set.

    Attributes:
        name: As published.
        md5: Of the file as published.
        content_md5: Of what a file compressed by itself holds; a copy unpacked or packed anew is then accepted too.
    """

    name: str
    md5: str
    content_md5: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which a copy of this file is recognized."""
        return (self.name,) if self.content_md5 is None else (self.name, self.name.removesuffix(".gz"))


@dataclass(frozen=True)
class PublishedSet:
    """A published set and the addresses, in order of preference, below which its files lie."""

    addresses: tuple[str, ...]
    files: tuple[PublishedFile, ...]

    @property
    def identity(self) -> str:
        """A constant that changes exactly when the published bytes do."""
        return "md5:" + "+".join(file.content_md5 or file.md5 for file in self.files)


_TORONTO = ("https://www.cs.toronto.edu/~kriz/",)

PUBLISHED = {
    "mnist": PublishedSet(
        addresses=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files=(
            PublishedFile(
                "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"
            ),
            PublishedFile(
                "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"
            ),
            PublishedFile(
                "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"
            ),
            PublishedFile(
                "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"
            ),
        ),
    ),
    "fashion_mnist": PublishedSet(
        addresses=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files=(
            PublishedFile(
                "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"
            ),
            PublishedFile(
                "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"
            ),
            PublishedFile(
                "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"
            ),
            PublishedFile(
                "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"
            ),
        ),
    ),
    "cifar10": PublishedSet(
        addresses=_TORONTO,
        files=(PublishedFile("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),),
    ),
    "cifar100": PublishedSet(
        addresses=_TORONTO,
        files=(PublishedFile("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),),
    ),
}
