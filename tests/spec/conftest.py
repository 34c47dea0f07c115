import pytest

from linstudy.data.kinds import sizes
from linstudy.spec.errors import StudyError
from linstudy.spec.points import load_study

HEAD = "study: a\ndata: {kind: digits}\nmodel: {kind: mlp}\n"


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load a study from its text. Relative to the folder of the test, so that messages begin with `a.yaml`."""
    monkeypatch.chdir(tmp_path)

    def load(text, *overrides, profile=None, head=HEAD):
        path = tmp_path / "a.yaml"
        path.write_bytes(text if isinstance(text, bytes) else (head + text).encode())
        return load_study(path.relative_to(tmp_path), profile=profile, overrides=overrides, sizes=sizes)

    return load


@pytest.fixture
def error(load):
    """The message of a study that cannot be loaded."""

    def message(text, *overrides, profile=None, head=HEAD):
        with pytest.raises(StudyError) as raised:
            load(text, *overrides, profile=profile, head=head)
        return str(raised.value)

    return message
