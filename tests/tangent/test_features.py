import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import assert_close

from linstudy.tangent import check_scalar_output, linearize, ntk_gram, tangent_features
from linstudy.tangent.features import full_precision


class Returns(eqx.Module):
    weight: jax.Array
    make: object = eqx.field(static=True)

    def __call__(self, x):
        return self.make(self.weight * jnp.sum(x))


def test_features_equal_the_dense_jacobian(conv, dense_jacobian, getkey):
    inputs = jax.random.normal(getkey(), (4, 2, 4, 4))
    leaves = jax.tree.leaves(tangent_features(conv, inputs))
    assert_close(jnp.concatenate([leaf.reshape(4, -1) for leaf in leaves], axis=1), dense_jacobian(conv, inputs))


def test_features_of_a_linear_model_are_its_inputs(getkey):
    inputs = jax.random.normal(getkey(), (4, 3))
    features = tangent_features(eqx.nn.Linear(3, "scalar", key=getkey()), inputs)
    assert_close(features.weight[:, 0], inputs)
    assert_close(features.bias[:, 0], jnp.ones(4))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda z: z[None], r"shape \(1,\).*jnp\.squeeze\(logits\)"),
        (lambda z: jnp.zeros(10) + z, r"shape \(10,\).*logits\[k\]"),
        (lambda z: (z, z), r"tuple of 2.*freeze\(model, state\)"),
        (lambda z: jnp.sign(z).astype(int), "dtype int.* no gradient"),
    ],
)
@pytest.mark.parametrize("use", [tangent_features, ntk_gram])
def test_other_outputs_are_rejected_with_the_fix(make, words, use):
    with pytest.raises(ValueError, match=words):
        use(Returns(jnp.asarray(1.0), make), jnp.ones((2, 3)))


def test_a_linearization_of_a_vector_output_is_rejected():
    with pytest.raises(ValueError, match=r"shape \(1,\)"):
        linearize(Returns(jnp.asarray(1.0), lambda z: z[None]))(jnp.ones(3))


def test_a_function_that_hides_its_parameters_is_rejected(mlp):
    with pytest.raises(ValueError, match=r"no parameters.*eqx\.Module"):
        check_scalar_output(lambda x: mlp(x), jnp.ones(4))


def test_float32_products_are_full_unless_the_caller_chose():
    with full_precision():
        assert jax.config.jax_default_matmul_precision == "highest"
    with jax.default_matmul_precision("tensorfloat32"), full_precision():
        assert jax.config.jax_default_matmul_precision == "tensorfloat32"


class WithComplex(eqx.Module):
    layer: eqx.nn.Linear
    phases: tuple

    def __call__(self, x):
        return jnp.real(self.phases[0] * self.layer(x))


@pytest.mark.product_settings
@pytest.mark.parametrize("compute", [check_scalar_output, ntk_gram, tangent_features])
def test_complex_parameters_are_refused_with_their_path(compute, getkey):
    model = WithComplex(eqx.nn.Linear(3, "scalar", key=getkey()), (jnp.asarray(1 + 1j),))
    inputs = jnp.ones((2, 3))
    with pytest.raises(ValueError, match=r"The parameter \.phases\[0\] is complex64.*two fields"):
        compute(model, inputs[0] if compute is check_scalar_output else inputs)


@pytest.mark.product_settings
def test_a_numpy_array_of_float64_has_the_precision_that_jax_is_set_to(getkey):
    model = eqx.tree_at(
        lambda layer: layer.weight, eqx.nn.Linear(3, "scalar", key=getkey()), np.ones((1, 3), np.float64)
    )
    inputs = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    told = []
    gram = ntk_gram(model, inputs, chose=told.append)
    assert told == ["structured"]
    assert gram.dtype == np.float32
    assert_close(gram, inputs @ inputs.T + 1)
