"""Full decompositions of symmetric matrices by LAPACK, with the driver that is right for their size."""

import numpy as np
import scipy
from jaxtyping import Float

EVD_LIMIT = 32_766
"""Rows up to which LAPACK's `evd` is asked. Beyond, the size of its workspace, 1 + 6 n + 2 n² numbers, exceeds a 32-bit
integer, and SciPy 1.17 passes on what is left of it without an error (scipy/scipy#11080). `evr` needs 26 n numbers."""


def driver(rows: int) -> str:
    """LAPACK's driver for all eigenpairs: `evd`, the fastest, up to `EVD_LIMIT` rows, else `evr`."""
    return "evd" if rows <= EVD_LIMIT else "evr"


def eigenpairs(
    matrix: Float[np.ndarray, "rows rows"], *, lower: bool = True
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, "rows rows"]]:
    """All eigenvalues, decreasing, and their eigenvectors, one a column. Destroys `matrix` if it is in Fortran order.

    Args:
        matrix: In float64, finite.
        lower: Which triangle is read.

    Raises:
        LinAlgError: If LAPACK fails, or leaves out an eigenpair.
    """
    chosen = driver(len(matrix))
    values, vectors = scipy.linalg.eigh(matrix, lower=lower, driver=chosen, overwrite_a=True, check_finite=False)
    _check_all(values, vectors, chosen)
    return values[::-1], vectors[:, ::-1]


def eigenvalues(matrix: Float[np.ndarray, "rows rows"]) -> Float[np.ndarray, " rows"]:
    """All eigenvalues of a matrix in float64, decreasing. Destroys `matrix` if it is in Fortran order.

    The workspace of both drivers is small here; `evr` takes the same steps as `evd` does.
    """
    return scipy.linalg.eigvalsh(matrix, driver="evr", overwrite_a=True, check_finite=False)[::-1]


def _check_all(values: np.ndarray, vectors: np.ndarray, chosen: str) -> None:
    """LAPACK's `evr` counts what it found, and SciPy looks at the count only where a part was asked for."""
    found = int(np.sum(np.isfinite(values) & (np.abs(np.einsum("ij,ij->j", vectors, vectors) - 1) < 1e-8)))
    if found < len(values):
        raise scipy.linalg.LinAlgError(f"LAPACK's {chosen} found {found} of {len(values)} eigenpairs.")
