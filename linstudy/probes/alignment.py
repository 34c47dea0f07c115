"""The probe `alignment`."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from linstudy import metrics
from linstudy.facts import Number, Vector
from linstudy.probes.subject import Finding, Subject
from linstudy.spec.probe import AlignmentProbe
from linstudy.tangent import matrix_free_alignment


def measure(probe: AlignmentProbe, subject: Subject) -> Iterator[Finding]:
    """α of the first eigenvectors of the spectrum, over its samples, and of the labels, over the training samples."""
    data = subject.data
    inputs = np.concatenate([data.train_inputs, data.test_inputs])
    eigenvectors = subject.needed("spectrum")["eigenvectors"][: probe.top].astype(inputs.dtype)
    labels = np.concatenate([data.train_labels, np.zeros_like(data.test_labels)])[None]
    found = matrix_free_alignment(
        subject.model,
        inputs,
        np.concatenate([eigenvectors, labels]),
        memory_budget=subject.budget,
        progress=subject.report,
        chose=partial(subject.chose, "alignment"),
    )
    yield Vector(metrics.ALIGNMENT, np.asarray(found[:-1]))
    yield Number(metrics.LABEL_ALIGNMENT, float(found[-1]), "train")
