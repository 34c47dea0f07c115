"""Miniature data sets in the official formats, and a server and a cache of their own for every test."""

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from linstudy.data.published import PUBLISHED, PublishedFile, PublishedSet

CLOSED_PORT = "http://127.0.0.1:9/"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The platform's cache, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    from linstudy.data.places import cache_folder

    return cache_folder()


@pytest.fixture
def serve(tmp_path):
    """A function that serves files, given as bytes by name, and returns the address."""
    servers = []

    def start(files):
        folder = tmp_path / f"served{len(servers)}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def publish(monkeypatch):
    """A function that makes given files the published ones of a kind, with their true hashes."""

    def replace(kind, files, addresses=(CLOSED_PORT,)):
        published = tuple(
            PublishedFile(name, md5(content), md5(gzip.decompress(content)) if "idx" in name else None)
            for name, content in files.items()
        )
        monkeypatch.setitem(PUBLISHED, kind, PublishedSet(tuple(addresses), published))

    return replace


@pytest.fixture
def mnist():
    """Four idx files, and the arrays in them."""
    generator = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte.gz": generator.integers(0, 256, (40, 28, 28), np.uint8),
        "train-labels-idx1-ubyte.gz": np.arange(40, dtype=np.uint8) % 10,
        "t10k-images-idx3-ubyte.gz": generator.integers(0, 256, (20, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte.gz": np.arange(20, dtype=np.uint8)[::-1] % 10,
    }
    return {name: gzip.compress(idx_bytes(array)) for name, array in arrays.items()}, arrays


@pytest.fixture
def write():
    """A function that writes files, given as bytes by name, into a folder."""

    def write(folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def image_folder(tmp_path):
    """A folder of 8×6 colour images: 12 a class for training, 4 for testing; each image has one colour."""

    def make(root=tmp_path / "images", mode="RGB", suffix="png"):
        for split, count in (("train", 12), ("test", 4)):
            for label, name in enumerate(("cat", "dog", "emu")):
                folder = root / split / name
                folder.mkdir(parents=True)
                for i in range(count):
                    colour = (10 * label, 20 * i, 7) if mode == "RGB" else 20 * i
                    Image.new(mode, (8, 6), colour).save(folder / f"{i:02}.{suffix}")
        return root

    return make


@pytest.fixture
def npz(tmp_path):
    """A function that writes an archive of the four Keras arrays, some of them replaced or left out."""

    def make(path=tmp_path / "set.npz", *, without=(), **replaced):
        generator = np.random.default_rng(1)
        arrays = {
            "x_train": generator.integers(0, 256, (30, 4, 5, 3), np.uint8),
            "y_train": np.arange(30) % 3,
            "x_test": generator.integers(0, 256, (9, 4, 5, 3), np.uint8),
            "y_test": np.arange(9) % 3,
        } | replaced
        np.savez(path, **{name: array for name, array in arrays.items() if name not in without})
        return path

    return make


@pytest.fixture
def tar():
    """A function that packs files, given as bytes by name, as CIFAR's archives are packed."""

    def pack(folder, files):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(f"{folder}/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    return pack


def idx_bytes(array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def md5(content):
    return hashlib.md5(content).hexdigest()
