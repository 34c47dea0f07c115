"""The first eigenpairs of a symmetric operator: block Krylov subspaces, orthogonalised fully, with thick restarts.

A step costs one product with a block of columns, and its orthogonalisation against the basis: twice, so that rounding
does not spoil it. With K pairs asked for and blocks of b, Grams of networks take about 2.5 K + 12 b columns.

Source: Stewart, A Krylov-Schur algorithm, SIAM J. Matrix Anal. Appl. 23 (2002); Zhou and Saad, Block Krylov-Schur
method for large symmetric eigenvalue problems, Numer. Algorithms 47 (2008).
"""

import math
from collections.abc import Callable

import numpy as np
import scipy
from jaxtyping import Float

from linstudy.tangent.decomposition import eigenpairs

Apply = Callable[[Float[np.ndarray, "samples columns"]], Float[np.ndarray, "samples columns"]]
"""The product with the operator, float64 in and out."""

SHARPNESS = 3e-8
"""The residual of a pair, over |λ|, at which it counts as found. Eigenvectors of gap 1e-3 |λ| are then good to 3e-5."""

WORK_LIMIT = 50
"""Columns multiplied before giving up, over the pairs asked for and four blocks. Grams of networks take 3."""

_PROBE_COLUMNS, _PROBE_STEPS = 16, 5
_CHUNK = 4096


class NotConverged(RuntimeError):
    """The eigenpairs asked for were not found."""


def _remove(
    basis: Float[np.ndarray, "size samples"], block: Float[np.ndarray, "columns samples"]
) -> Float[np.ndarray, "size columns"]:
    """Take what lies in the span of `basis` out of `block`, in place, and give its coefficients."""
    coefficients = basis @ block.T
    block -= coefficients.T @ basis
    return coefficients


