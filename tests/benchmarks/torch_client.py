"""The peers that need torch, in a process of another environment; see `torch_peers.py`."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from measure import Candidate

MISSING, ON_CPUS = "no torch environment (--torch)", "they are measured on CPUs"


class TorchError(RuntimeError):
    """A torch peer could not do what it was asked for."""


class TorchServer:
    """Asks `torch_peers.py`; a process that has died is started anew at the next question."""

    def __init__(self, python: str):
        self._python = python
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            TorchError: If there is none.
        """
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise TorchError(f"the torch process ended with status {process.wait()}: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise TorchError(answer["error"])
        return answer

    def candidate(self, name: str, **request: Any) -> Candidate:
        """The median seconds of a task, as something to be timed beside others."""
        return Candidate(name, lambda times: self.ask(**request, repeats=times)["seconds"])

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            command = [self._python, str(Path(__file__).with_name("torch_peers.py"))]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log, text=True)
        return self._process

    def _last_words(self) -> str:
        self._log.seek(0)
        return (self._log.read().strip().splitlines() or ["it said nothing"])[-1]
