"""How a network, or its linearization, is trained; the defaults are the paper's."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from linstudy.spec.base import Spec

Precision = Literal["float32", "tf32", "float64"]
Schedule = Literal["linear", "constant", "one_cycle"]
Space = Literal["auto", "function", "parameters"]

SMALL_GRAM = 2**32
"""Bytes of a Gram of train by train + test samples that is taken to fit any worker, before one is asked."""


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
    space: Space = Field(
        default="auto",
        description="Train through the Gram of the tangent features (SGD only) or through the network: the same "
        "trajectory. auto: the former where the optimizer is sgd and the worker's memory holds the Gram.",
    )


class Train(Spec):
    """The training of one run. Epoch 0 is the initialization."""

    epochs: Annotated[int, Field(ge=0)] = Field(default=100, description="0 measures without training.")
    optimizer: Optimizer = SgdOptimizer(kind="sgd")
    schedule: Schedule = Field(default="linear", description="linear: the learning rate falls to 0 over all steps.")
    batch_size: Annotated[int, Field(ge=1)] = 128
    linearize: Linearize | None = None
    precision: Precision = "float32"

    @property
    def anchor_epoch(self) -> int | None:
        """The epoch whose checkpoint of the network it is linearized at; None if it needs none."""
        at = None if self.linearize is None else self.linearize.at
        return at.epoch if isinstance(at, AnchorEpoch) else None

    @model_validator(mode="after")
    def _has_a_function_space(self) -> Self:
        if self.linearize is not None and self.linearize.space == "function" and not _is_sgd(self):
            raise ValueError(
                f"linearize.space: function trains by sgd alone, and the optimizer is {self.optimizer.kind}. "
                "Write optimizer: {kind: sgd}, or space: auto or parameters"
            )
        return self


def _is_sgd(train: Train) -> bool:
    return isinstance(train.optimizer, SgdOptimizer)


def in_function_space(
    train: Train, train_samples: int | None, test_samples: int | None, limit: int | None = None
) -> bool | None:
    """Whether a training goes through the Gram of its tangent features; None if that is known by its worker alone.

    Args:
        limit: Bytes of the Gram up to which the worker does so by itself.
    """
    how = train.linearize
    if how is None or how.space == "parameters" or not _is_sgd(train):
        return False
    if how.space == "function":
        return True
    if train_samples is None or test_samples is None:
        return None
    entry = 8 if train.precision == "float64" else 4
    size = (train_samples + test_samples) * train_samples * entry
    if limit is None:
        return True if size <= SMALL_GRAM else None
    return size <= limit
