"""Which function family a run studies."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, JsonValue

from linstudy.spec.base import Spec

Activation = Literal["relu", "gelu"]
Width = Annotated[int, Field(ge=1)]
FACTORY = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


def _check_factory(factory: str) -> str:
    if not re.match(FACTORY, factory):
        raise ValueError(f'"{factory}" names no function. Write package.module:function')
    return factory


class FunctionFamily(Spec):
    """A family of networks.

    Attributes:
        has_infinite_width: Whether the NTK of infinitely wide networks of this family is known.
    """

    has_infinite_width: ClassVar[bool] = False


class MlpModel(FunctionFamily):
    """Flatten, dense layers, one logit."""

    has_infinite_width: ClassVar[bool] = True

    kind: Literal["mlp"]
    hidden: Annotated[tuple[Width, ...], Field(min_length=1, description="Width of every hidden layer.")] = (100, 100)
    activation: Activation = "relu"


class LenetModel(FunctionFamily):
    """LeNet: two 5×5 convolutions of 6 and 16 channels with average pooling, 120, 84, one logit."""

    has_infinite_width: ClassVar[bool] = True

    kind: Literal["lenet"]
    activation: Activation = "relu"
    widen: Width = Field(default=1, description="Multiplies the channels and units of every hidden layer.")

    @property
    def hidden(self) -> tuple[int, int, int, int]:
        """Channels of the two convolutions, and units of the two dense layers."""
        return 6 * self.widen, 16 * self.widen, 120 * self.widen, 84 * self.widen


class ResnetModel(FunctionFamily):
    """A residual network of basic blocks with batch norm."""

    kind: Literal["resnet"]
    depth: Literal[18, 34] = 18
    width: Width = Field(default=64, description="Channels of the first stage; each later stage doubles them.")
    activation: Activation = "relu"


class ImportModel(FunctionFamily):
    """A user's own Equinox module: `factory(input_shape, key, **arguments)`."""

    kind: Literal["import"]
    factory: Annotated[str, AfterValidator(_check_factory)] = Field(
        description="package.module:function", json_schema_extra={"pattern": FACTORY}
    )
    arguments: dict[str, JsonValue] = {}


Model = Annotated[MlpModel | LenetModel | ResnetModel | ImportModel, Field(discriminator="kind")]
