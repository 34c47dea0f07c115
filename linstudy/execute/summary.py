"""How an execution ended."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Runs that were done before, done now, diverged, failed, blocked, and whether it was interrupted."""

    total: int
    already: int
    done: int
    diverged: int
    failed: int
    blocked: int
    interrupted: bool

    def __str__(self) -> str:
        counts = {
            "done before": self.already,
            "done now": self.done,
            "diverged": self.diverged,
            "failed": self.failed,
            "blocked by these": self.blocked,
        }
        parts = [f"{count} {name}" for name, count in counts.items() if count]
        parts += ["interrupted"] * self.interrupted
        return f"{self.total} {'run' if self.total == 1 else 'runs'}: {', '.join(parts) or 'nothing to do'}."
