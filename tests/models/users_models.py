"""What a user may bring: each class is an answer to one clause of the contract, or a breach of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


def body(shape, key, width=6):
    first, second = jax.random.split(key)
    layers = [
        eqx.nn.Lambda(jnp.ravel),
        eqx.nn.Linear(int(np.prod(shape)), width, key=first),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.Linear(width, "scalar", key=second),
    ]
    return eqx.nn.Sequential(layers)


class Scaled(eqx.Module):
    """A body times a scale of any kind."""

    body: eqx.nn.Sequential
    scale: object

    def __call__(self, x):
        return jnp.real(self.scale * self.body(x))


def complex_scale(shape, key):
    return Scaled(body(shape, key), jnp.array(1.0 + 0.5j))


def numpy_scale(shape, key, dtype="float64"):
    return Scaled(body(shape, key), np.full((), 2.0, dtype))


def numpy_number(shape, key):
    return Scaled(body(shape, key), np.float64(2.0))


def two_logits(shape, key):
    return Scaled(body(shape, key), jnp.ones(2))


class Dropping(eqx.Module):
    """Dropout of the input; the key has a default, as Equinox's layers have it."""

    dropout: eqx.nn.Dropout
    body: eqx.nn.Sequential

    def __call__(self, x, *, key=None):
        return self.body(self.dropout(x, key=key))


class Insisting(Dropping):
    """Takes no call without a key, and splits it."""

    def __call__(self, x, key):
        first, _ = jax.random.split(key)
        return self.body(self.dropout(x, key=first))


class Keyless(Dropping):
    def __call__(self, x):
        return self.body(self.dropout(x))


class Forgetful(Dropping):
    def __call__(self, x, *, key=None):
        return self.body(self.dropout(x))


def dropping(shape, key, rate=0.5):
    return Dropping(eqx.nn.Dropout(rate), body(shape, key))


def insisting(shape, key):
    return Insisting(eqx.nn.Dropout(0.5), body(shape, key))


def keyless(shape, key, rate=0.5):
    return Keyless(eqx.nn.Dropout(rate), body(shape, key))


def forgetful(shape, key):
    return Forgetful(eqx.nn.Dropout(0.5), body(shape, key))


def sequence(shape, key):
    return eqx.nn.Sequential([eqx.nn.Dropout(0.5), *body(shape, key).layers])


class Normed(eqx.Module):
    """Two norms of Equinox's, and its dropout."""

    norms: tuple[eqx.nn.BatchNorm, ...]
    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear

    def __init__(self, shape, names, mode, key):
        self.norms = tuple(eqx.nn.BatchNorm(shape[0], axis_name=name, mode=mode) for name in names)
        self.dropout = eqx.nn.Dropout(0.5)
        self.last = eqx.nn.Linear(int(np.prod(shape)), "scalar", key=key)

    def __call__(self, x, state, *, key=None):
        for norm in self.norms:
            x, state = norm(x, state)
        return self.last(self.dropout(jnp.ravel(x), key=key)), state


def normed(shape, key, names=("samples", "samples"), mode="batch"):
    return eqx.nn.make_with_state(Normed)(shape, tuple(names), mode, key)


class OverTokens(eqx.Module):
    """A norm over samples and over an axis of the model's own."""

    norm: eqx.nn.BatchNorm
    last: eqx.nn.Linear

    def __init__(self, shape, key):
        self.norm = eqx.nn.BatchNorm(shape[0], axis_name=("tokens", "samples"), mode="batch")
        self.last = eqx.nn.Linear(shape[0], "scalar", key=key)

    def __call__(self, x, state):
        norm = jax.vmap(self.norm, (1, None), (1, None), axis_name="tokens")
        x, state = norm(x.reshape(len(x), -1), state)
        return self.last(jnp.mean(jnp.tanh(x), axis=1)), state


def over_tokens(shape, key):
    return eqx.nn.make_with_state(OverTokens)(shape, key)


class OverNothing(eqx.Module):
    """Names an axis that nobody has, or a variable."""

    body: eqx.nn.Sequential
    typo: bool
    inference: bool = False

    def __call__(self, x):
        if self.inference:
            return self.body(x)
        return undefined_name if self.typo else jax.lax.pmean(self.body(x), "nobodys")  # noqa: F821 the typo


def over_nothing(shape, key, typo=False):
    return OverNothing(body(shape, key), typo)


class Twice(eqx.Module):
    """Holds one layer in two fields, or one array, or two layers, or two that are tied."""

    parts: tuple
    shared: object = None

    def __call__(self, x):
        start, first, second = self.parts if self.shared is None else self.shared()
        return jnp.sum(second(jax.nn.relu(first(start(jnp.ravel(x))))))


def twice(shape, key, how="layer"):
    first, second, third = jax.random.split(key, 3)
    start = eqx.nn.Linear(int(np.prod(shape)), 4, key=first)
    one, other = eqx.nn.Linear(4, 4, key=second), eqx.nn.Linear(4, 4, key=third)
    if how == "layer":
        return Twice((start, one, one))
    if how == "array":
        return Twice((start, one, eqx.tree_at(lambda layer: layer.weight, other, one.weight)))
    if how == "tied":
        tied = eqx.nn.Shared((start, one, other), lambda three: three[2].weight, lambda three: three[1].weight)
        return Twice((), tied)
    return Twice((start, one, other))


class WithBackbone(eqx.Module):
    """A frozen layer, and a head that is trained."""

    backbone: object
    head: eqx.nn.Linear

    def __call__(self, x):
        return self.head(jnp.tanh(self.backbone.value(jnp.ravel(x))))


def with_backbone(shape, key):
    from linstudy.tangent import Frozen

    first, second = jax.random.split(key)
    return WithBackbone(
        Frozen(eqx.nn.Linear(int(np.prod(shape)), 5, key=first)), eqx.nn.Linear(5, "scalar", key=second)
    )
