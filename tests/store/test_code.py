import pytest

from linstudy.spec.errors import LinstudyError
from linstudy.store.code import Code, read_code, write_code
from linstudy.store.query import open_published
from linstudy.store.snapshot import publish

TEXTS = {
    "changes": "-old\n+new\n",
    "nets/helper.py": "SCALE = 1\n",
    "../../escape.py": "x",
    "/etc/own.py": "y\r\n",
    "/": "z",
    "nul\0.py": "n",
    "long": None,
}


@pytest.fixture
def ask(ledger, study, runs, workspace):
    ledger.register(study, runs)
    kept = ledger.keep_code(TEXTS)
    for _ in range(2):
        ledger.begin("t", {"git_commit": "c0ffee", "code": kept})
    ledger.flush()
    publish(ledger, workspace.results)
    with open_published(workspace.results) as ask:
        yield ask


def test_texts_are_kept_once_and_come_back(ask):
    assert read_code(ask, "t") == ("c0ffee", TEXTS)
    assert ask("SELECT count(*) FROM code").rows == [(6,)]
    with pytest.raises(LinstudyError, match="nothing was kept of the code of run s"):
        read_code(ask, "s")


def test_no_name_leads_out_of_the_folder(ask, tmp_path):
    folder = tmp_path / "back"
    files = write_code(read_code(ask, "t"), folder)
    assert [file.relative_to(folder).as_posix() for file in files] == [
        "changes",
        "nets/helper.py",
        "escape.py",
        "etc/own.py",
        "nameless",
        "nul.py",
    ]
    assert (folder / "changes").read_text() == TEXTS["changes"]
    assert (folder / "etc/own.py").read_bytes() == b"y\r\n"
    with pytest.raises(LinstudyError, match="holds something already"):
        write_code(read_code(ask, "t"), folder)


@pytest.mark.parametrize("texts", [{"a": "x", "a/b": "y"}, {"a": "x", "../a": "y"}, {"n" * 300: "x"}])
def test_names_that_are_no_files_beside_each_other_are_told(tmp_path, texts):
    with pytest.raises(LinstudyError, match=r"cannot be written \(.*\)\. Choose another folder with --out"):
        write_code(Code(None, texts), tmp_path / "back")
