"""A real Dask cluster on this machine, of as many workers as a test starts, for as long as it needs it."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class SmallDask:
    """A scheduler, whose file is in its folder, and its workers; all are processes.

    Attributes:
        environment: Of all of them; that of this process if None.
    """

    folder: Path
    environment: dict[str, str] | None = None
    scheduler: subprocess.Popen = field(init=False)
    workers: list[subprocess.Popen] = field(default_factory=list)

    @property
    def file(self):
        return self.folder / "scheduler.json"

    @property
    def address(self):
        return json.loads(self.file.read_text())["address"]

    def start(self):
        self.file.unlink(missing_ok=True)
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", self.file)
        while not (self.file.exists() and self.file.read_text().endswith("}")):
            time.sleep(0.05)

    def start_worker(self, *arguments):
        words = ("--scheduler-file", self.file, "--no-nanny", "--nthreads", "1", "--local-directory", self.folder)
        self.workers.append(self._start("worker", *words, *arguments))
        return self.workers[-1]

    def left(self):
        """What the scheduler holds: tasks, and queues."""
        import distributed

        with distributed.Client(self.address, set_as_default=False) as client:
            return client.run_on_scheduler(
                lambda dask_scheduler: [*dask_scheduler.tasks, *dask_scheduler.extensions["queues"].queues]
            )

    def stop(self):
        """As a power cut; it can be started again."""
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()
        self.workers.clear()

    def _start(self, kind, *arguments):
        words = (sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1", "--no-dashboard")
        words = [*words, *map(str, arguments)]
        return subprocess.Popen(
            words, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )


@contextmanager
def small_dask(environment=None) -> Iterator[SmallDask]:
    """A scheduler, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="small-dask-", ignore_cleanup_errors=True) as folder:
        cluster = SmallDask(Path(folder), environment)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
