import importlib.util
import json
import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.tangent import NeuralTangentsMissing, linearize, load_neural_tangents, ntk_gram, split
from linstudy.tangent.neural_tangents_adapter import lenient_promotion


def batched(model):
    """A model as neural-tangents takes it: `apply(parameters, inputs)` with outputs "samples 1".

    Its parameters are a tuple, since AUTO hashes their structure.
    """
    parameters, static = split(model)
    leaves, structure = jax.tree.flatten(parameters)
    return tuple(leaves), lambda theta, xs: jax.vmap(eqx.combine(jax.tree.unflatten(structure, theta), static))(xs)[
        :, None
    ]


@pytest.mark.parametrize(
    "implementation", ["JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS", "STRUCTURED_DERIVATIVES", "AUTO"]
)
@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_gram_equals_neural_tangents(neural_tangents, request, getkey, implementation, name):
    model = request.getfixturevalue(name)
    shape = (4,) if name == "mlp" else (2, 4, 4)
    inputs = jax.random.normal(getkey(), (7, *shape))
    parameters, apply = batched(model)
    kernel = neural_tangents.empirical_ntk_fn(
        apply, implementation=neural_tangents.NtkImplementation[implementation], vmap_axes=0
    )
    with lenient_promotion():
        theirs = jax.jit(lambda inputs, parameters: kernel(inputs, None, parameters))(inputs, parameters)
    assert_close(ntk_gram(model, inputs, tile=2), theirs)
    assert_close(ntk_gram(model, inputs[:5], inputs[4:], tile=2), theirs[:5, 4:])


def test_linearize_equals_neural_tangents(neural_tangents, conv, getkey):
    inputs = jax.random.normal(getkey(), (5, 2, 4, 4))
    parameters, apply = batched(conv)
    theirs = neural_tangents.linearize(apply, parameters)
    moved = tuple(leaf + jax.random.normal(getkey(), leaf.shape) for leaf in parameters)
    linear = linearize(conv)
    structure = jax.tree.structure(linear.parameters)
    ours = eqx.tree_at(lambda node: node.parameters, linear, jax.tree.unflatten(structure, moved))
    assert_close(jax.vmap(ours)(inputs), theirs(moved, inputs)[:, 0])


ISOLATION = """
import json, sys
import jax, jax.core, jax.extend.core, jax.example_libraries.stax, jax.experimental.ode
from jax.interpreters import ad
watched = {"jax": jax, "jax.core": jax.core, "ad": ad}
before = {name: dict(vars(module)) for name, module in watched.items()}
from linstudy.tangent import load_neural_tangents
lazy = "neural_tangents" not in sys.modules
changed = lambda: {
    name: sorted(k for k in {*before[name], *vars(m)} if before[name].get(k) is not vars(m).get(k))
    for name, m in watched.items()
}
after_us = changed()
load_neural_tangents()
print(json.dumps({
    "lazy": lazy, "us": after_us, "nt": changed(), "jax.util": "jax.util" in sys.modules,
    "stand_in": "neural_tangents.experimental" in sys.modules, "tensorflow": "tensorflow" in sys.modules,
}))
"""


def test_jax_is_as_it_was_after_the_import(neural_tangents):
    ran = subprocess.run([sys.executable, "-c", ISOLATION], capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout)
    assert found["nt"] == found["us"]
    assert found["nt"]["jax.core"] == found["nt"]["ad"] == []
    assert not found["jax.util"]
    assert not found["stand_in"]
    assert not found["tensorflow"]
    assert found["lazy"]


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    load_neural_tangents.cache_clear()
    with pytest.raises(NeuralTangentsMissing, match="pip install --no-deps neural-tangents==0.6.5"):
        load_neural_tangents()
    load_neural_tangents.cache_clear()


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), (None, pytest.skip.Exception)])
def test_a_missing_package_is_skipped_by_name_but_fails_in_ci(monkeypatch, request, ci, outcome):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(os.environ, "CI", ci) if ci else monkeypatch.delenv("CI", raising=False)
    load_neural_tangents.cache_clear()
    with pytest.raises(outcome, match="neural-tangents is not installed"):
        request.getfixturevalue("neural_tangents")
    load_neural_tangents.cache_clear()


def test_the_oracle_can_disagree(neural_tangents, mlp, getkey):
    inputs = jax.random.normal(getkey(), (5, 4))
    parameters, apply = batched(mlp)
    kernel = neural_tangents.empirical_ntk_fn(apply, vmap_axes=0)
    with lenient_promotion():
        theirs = np.asarray(kernel(inputs, None, jax.tree.map(lambda leaf: 1.1 * leaf, parameters)))
    assert np.max(np.abs(theirs - ntk_gram(mlp, inputs))) > 1e-2
    assert jnp.isfinite(theirs).all()
