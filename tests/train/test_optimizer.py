import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tolerance import assert_close

from linstudy.spec.train import Optimizer, Schedule, SgdOptimizer, Train
from linstudy.train.optimizer import OPTIMIZERS, SCHEDULES, make_optimizer


def rates(schedule, steps, peak=0.5):
    return np.array([float(SCHEDULES[schedule](peak, steps)(jnp.asarray(float(step)))) for step in range(steps)])


def test_the_tables_have_every_kind_of_the_spec():
    kinds = {kind.model_fields["kind"].annotation.__args__[0] for kind in Optimizer.__origin__.__args__}
    assert set(OPTIMIZERS) == kinds
    assert set(SCHEDULES) == set(Schedule.__args__)


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_the_linear_schedule_would_reach_zero_one_step_after_the_last(steps):
    assert_close(rates("linear", steps), 0.5 * (steps - np.arange(steps)) / steps)
    assert rates("linear", steps)[-1] == pytest.approx(0.5 / steps)


def test_the_constant_schedule_is_constant():
    assert (rates("constant", 5) == 0.5).all()


@pytest.mark.usefixtures("mixed_types")
@pytest.mark.parametrize("steps", [10, 1000])
def test_one_cycle_rises_once_to_its_peak_and_falls(steps):
    values, top = rates("one_cycle", steps), 3 * steps // 10
    assert_close(values[[0, top]], np.array([0.5 / 25, 0.5]))
    assert (np.diff(values[: top + 1]) > 0).all()
    assert (np.diff(values[top:]) < 0).all()


@pytest.mark.usefixtures("mixed_types")
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_of_very_few_steps_is_positive_and_finite(steps):
    values = rates("one_cycle", steps)
    assert (values > 0).all()
    assert (values <= 0.5).all()


def test_the_momentum_is_heavy_ball_and_not_nesterov():
    train = Train(schedule="constant", optimizer=SgdOptimizer(kind="sgd", learning_rate=1.0, momentum=0.5))
    optimizer = make_optimizer(train, 10)
    state = optimizer.init(np.zeros(1))
    first, state = optimizer.update(np.ones(1), state)
    second, _ = optimizer.update(np.ones(1), state)
    assert_close(np.concatenate([first, second]), np.array([-1.0, -1.5]))
    nesterov = optax.sgd(1.0, momentum=0.5, nesterov=True)
    assert float(nesterov.update(np.ones(1), nesterov.init(np.zeros(1)))[0][0]) == -1.5


def test_equal_trainings_share_one_optimizer():
    assert make_optimizer(Train(epochs=3), 12) is make_optimizer(Train(epochs=3), 12)
    assert make_optimizer(Train(epochs=3), 12) is not make_optimizer(Train(epochs=3), 13)


def test_trainings_that_differ_in_their_learning_rate_share_one_optimizer_of_rate_one():
    slow, fast = (Train(optimizer=SgdOptimizer(kind="sgd", learning_rate=rate)) for rate in (0.1, 10.0))
    optimizer = make_optimizer(slow, 12)
    assert make_optimizer(fast, 12) is optimizer
    assert_close(optimizer.update(np.ones(1), optimizer.init(np.zeros(1)))[0], -np.ones(1))
