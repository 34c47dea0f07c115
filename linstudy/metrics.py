"""Every number a run can emit, declared once."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A kind of number: scalars land in the table `metric`, vectors in `vector`."""

    name: str
    unit: str
    shape: Literal["scalar", "vector"]
    meaning: str


LOSS = Metric("loss", "nats", "scalar", "mean binary cross-entropy of the logit")
ACCURACY = Metric(
    "accuracy", "fraction", "scalar", "samples whose logit has the label's sign; a logit of 0 counts as +1"
)
DISTANCE_L2 = Metric(
    "distance_l2", "parameters", "scalar", "‖θ − θ0‖₂ from the initialization, or from the anchor of a linearization"
)
DISTANCE_COSINE = Metric("distance_cosine", "1", "scalar", "1 − cos(θ, θ0)")
STEPS_TO_FIT = Metric(
    "steps_to_fit", "steps", "scalar", "first step whose mini-batch loss is at most 0.01; no row if there was none"
)
ALIGNMENT = Metric(
    "alignment",
    "Gram",
    "vector",
    "α(φ_j) = φ_jᵀΘφ_j of the first eigenvectors φ_j of the NTK at initialization, in order",
)
LABEL_ALIGNMENT = Metric("label_alignment", "Gram", "scalar", "α(y) = yᵀΘy / yᵀy of the task's labels")
ENERGY_CONCENTRATION = Metric(
    "energy_concentration",
    "1",
    "scalar",
    "‖Φ_K y‖₂ / ‖y‖₂ of the labels on the first K eigenvectors of the Gram at that epoch",
)
EIGENVALUES = Metric("eigenvalues", "Gram", "vector", "eigenvalues of a Gram, decreasing")
RESIDUALS = Metric("residuals", "1", "vector", "‖Θv_j − λ_j v_j‖₂ / λ_1 of each stored eigenpair")
GAPS = Metric(
    "gaps",
    "1",
    "vector",
    "distance of λ_j to its nearest neighbour, over λ_j; eigenvectors with a small gap are defined up to a rotation",
)
LABEL_GAP = Metric("label_gap", "1", "scalar", "the gap of λ_j whose eigenvector φ_j gives the labels, as in gaps")
LABEL_RESIDUAL = Metric(
    "label_residual", "1", "scalar", "the residual of the eigenpair whose eigenvector φ_j gives the labels"
)
LABEL_ROTATION = Metric(
    "label_rotation",
    "radians",
    "scalar",
    "estimate of the angle by which rounding of the Gram turned φ_j; over 0.03 the labels are not well defined",
)
TRACE = Metric("trace", "Gram", "scalar", "sum of the Gram's eigenvalues")
EIGENVALUE_MAX = Metric("eigenvalue_max", "Gram", "scalar", "the Gram's largest eigenvalue λ_1")
EFFECTIVE_RANK = Metric(
    "effective_rank", "1", "scalar", "(Σλ)² / Σλ², the participation ratio of the Gram's eigenvalues"
)
RKHS_NORM = Metric(
    "rkhs_norm",
    "1/Gram",
    "scalar",
    "yᵀΘ⁻¹y of the labels over the full spectrum above the cut-off, in float64; 0 to rounding if rkhs_remainder is 1",
)
RKHS_NORM_BOUND = Metric(
    "rkhs_norm_bound", "1/Gram", "scalar", "‖y‖² / α(y) ≤ yᵀΘ⁻¹y, the lower bound of Lemma 1; NULL if α(y) is 0"
)
RKHS_REMAINDER = Metric(
    "rkhs_remainder", "1", "scalar", "share of ‖y‖² on eigenvectors below the cut-off, left out of rkhs_norm"
)
GENERALIZATION_BOUND = Metric(
    "generalization_bound",
    "1",
    "scalar",
    "sqrt(yᵀΘ⁻¹y · mean Θ(x,x) / m): a ranking of tasks, up to an unknown constant",
)
SINGULAR_VALUES = Metric(
    "singular_values",
    "1",
    "vector",
    "σ_j of the mixed derivative ∇²_{θ,x} f, decreasing; σ_j² is the alignment of the j-th NAD",
)
NAD = Metric("nad", "1", "vector", "the NAD v_j, of length 1, its inputs flattened; label: j, of the first ten")

METRICS: dict[str, Metric] = {metric.name: metric for metric in list(globals().values()) if isinstance(metric, Metric)}