def _independent(block: Float[np.ndarray, "columns samples"], floor: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` orthonormal rows N, and F, with `block`ᵀ = Nᵀ F but for what is below `floor`."""
    columns, triangle = np.linalg.qr(block.T)
    left, sizes, right = scipy.linalg.svd(triangle)
    kept = min(most, int(np.sum(sizes > floor)))
    return (columns @ left[:, :kept]).T, sizes[:kept, None] * right[:kept]


class Subspace:
    """Orthonormal rows Q, the projection H = QΘQᵀ, and what Θ leads to beyond them: ΘQᵀ = QᵀH + NᵀC.

    When a block loses rank, since Q holds an invariant subspace, random directions fill it up.

    Attributes:
        size: The number of rows of Q.
        following: N, orthonormal and orthogonal to Q, which the next extension takes into Q.
        coupling: The columns of C of the block taken in last; the others are 0 after an extension.
    """

    def __init__(self, start: Float[np.ndarray, "columns samples"], capacity: int, generator: np.random.Generator):
        self._width, self._generator = len(start), generator
        self._rows = np.empty((capacity, start.shape[1]))
        self._projection = np.zeros((capacity, capacity))
        self.size = 0
        self.following = self._cleaned(start)[0]
        self.coupling = np.zeros((len(start), 0))

    @property
    def basis(self) -> Float[np.ndarray, "size samples"]:
        """Q."""
        return self._rows[: self.size]

    @property
    def unseen(self) -> int:
        """Dimensions outside Q."""
        return self._rows.shape[1] - self.size

    @property
    def has_room(self) -> bool:
        """Whether the following block fits."""
        return self.size + len(self.following) <= len(self._rows)

    def _cleaned(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """N, C and F with `block`ᵀ = NᵀF + QᵀC and N orthogonal to Q; `block` has rows of about unit norm."""
        inside, outside = np.zeros((self.size, len(block))), np.eye(len(block))
        while len(block):
            inside += _remove(self.basis, block) @ outside
            columns, triangle = np.linalg.qr(block.T)
            block, outside = columns.T, triangle @ outside
            # A direction that shrank by more than half has lost digits: once more. "Twice is enough" for the others.
            if scipy.linalg.svdvals(triangle)[-1] > 0.5:
                break
        return block, inside, outside

    def _filled(self, block: np.ndarray) -> np.ndarray:
        missing = max(0, min(self._width, self.unseen) - len(block))
        drawn = self._generator.standard_normal((missing, self._rows.shape[1]))
        return np.concatenate([block, drawn / np.linalg.norm(drawn, axis=1, keepdims=True)])

    def extend(self, apply: Apply) -> None:
        """Take the following block into Q, with one product."""
        old, self.size = self.size, self.size + len(self.following)
        self._rows[old : self.size] = self.following
        image = np.ascontiguousarray(apply(self.following.T).T)
        inside = _remove(self.basis, image)
        scale = max(np.max(np.abs(self._projection[:old, :old]), initial=0.0), np.max(np.abs(inside)))
        found, factor = _independent(image, 4 * np.finfo(np.float64).eps * scale, self.unseen)
        self.following, more, outside = self._cleaned(self._filled(found))
        self._projection[: self.size, old : self.size] = inside + more[:, : len(found)] @ factor
        self.coupling = outside[:, : len(found)] @ factor

    def join(self, rows: Float[np.ndarray, "more samples"]) -> None:
        """Add directions to the following block, as many as it leaves; residuals are known after an extension."""
        held = len(self.following)
        self.following = self._cleaned(np.concatenate([self.following, rows[: self.unseen - held]]))[0]

    def ritz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ritz values θ, decreasing, their vectors' coordinates in Q, one a column, and residuals ‖Θv − θv‖₂."""
        # Of H only the upper triangle is filled: the columns that a block gets when it is taken in.
        projection = self._projection[: self.size, : self.size]
        values, coordinates = eigenpairs(np.array(projection, order="F"), lower=False)
        last = coordinates[self.size - self.coupling.shape[1] :]
        return values, coordinates, np.linalg.norm(self.coupling @ last, axis=0)

    def ritz_with(self, other: "Subspace") -> tuple[np.ndarray, np.ndarray]:
        """Ritz values of Q and rows P orthogonal to it together, decreasing, and their vectors' coordinates in P.

        Args:
            other: Of P, for the operator projected to what is orthogonal to Q.
        """
        joint = np.zeros((self.size + other.size, self.size + other.size))
        joint[: self.size, : self.size] = self._projection[: self.size, : self.size]
        joint[self.size :, self.size :] = other._projection[: other.size, : other.size]
        across = (other.basis @ self.following.T @ self.coupling).T
        joint[self.size - len(across) : self.size, self.size :] = across
        values, coordinates = eigenpairs(joint, lower=False)
        return values, coordinates[self.size :]

    def vectors(self, coordinates: Float[np.ndarray, "size count"]) -> Float[np.ndarray, "count samples"]:
        """Vectors given by their coordinates in Q, one a row."""
        return coordinates.T @ self.basis

    def restart(self, values: Float[np.ndarray, " count"], coordinates: Float[np.ndarray, "size count"]) -> None:
        """Keep only these Ritz vectors as Q. A few thousand samples at a time: there is no second basis."""
        for start in range(0, self._rows.shape[1], _CHUNK):
            chunk = slice(start, start + _CHUNK)
            self._rows[: len(values), chunk] = coordinates.T @ self._rows[: self.size, chunk]
        self.coupling = np.zeros((len(self.following), 0))
        self.size = len(values)
        self._projection[: self.size, : self.size] = np.diag(values)


def _missed(
    apply: Apply, space: Subspace, values: np.ndarray, allowed: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Directions outside `space`, one a row, with which its first Ritz `values` rise by more than is `allowed`.

    A Krylov subspace holds at most as many copies of a repeated eigenvalue as its block has columns. So look at what
    the operator does outside of it, from a new random start, or everywhere there if little is left.
    """
    everywhere = space.unseen <= _PROBE_COLUMNS * _PROBE_STEPS
    columns, steps = (space.unseen, 1) if everywhere else (_PROBE_COLUMNS, _PROBE_STEPS)

    def outside(vectors: np.ndarray) -> np.ndarray:
        block = np.array(vectors.T, order="C")
        _remove(space.basis, block)
        image = np.ascontiguousarray(apply(block.T).T)
        _remove(space.basis, image)
        return image.T

    start = generator.standard_normal((columns, space.basis.shape[1]))
    _remove(space.basis, start)
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    probe = Subspace(start, columns * steps, generator)
    for _ in range(steps):
        probe.extend(outside)
    risen, coordinates = space.ritz_with(probe)
    if np.all(risen[: len(values)] <= values + 10 * allowed):
        return np.empty((0, space.basis.shape[1]))
    # What is new in the first vectors; those that were found before have less of it than their residuals.
    found, shares, _ = scipy.linalg.svd(coordinates[:, : len(values)], full_matrices=False)
    return probe.vectors(found[:, : max(1, int(np.sum(shares > 0.1)))])


def required(values: Float[np.ndarray, " count"], floor: float) -> Float[np.ndarray, " count"]:
    """The residual at which each eigenpair counts as found: relative to its own eigenvalue, down to the rounding."""
    return np.maximum(SHARPNESS * np.abs(values), floor * (np.max(np.abs(values)) or 1.0))


class _Pace:
    """When to look at the Ritz pairs again: each look costs the cube of the size."""

    def __init__(self, first: int):
        self.next, self._last = first, (0, math.inf)

    def look(self, size: int, worst: float) -> None:
        """Note the `worst` residual, over the required one, at a `size`; expect the next look to find 1."""
        before, previous = self._last
        left = math.log(max(worst, 1.0))
        ahead = math.inf if left else 0.0
        if size > before and left < previous < math.inf:
            # Convergence gets faster with the size, so that a straight line expects too much.
            ahead = 0.75 * (size - before) * left / (previous - left)
        self.next, self._last = size + int(min(ahead, size / 4)) + 1, (size, left)


def leading(
    apply: Apply,
    samples: int,
    count: int,
    *,
    floor: float,
    block: int,
    capacity: int,
    progress: Callable[[float], object] = lambda fraction: None,
) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, "count samples"]]:
    """The `count` largest eigenvalues, decreasing, and their eigenvectors, one a row.

    The start is random but fixed: the same numbers come out twice.

    Args:
        floor: What rounding leaves of a residual, over the largest |λ|.
        capacity: Vectors of the basis, at least `count` and two blocks, or `samples`.
        progress: Called before every product with a guess of the fraction done. What it raises ends the work.

    Raises:
        NotConverged: After `WORK_LIMIT` times the columns that a hopeful mind expects.
    """
    generator, capacity = np.random.default_rng(0), min(capacity, samples)
    space = Subspace(generator.standard_normal((min(block, samples), samples)), capacity, generator)
    pace, spent, expected = _Pace(max(2 * count, count + 2 * block)), 0, 2.5 * count + 12 * block
    while True:
        progress(spent / (spent + max(expected - spent, 0.05 * expected)))
        spent += len(space.following)
        space.extend(apply)
        if space.size < min(pace.next, samples) and space.has_room:
            continue
        values, coordinates, residuals = space.ritz()
        allowed = required(values[:count], floor)
        worst = float(np.max(residuals[:count] / allowed))
        missed = np.empty((0, samples))
        if worst <= 1 and space.unseen:
            missed = _missed(apply, space, values[:count], allowed, generator)
        if worst <= 1 and not len(missed):
            return values[:count], space.vectors(coordinates[:, :count])
        if spent > WORK_LIMIT * (count + 4 * block):
            found = 0 if len(missed) else int(np.sum(residuals[:count] <= allowed))
            raise NotConverged(
                f"{found} of {count} eigenpairs were found with {spent} columns multiplied, in a basis of {capacity}; "
                f"a residual is {worst:.3g} times what it may be, and {len(missed)} directions were missed. Ask for "
                "fewer eigenpairs, or give more memory for the basis."
            )
        if len(missed):
            space.join(missed[: max(0, (capacity - count) // 2 - len(space.following))])
        pace.look(space.size, worst)
        if not space.has_room:
            # Half of what the basis has beyond the pairs asked for goes to the next steps.
            kept = min(count + (capacity - count) // 2, capacity - len(space.following))
            space.restart(values[:kept], coordinates[:, :kept])
            pace.next = capacity
