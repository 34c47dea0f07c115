"""The tangent kernel of a network: pure mathematics on arrays and Equinox modules, usable by itself."""

from linstudy.tangent.alignment import (
    RkhsNorm,
    alignment,
    energy_concentration,
    generalization_bound,
    matrix_free_alignment,
    rkhs_norm,
    rkhs_norm_bound,
)
from linstudy.tangent.division import Block, Division
from linstudy.tangent.features import check_scalar_output, tangent_features
from linstudy.tangent.freeze import FrozenState, freeze
from linstudy.tangent.gram import GramBlocks, GramOperator, ntk_diagonal, ntk_gram
from linstudy.tangent.infinite_width import infinite_width_gram
from linstudy.tangent.krylov import NotConverged
from linstudy.tangent.linearize import Linearized, linearize
from linstudy.tangent.nads import Nads, nads
from linstudy.tangent.neural_tangents_adapter import INSTALL_COMMAND, NeuralTangentsMissing, load_neural_tangents
from linstudy.tangent.parameters import Frozen, merge, parameter_count, split
from linstudy.tangent.spectrum import FULL_LIMIT, Spectrum, all_eigenvalues, binarize, effective_rank, spectrum
from linstudy.tangent.tiling import Finished

__all__ = [
    "FULL_LIMIT",
    "INSTALL_COMMAND",
    "Block",
    "Division",
    "Finished",
    "Frozen",
    "FrozenState",
    "GramBlocks",
    "GramOperator",
    "Linearized",
    "Nads",
    "NeuralTangentsMissing",
    "NotConverged",
    "RkhsNorm",
    "Spectrum",
    "alignment",
    "all_eigenvalues",
    "binarize",
    "check_scalar_output",
    "effective_rank",
    "energy_concentration",
    "freeze",
    "generalization_bound",
    "infinite_width_gram",
    "linearize",
    "load_neural_tangents",
    "matrix_free_alignment",
    "merge",
    "nads",
    "ntk_diagonal",
    "ntk_gram",
    "parameter_count",
    "rkhs_norm",
    "rkhs_norm_bound",
    "spectrum",
    "split",
    "tangent_features",
]
