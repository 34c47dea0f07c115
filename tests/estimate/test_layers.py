"""The layers of networks against the networks themselves, and operations counted by hand."""

import jax
import pytest
from pydantic import TypeAdapter

from linstudy.estimate.layers import Layer, network
from linstudy.models.network import make_network
from linstudy.spec.model import LenetModel, MlpModel, Model
from linstudy.tangent import freeze
from linstudy.tangent.capture import call_shapes, layers
from linstudy.tangent.factors import Extent, numbers_held, structure_of
from linstudy.tangent.parameters import parameter_count

MODEL = TypeAdapter(Model)
CIFAR = (3, 32, 32)
MODELS = [
    ({"kind": "mlp"}, CIFAR),
    ({"kind": "mlp", "hidden": [7]}, (5,)),
    ({"kind": "lenet"}, CIFAR),
    ({"kind": "lenet"}, (1, 9, 14)),
    ({"kind": "resnet", "width": 4}, (1, 8, 8)),
    ({"kind": "resnet", "width": 2, "depth": 34}, (3, 9, 11)),
]


def real(spec, shape):
    """The network of a spec, as a function of one sample."""
    return freeze(*make_network(spec, shape, seed=0))


@pytest.mark.parametrize(("spec", "shape"), MODELS)
def test_layers_are_those_of_the_network(spec, shape):
    spec = MODEL.validate_python(spec, strict=False)
    model, counted = real(spec, shape), network(spec, shape)
    sample = jax.numpy.zeros(shape)
    shapes, found = call_shapes(model, sample), layers(model)
    extents = [Extent.of(found[index], seen.output.shape) for index, seen in shapes.items()]
    assert counted.parameters == parameter_count(model)
    assert sorted((layer.positions, layer.inputs, layer.outputs) for layer in counted.layers) == sorted(
        (extent.positions, extent.inputs, extent.outputs) for extent in extents
    )
    for samples in (20, 5000):
        structure = structure_of(model, shapes, samples)
        others = parameter_count(model) - structure.captured_parameters(model)
        assert counted.pair(samples)[1] == numbers_held(model, structure, others)


def test_operations_counted_by_hand():
    mlp, lenet = network(MlpModel(kind="mlp"), CIFAR), network(LenetModel(kind="lenet"), CIFAR)
    # two dot products a dense layer: 3,072 inputs and a 1 for the bias, and 100 outputs; of the last one its gradient
    assert mlp.pair(10_000)[0] == (3073 + 100) + (101 + 100) + 101 == 3475
    # kernel gradients of both convolutions, of 75 inputs and the bias with 6 outputs, and of 150 with 16
    assert lenet.pair(10_000)[0] == 76 * 6 + 151 * 16 + (1025 + 120) + (121 + 84) + 85 == 4307
    assert mlp.parameters == mlp.forward == 3073 * 100 + 101 * 100 + 101
    assert lenet.forward == 32 * 32 * 76 * 6 + 16 * 16 * 151 * 16 + 1025 * 120 + 121 * 84 + 85


def test_few_positions_are_multiplied_and_many_are_summed():
    assert Layer(positions=2, inputs=10, outputs=10).pair(1000) == (4 * 20, 2 * 20)
    assert Layer(positions=3, inputs=10, outputs=10).pair(1000) == (100, 100)


def test_what_is_not_known_is_none():
    made = MODEL.validate_python({"kind": "import", "factory": "a:b"})
    assert network(made, CIFAR) is None
    assert network(LenetModel(kind="lenet"), (8,)) is None
