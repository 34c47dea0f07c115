"""One run of an opened workspace: what it was, what it told, and what it left."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

from pydantic import ValidationError

from linstudy.facts import CHECKPOINT
from linstudy.load.findings import StoredSpectrum
from linstudy.load.holdings import Holdings
from linstudy.load.samples import Samples
from linstudy.load.sources import check_numerics, check_sources
from linstudy.plan import describe_fields
from linstudy.runs.job import Arrays, Job
from linstudy.spec.errors import LinstudyError
from linstudy.spec.run import RunSpec
from linstudy.spec.stored import read_spec, without_defaults
from linstudy.store.quoting import literal

if TYPE_CHECKING:  # imported where they are used: reading numbers takes no JAX
    from linstudy.store.query import Relation
    from linstudy.tangent import FrozenState, Linearized, Nads

_RUNS = """
SELECT
    run_id, any_value(run.kind), any_value(status), any_value(run.setting_id), coalesce(any_value(source), ''),
    coalesce(list(role) FILTER (role IS NOT NULL), []), coalesce(list(needs) FILTER (role IS NOT NULL), []),
    any_value(run.spec)::VARCHAR
FROM run JOIN runs USING (run_id) LEFT JOIN dependency USING (run_id)
WHERE run_id IN ({ids}) GROUP BY run_id ORDER BY run_id
"""


@final
@dataclass(frozen=True, eq=False, repr=False)
class RecordedRun:
    """One run, as it was published when its workspace was opened.

    Attributes:
        run_id: 16 hexadecimal digits.
        kind: `spectrum`, `nads`, `training` or `probe`.
        status: `done`, `diverged`, `failed`, `interrupted`, `running` or `planned`.
        setting_id: That of the run without its seed.
        source: What identifies the code and the files that it was made of; empty if its spec says all.
        needs: The ids of the runs that it needs, by role.
    """

    run_id: str
    kind: str
    status: str
    setting_id: str | None
    source: str
    needs: Mapping[str, str]
    _content: str
    _holdings: Holdings

    @cached_property
    def spec(self) -> RunSpec:
        """Everything that determines the run's numbers, defaults included: `run.spec.train.epochs`.

        Raises:
            LinstudyError: If another version of linstudy stored it in a form that this one does not read.
        """
        try:
            return read_spec(self._content)
        except ValidationError as error:
            raise LinstudyError(
                f"{self._name}: another version of linstudy stored its spec, and this one does not read it. "
                f"As JSON: SELECT spec FROM run WHERE run_id = '{self.run_id}'"
            ) from error

    @property
    def metrics(self) -> "Relation":
        """The run's numbers, a row each: name, label, split, epoch, step, value; NULL where one was not finite.

        `epoch` counts from 0, the initialization, and `step` counts updates. The unit of each name is in the README,
        and in the table `metric_def`.
        """
        return self._relation("name, label, split, epoch, step, value FROM metric")

    @property
    def vectors(self) -> "Relation":
        """The run's lists of numbers, such as alignments, a row each: name, label, split, epoch, value."""
        return self._relation("name, label, split, epoch, value FROM vector")

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs whose network can be had: 0, and those whose checkpoint is stored."""
        own = self._trained
        return tuple(sorted({0, *own._holdings.stored_of(own.run_id).epochs(CHECKPOINT)}))

    def data(self) -> Samples:
        """The inputs and labels that the run saw, as NumPy arrays of its precision; a probe's are its training's.

        A published data set that is neither in the data folder nor kept from before is downloaded, as by a run.

        Raises:
            LinstudyError: If data or labels are missing, or are not what was run.
        """
        from linstudy.load.networks import samples_of

        own = self._trained
        with own._explained():
            check_sources(own._holdings, own.spec, own.source, ("data", "task"))
            return samples_of(own._job, own._holdings)

    def network(self, epoch: int | None = None) -> "FrozenState":
        """The network after an epoch, an Equinox module `x -> logit`: one input of `data()`, one real logit, shape ().

        Its norms have the running statistics of that epoch, frozen, as in a probe. `jax.vmap(network)` takes many
        inputs. Of a run that trained a linearization this is the linearization with trained parameters; of a probe,
        the network of its training; of a spectrum or of NADs, the initialization. On accelerators, the products of
        the run are had inside of `jax.default_matmul_precision("highest")`.

        Args:
            epoch: One of `epochs`; the last of the training if None. Epoch 0, unless it is stored, is made again from
                the seed.

        Raises:
            LinstudyError: If the epoch is not stored, or its file damaged; if the model's code is not what was run; if
                the run is of float64, and JAX has that switched off.
        """
        from linstudy.tangent import freeze

        return freeze(*self.stateful_network(epoch))

    def stateful_network(self, epoch: int | None = None) -> tuple[Any, Any]:
        """As `network`, for training on: `model(x, state) -> (logit, state)` and its running statistics, the state.

        The state is None for a model without any, which hands it through. In training, norms take their statistics
        over a mapped axis of the name `linstudy.models.layers.BATCH_AXIS`, or of the user's own model's choice.
        """
        from linstudy.load.networks import last_epoch, network_of

        own = self._trained
        with own._explained():
            chosen = last_epoch(own._job) if epoch is None else epoch
            own._check_epoch(chosen)
            check_sources(own._holdings, own.spec, own.source, ("model",))
            check_numerics(own._holdings, own.run_id, own.spec, own.source, own.needs)
            return network_of(own._job, own._holdings, chosen)

    def linearization(self, at: int | None = None, *, centred: bool = False) -> "Linearized":
        """The first-order model f̂(x; θ) around the network of an epoch, a module `x -> logit`; θ is `.parameters`.

        Of a run that trained a linearization it is that one with its own options, at its anchor.

        Args:
            at: The epoch of the anchor, one of `epochs`; the initialization if None.
            centred: Leave out the network's value at the anchor, so that the output starts at 0.

        Raises:
            LinstudyError: As `network`; if a run that trained a linearization is asked for another one.
        """
        from linstudy.load.networks import linearization_of

        network = self.stateful_network(0 if at is None else at)
        with self._trained._explained():
            return linearization_of(network, anchored=at is not None, centred=centred)

    def spectrum(self) -> StoredSpectrum:
        """The spectrum of the run, or the one that it needs.

        Raises:
            LinstudyError: If there is none, or its file is missing or damaged.
        """
        owner = self._owner("spectrum")
        arrays = owner._artifact("spectrum")
        own = {name: arrays[name] for name in ("eigenvalues", "eigenvectors", "gaps", "residuals")}
        return StoredSpectrum(**own, load_samples=owner.data)

    def nads(self) -> "Nads":
        """The NADs of the run, or those that it needs, in float64: all d directions of inputs of d entries, flattened.

        `directions` has shape (d, d), one a row of unit norm; `singular_values`, shape (d,), decrease.

        Raises:
            LinstudyError: If there are none, or their file is missing or damaged.
        """
        from linstudy.tangent import Nads

        arrays = self._owner("nads")._artifact("nads")
        return Nads(arrays["directions"], arrays["singular_values"])

    def __repr__(self) -> str:
        return f"{self.run_id} {self.status} {describe_fields(without_defaults(json.loads(self._content)))}"

    @property
    def _name(self) -> str:
        return f"{self.kind} {self.run_id}"

    @property
    def _trained(self) -> "RecordedRun":
        """The run whose network and data this one is about: a probe's training."""
        return self._needed("training") if "training" in self.needs else self

    def _owner(self, kind: str) -> "RecordedRun":
        """The run that leaves an artifact named like its kind: this one, or the one that it needs."""
        if self.kind == kind:
            return self
        if kind in self.needs:
            return self._needed(kind)
        known = f"ws.runs(\"kind = '{kind}'\")"
        raise LinstudyError(f"{self._name}: it is no run {kind}, and needs none. Those of the workspace: {known}")

    def _needed(self, role: str) -> "RecordedRun":
        [run] = recorded_runs(self._holdings, [self.needs[role]])
        return run

    @property
    def _job(self) -> Job:
        return self._holdings.job(self.run_id, self.spec, self.needs)

    def _artifact(self, name: str) -> Arrays:
        with self._explained():
            return self._job.load("self", name)

    def _relation(self, sql: str) -> "Relation":
        return self._holdings.results.relation(f"SELECT {sql} WHERE run_id = {literal(self.run_id)} ORDER BY ALL")

    def _check_epoch(self, epoch: int) -> None:
        if epoch not in self.epochs:
            raise LinstudyError(
                f"its network after epoch {epoch} is not stored (the run is {self.status}). "
                f"Epochs that are: {', '.join(map(str, self.epochs))}. The last epoch is stored at the end, and others "
                f"that a probe of the study names, as in at: [{epoch}]. To make it: {self._job.command}"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say which run it is of which something cannot be loaded."""
        try:
            yield
        except LinstudyError as error:
            raise LinstudyError(f"{self._name}: {error}") from error


def recorded_runs(holdings: Holdings, run_ids: Collection[str]) -> list[RecordedRun]:
    """Published runs, in the order of their ids."""
    if not run_ids:
        return []
    found = holdings.results.ask(_RUNS.format(ids=", ".join(map(literal, run_ids)))).rows
    return [
        RecordedRun(run_id, kind, status, setting_id, source, dict(zip(roles, needs, strict=True)), spec, holdings)
        for run_id, kind, status, setting_id, source, roles, needs, spec in found
    ]
