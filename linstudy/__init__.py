"""Studies of neural networks and their linearizations."""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linstudy.load import OpenWorkspace

__version__ = "0.1.0"


def open(
    path: "str | PathLike[str]" = ".",
    *,
    data: "str | PathLike[str] | None" = None,
    study_folder: "str | PathLike[str]" = ".",
    accept_changes: bool = False,
) -> "OpenWorkspace":
    """Open a workspace to read from it, also while a study runs there. Nothing is written, and nothing unpickled.

        import linstudy

        ws = linstudy.open("results")
        ws.sql("FROM final JOIN runs USING (run_id, status)").df()
        run = ws.run("8eca")
        network, data = run.network(), run.data()

    Stored arrays are checked against their hashes, the data against their fingerprints, and a user's model, labels and
    data files against what was run.

    Args:
        path: The folder of the workspace.
        data: The data folder, as `--data`; LINSTUDY_DATA if None.
        study_folder: Where the study file lay: the paths of data, labels and factories begin there.
        accept_changes: Take code and data as they are now where they are not what was run, with a warning. Damaged
            arrays are refused all the same.

    Raises:
        linstudy.spec.errors.LinstudyError: If there is no workspace, or another version of linstudy published it.
    """
    import os

    from linstudy.load import OpenWorkspace

    return OpenWorkspace.open(path, data or os.environ.get("LINSTUDY_DATA") or None, study_folder, accept_changes)
