"""How a network, or its linearization, is trained; the defaults are the paper's."""

from typing import Annotated, Literal

from pydantic import Field

from linstudy.spec.base import Spec

Precision = Literal["float32", "tf32", "float64"]
Schedule = Literal["linear", "constant", "one_cycle"]


class SgdOptimizer(Spec):
    """Stochastic gradient descent with heavy-ball momentum."""

    kind: Literal["sgd"]
    learning_rate: float = Field(default=0.05, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)


class AdamOptimizer(Spec):
    """Adam with its usual decay rates (0.9, 0.999)."""

    kind: Literal["adam"]
    learning_rate: float = Field(default=1e-3, gt=0)


Optimizer = Annotated[SgdOptimizer | AdamOptimizer, Field(discriminator="kind")]


class AnchorEpoch(Spec):
    """The checkpoint that the same training, not linearized, has after some epochs."""

    epoch: Annotated[int, Field(ge=0)]


class Linearize(Spec):
    """Train the first-order model around an anchor in place of the network."""

    at: Literal["init"] | AnchorEpoch = "init"
    centred: bool = Field(default=False, description="Leave out the model's value at the anchor.")
    batch_norm: Literal["anchor", "initial"] = Field(
        default="anchor", description="Whose batch-norm statistics the linearization is frozen at."
    )


class Train(Spec):
    """The training of one run. Epoch 0 is the initialization."""

    epochs: Annotated[int, Field(ge=0)] = Field(default=100, description="0 measures without training.")
    optimizer: Optimizer = SgdOptimizer(kind="sgd")
    schedule: Schedule = Field(default="linear", description="linear: the learning rate falls to 0 over all steps.")
    batch_size: Annotated[int, Field(ge=1)] = 128
    linearize: Linearize | None = None
    precision: Precision = "float32"
