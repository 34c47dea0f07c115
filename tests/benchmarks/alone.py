"""What is measured in a process of its own, whose peak memory is then that of the measured work."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

KIBIBYTES = 1 if sys.platform == "darwin" else 1024


def measured_alone(script: str, *arguments: str) -> Any:
    """The JSON that a script of this folder prints."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    # this process holds most of an accelerator's memory already
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def peak() -> int:
    """The largest resident set of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTES


class Tenths:
    """Progress that says every tenth that is done."""

    def __init__(self) -> None:
        self._tenths = 0

    def __call__(self, fraction: float) -> None:
        if int(fraction * 10) > self._tenths:
            self._tenths = int(fraction * 10)
            print(f"{self._tenths}/10", file=sys.stderr, flush=True)
