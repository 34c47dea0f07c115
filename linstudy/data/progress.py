"""The progress of a download."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class DownloadBar:
    """A rich bar under pooch's protocol for progress bars: `total`, `update`, `reset` and `close`.

    Source: https://www.fatiando.org/pooch/latest/progressbars.html
    """

    def __init__(self, name: str, *, visible: bool):
        self.total = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not visible,
        )
        self._task = self._progress.add_task(name, total=None)

    def __enter__(self) -> "DownloadBar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def update(self, count: int) -> None:
        self._progress.update(self._task, advance=count, total=self.total or None)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.stop()
