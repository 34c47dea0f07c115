"""What the source of a user's model is made of. No module is imported for it: each would end the tests."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from linstudy.data.places import Places
from linstudy.models.modules import own_modules
from linstudy.models.source import SOURCES, model_source
from linstudy.models.syntax import syntax_hash
from linstudy.spec.errors import LinstudyError
from linstudy.spec.model import ImportModel, MlpModel

NEVER = "\nraise SystemExit('imported')\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes modules, by path, into a folder that Python searches."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + NEVER)
        return tmp_path

    return write


NOWHERE = Path("/no/such/folder")


def source(factory="nets_:make", folders=(NOWHERE,), **arguments):
    return model_source(ImportModel(kind="import", factory=factory, arguments=arguments), Places(*folders))


def test_models_of_linstudy_have_no_source():
    assert model_source(MlpModel(kind="mlp"), Places(NOWHERE)) == {}
    assert set(SOURCES) == {"import"}


OTHERS = {
    "helper_.py": "x = 1",
    "circle_.py": "import nets_",
    "pack_/__init__.py": "from .other import name",
    "pack_/other.py": "",
    "pack_/deep.py": "import helper_",
    "pack_/low/__init__.py": "from ..deep import x",
    "pack_/low/lowest.py": "from . import sibling\nfrom ... import far",
    "pack_/low/sibling.py": "",
    "space_/inner.py": "",
}
PACK, DEEP = {"pack_", "pack_.other"}, {"pack_", "pack_.other", "pack_.deep", "helper_"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import helper_", {"helper_"}),
        ("import pack_", PACK),
        ("import pack_.deep as d", DEEP),
        ("from pack_ import deep", DEEP),
        ("from pack_ import name", PACK),
        ("from pack_.deep import x, y as z", DEEP),
        ("from pack_.deep import *", DEEP),
        ("import pack_.low", {*DEEP, "pack_.low"}),
        ("import pack_.low.lowest", {*DEEP, "pack_.low", "pack_.low.lowest", "pack_.low.sibling"}),
        ("def make():\n    import helper_", {"helper_"}),
        ("try:\n    import helper_\nexcept ImportError:\n    import missing_", {"helper_"}),
        ("if False:\n    import helper_", {"helper_"}),
        ("import circle_", {"circle_"}),
        ("import space_.inner", {"space_.inner"}),
        ("import helper_.nothing", {"helper_"}),
        ("import numpy, json, linstudy.models.layers, jax.numpy, sys", set()),
        ("text = 'import helper_'  # import helper_", set()),
    ],
)
def test_the_users_own_modules_are_found_however_they_are_imported(write, text, found):
    write({"nets_.py": text, **OTHERS})
    assert set(own_modules("nets_")) == {"nets_", *found}
    assert {"nets_", "helper_", "pack_"}.isdisjoint(sys.modules)


def test_the_package_of_a_factory_is_its_own_wherever_it_is_installed(write, tmp_path, monkeypatch):
    installed = tmp_path / "site-packages"
    write({f"site-packages/{name}": text for name, text in {**OTHERS, "nets_.py": "import pack_.deep"}.items()})
    monkeypatch.syspath_prepend(installed)
    assert set(own_modules("nets_")) == {"nets_"}
    assert set(own_modules("pack_.deep")) == {"pack_", "pack_.other", "pack_.deep"}


def test_another_number_in_any_module_is_another_source_and_the_hash_says_which(write):
    write({"nets_.py": "import pack_.deep", **OTHERS})
    before = source()
    write({"helper_.py": "x = 2"})
    after = source()
    assert {name for name in before if before[name] != after[name]} == {"helper_"}


@pytest.mark.parametrize("suffix", ["py", EXTENSION_SUFFIXES[0].lstrip(".")])
def test_modules_that_are_no_python_are_hashed_by_their_bytes(write, tmp_path, suffix):
    write({"nets_.py": "import odd_"})
    seen = set()
    for content in (b"a b c", b"a  b c"):
        (tmp_path / f"odd_.{suffix}").write_bytes(content)
        seen.add(source()["odd_"])
    assert len(seen) == 2


CODE = '''
"""What it is."""

def make(shape, key, *, width=8):
    """Make it."""
    if width > 3:  # why
        return f"{width!r:>4}", b"x", 1.5, None, ..., -1j
    return [x for x in shape if (y := x)]
'''


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "# a comment\n" + text,
        lambda text: text.replace("What it is.", "What it was."),
        lambda text: text.replace('    """Make it."""\n', ""),
        lambda text: text.replace("width > 3:", "(width\n        > 3) :"),
        lambda text: text.replace('"x"', "'x'"),
    ],
)
def test_how_code_is_written_does_not_matter(change):
    assert change(CODE) != CODE
    assert syntax_hash(change(CODE).encode()) == syntax_hash(CODE.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width=8", "width=9"),
        ("1.5", "15"),
        ("None", "0"),
        ("width > 3", "width >= 3"),
        ('b"x"', '"x"'),
        ("make(", "build("),
        ("    return [", "    'a value'\n    return ["),
    ],
)
def test_what_code_does_matters(old, new):
    assert old in CODE
    assert syntax_hash(CODE.replace(old, new).encode()) != syntax_hash(CODE.encode())


def test_the_hash_of_code_is_that_of_every_version_of_python():
    assert syntax_hash(CODE.encode()) == "a62bdb7b7af41deb8d3ff585a124aeec60dd72c568acfe2c0a16ad23e759bf72"


@pytest.mark.parametrize("content", [b"a b", b"\0", b"(" * 100_000, b"-" * 100_000 + b"1", b"'\xff'"])
def test_what_is_no_python_has_no_syntax(content):
    assert syntax_hash(content) is None


def test_files_that_arguments_name_are_hashed_by_content(write, tmp_path):
    write({"nets_.py": ""})
    (tmp_path / "weights.npy").write_bytes(b"1")

    def files(folders=(tmp_path,)):
        return source(folders=folders, deep=[{"at": "weights.npy"}], name="relu", none="no.npy", size=3)

    one = files()
    assert set(one) == {"nets_", "weights.npy"}
    absolute = str(tmp_path / "weights.npy")
    assert source(at=absolute)[absolute] == one["weights.npy"]
    (tmp_path / "weights.npy").write_bytes(b"2")
    assert files()["weights.npy"] != one["weights.npy"]
    assert files()["nets_"] == one["nets_"]
    assert set(files(folders=[tmp_path / "elsewhere"])) == {"nets_"}


def test_a_name_that_means_two_files_is_hashed_by_both(write, tmp_path):
    write({"nets_.py": ""})
    folders = [tmp_path / name for name in "ab"]
    seen = set()
    for contents in [(b"1", b"2"), (b"1", b"3"), (b"4", b"3")]:
        for folder, content in zip(folders, contents, strict=True):
            folder.mkdir(exist_ok=True)
            (folder / "w").write_bytes(content)
        seen.add(source(folders=folders, weights="w")["w"])
    assert len(seen) == 3


@pytest.mark.parametrize("text", ["", ".", "a\0b", "x" * 10_000, "~nobody-at-all/x", "sub"])
def test_texts_that_name_no_file_are_texts(write, tmp_path, text):
    write({"nets_.py": ""})
    (tmp_path / "sub").mkdir()
    assert set(source(folders=[tmp_path], text=text)) == {"nets_"}


@pytest.mark.parametrize("factory", ["nowhere:make", "nowhere.at_all:make", "sys:exit", "json.nothing:x"])
def test_a_source_that_is_not_there_says_where_it_was_looked_for(factory):
    with pytest.raises(LinstudyError, match="no module .* with a source file beside the study file"):
        source(factory)
