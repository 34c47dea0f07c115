import io

from rich.console import Console

from linstudy.data.progress import DownloadBar


def follow(bar):
    """What pooch does with a progress bar during a download of 300 bytes in blocks of 200."""
    bar.total = 300
    bar.update(200)
    bar.update(200)
    bar.reset()
    bar.update(300)
    bar.close()


def test_the_bar_follows_poochs_protocol(monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr("linstudy.data.progress.Console", lambda **kwargs: console)
    with DownloadBar("train.gz", visible=True) as bar:
        follow(bar)
    assert "train.gz" in screen.getvalue()
    assert "300/300 bytes" in screen.getvalue()


def test_the_bar_is_silent_when_it_is_not_visible(capsys):
    with DownloadBar("train.gz", visible=False) as bar:
        follow(bar)
    assert capsys.readouterr() == ("", "")
