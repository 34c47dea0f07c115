"""Strict JAX for unit tests, and keys that are fixed unless --fresh-keys asks otherwise."""

import functools
import gc
import os
import random
import signal
import sys
import threading
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The suite compiles thousands of small programs and computes little: it takes two thirds of the time with programs that
# are compiled quickly and run slowly. `XLA_FLAGS= just test` has those of the product.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if version("jaxlib").startswith("0.10."):  # later ones end the process at a flag they no longer know
    QUICK += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
os.environ.setdefault("XLA_FLAGS", QUICK)
# Programs carry the Python lines that they come from, which takes a twentieth of the time to trace and lower them.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
# The workers are as many as the processors: with threads beside each other, small products wait more than they compute,
# and tests of the spectrum take three times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["small_study"]

FIXED_SEED = 20210614
PROGRAMS_A_CONTEXT = 500

settings.register_profile("linstudy", deadline=None)  # a machine that is busy is no failure
settings.load_profile("linstudy")


def pytest_addoption(parser):
    parser.addoption("--fresh-keys", action="store_true", help="draw new random keys; the seed is shown on failure")


def pytest_configure(config):
    fresh = config.getoption("--fresh-keys")
    config.test_seed = random.SystemRandom().randrange(2**31) if fresh else FIXED_SEED
    _listen_to_signals()
    _keep_files_in_memory()
    _keep_bytecode()
    _keep_programs(config)
    _check_leaves_quickly()
    _share_ir_contexts()
    gc.set_threshold(100_000, 50, 1000)  # a tenth of the time would go into looking for garbage that is not there


def _listen_to_signals():
    """A shell's background jobs ignore Ctrl-C, and those of `nohup` hang-ups: the processes of tests must not."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def _keep_files_in_memory(folder="/dev/shm", least_bytes=4 * 2**30):
    """Ledgers and publications are flushed to the disk again and again, which would be waited for."""
    with suppress(AttributeError, OSError):  # not Linux
        found = os.statvfs(folder)
        if found.f_bavail * found.f_frsize >= least_bytes and not found.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", folder)


def _keep_bytecode():
    """Containers ask for none; but every command that a test starts, and its workers, would compile linstudy anew."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _keep_programs(config):
    """Compiling is most of a first run's time: share programs among the processes, and keep them for the next run."""
    from linstudy.workers.programs import compilation_cache

    if config.pluginmanager.has_plugin("cacheprovider"):
        os.environ.update(compilation_cache(Path(config.cache.mkdir("linstudy"))))


def _check_leaves_quickly():
    """jaxtyping has typeguard look at each leaf of a `PyTree[X]`, a third of some tests' time; a class needs none."""
    with suppress(ImportError):
        from jaxtyping import _typeguard

        _typeguard.typechecked = functools.partial(_checked, _typeguard.typechecked)


def _checked(typechecked, function):
    """A function of one leaf; it raises a TypeError for what is no instance of its annotation."""
    [expected] = function.__annotations__.values()
    if not isinstance(expected, type):
        return typechecked(function)

    def check(leaf):
        if not isinstance(leaf, expected):
            raise TypeError(f"{type(leaf)} is no {expected}")

    return check


def _share_ir_contexts():
    """JAX makes an MLIR context a program, which is a tenth of the time of programs as small as those of tests."""
    with suppress(ImportError, AttributeError):
        from jax._src.interpreters import mlir

        mlir.make_ir_context = _sharing(mlir.make_ir_context)


def _sharing(make):
    """Contexts that the programs of a thread share; they keep all types and constants, so that new ones follow."""
    local = threading.local()

    def context():
        if getattr(local, "uses", PROGRAMS_A_CONTEXT) == PROGRAMS_A_CONTEXT:
            local.context, local.uses = make(), 0
        local.uses += 1
        return local.context

    return context


@pytest.fixture
def seed(request):
    """The integer behind every key of a test."""
    return request.config.test_seed


@pytest.fixture
def getkey(seed):
    """A function whose every call returns a new JAX key."""
    import jax

    state = {"key": jax.random.PRNGKey(seed)}

    def draw():
        state["key"], key = jax.random.split(state["key"])
        return key

    return draw


@pytest.fixture(autouse=True)
def strict_jax(request):
    """float64, no silent promotion of dtypes or ranks; tests of whole studies keep the product's settings."""
    if request.node.get_closest_marker("product_settings"):
        yield
        return
    import jax

    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture
def without_pdf(monkeypatch):
    """Figures as PNG alone, in less than half of the time."""
    from matplotlib.figure import Figure

    save = Figure.savefig

    def save_but_pdf(figure, path, **options):
        if Path(path).suffix != ".pdf":
            save(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", save_but_pdf)


@pytest.fixture
def neural_tangents():
    """The package; without it a skip that says so, and in CI a failure."""
    from linstudy.tangent import NeuralTangentsMissing, load_neural_tangents

    try:
        return load_neural_tangents()
    except NeuralTangentsMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test against neural-tangents: {missing}")
        pytest.skip(str(missing))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and item.config.getoption("--fresh-keys"):
        report.sections.append(("keys", f"drawn from seed {item.config.test_seed}"))
    return report


def pytest_sessionfinish():
    gc.freeze()  # pytest looks for garbage five times before it ends
