"""Programs with convolutions are compiled without YNNPACK's."""

import jax
import jax.numpy as jnp
import numpy as np

from linstudy.tangent.compilation import convolution_jit


def _convolution(images, kernel):
    return jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME")


def test_a_convolution_and_the_gradient_of_its_kernel_stay_with_eigen(getkey):
    images = jax.random.normal(getkey(), (8, 64, 16, 16))
    kernel = jax.random.normal(getkey(), (64, 64, 3, 3))

    def loss(kernel):
        return jnp.sum(_convolution(images, kernel) ** 2)

    compiled = convolution_jit()(jax.value_and_grad(loss))
    text = compiled.lower(kernel).compile().compiled.as_text()
    assert text.count(" convolution(") == 2
    assert "__ynn" not in text
    value, gradient = compiled(kernel)
    expected = jax.value_and_grad(loss)(kernel)
    np.testing.assert_allclose(value, expected[0], rtol=1e-5)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-4, atol=1e-4 * jnp.max(jnp.abs(expected[1])))


def test_donated_arguments_are_taken(getkey):
    taken = jax.random.normal(getkey(), (1, 1, 4, 4))
    kernel = jnp.ones((1, 1, 1, 1))
    result = convolution_jit("all-except-first")(lambda kernel, images: _convolution(images, kernel))(kernel, taken)
    assert taken.is_deleted()
    assert not kernel.is_deleted()
    assert result.shape == (1, 1, 4, 4)
