"""The paper that claims and figures are of: its name, its symbols, and what its runs cost as it prints it."""

import re

ADDRESS = "https://arxiv.org/abs/2106.06770"

ABOUT = (
    "The numbered claims, and the figures and tables named in them, are those of the paper *What can linearized neural "
    "networks actually say about generalization?* (Ortiz-Jiménez, Moosavi-Dezfooli, Frossard, NeurIPS 2021, "
    f'[arXiv:2106.06770]({ADDRESS})), measured on the data that each caption names. "As printed" is a claim as '
    "near to the paper's words as a number decides it."
)

SYMBOLS = {
    r"NTK|Θ|kernel|tangent": (
        "Θ",
        "the network's empirical neural tangent kernel (NTK) on the samples, Θ(x, x') = ∇f(x)·∇f(x'), with the "
        "derivatives by the parameters",
    ),
    r"φ|eigenfunction": (
        "φ_j",
        "the j-th eigenvector of Θ at initialization, in order of decreasing eigenvalue λ_j, j from 1; training on φ_j "
        "is training on the labels sign φ_j",
    ),
    r"α|[Aa]lignment": (
        "α(y)",
        "yᵀΘy / yᵀy, the alignment of y with the kernel at some epoch; at initialization α(φ_j) = λ_j; its growth is α "
        "after training over α at initialization",
    ),
    r"Φ_K|[Ee]nergy concentration": (
        "‖Φ_K y‖ / ‖y‖",
        "the energy concentration: the share of the labels' norm on the kernel's first K eigenvectors at that epoch; K "
        "is the `top` of the probe",
    ),
    r"neighbour|nearest to it": (
        "neighbours",
        "of φ_j: the ten eigenfunctions before it and the ten after it",
    ),
    r"[Ll]ineari[sz]": (
        "linearization",
        "the first-order Taylor model of the network in its parameters, around its initialization unless said",
    ),
    r"\bNADs?\b|anisotropy": (
        "NAD",
        "neural anisotropy direction: a right singular vector of the mixed derivative ∇²_{θ,x} f at initialization, in "
        "order of decreasing singular value; a linear predictor along one, v, has the inputs x = ε·y·v + w with "
        "w ~ N(0, I − vvᵀ), where the margin ε is 1 as the paper prints it (its code takes ½) unless a row says other",
    ),
    r"RKHS|Θ⁻¹|\bbound": (
        "yᵀΘ⁻¹y",
        "the squared RKHS norm of the labels y, the least that a function of the kernel needs to fit them; ‖y‖² / α(y) "
        "is its lower bound of Lemma 1",
    ),
    r"Kendall": (
        "Kendall's τ",
        "the rank correlation of two quantities: 1 where both have one order, −1 where one has the other's in reverse",
    ),
}
"""For each symbol the words that need it explained, its form, and what it means."""

COSTS = {
    ("training", "mlp"): "5 min a run, one V100",
    ("training", "lenet"): "5 min (MLP) to 40 min (ResNet18) a run, one V100",
    ("training", "resnet"): "40 min a run, one V100 (ResNet18)",
    ("spectrum", "mlp"): "3 min, the Gram of 60,000 samples",
    ("spectrum", "lenet"): "20 min, the Gram of 60,000 samples",
    ("spectrum", "resnet"): "32 h on four V100, the Gram of 60,000 samples (ResNet18)",
}
"""What the paper prints for a kind of run and a model."""


def symbols_in(text: str) -> list[tuple[str, str]]:
    """The symbols that a text needs, each with what it means."""
    return [symbol for words, symbol in SYMBOLS.items() if re.search(words, text)]
