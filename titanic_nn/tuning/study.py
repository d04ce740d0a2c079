"""One study, shared by any number of workers: which trials are run, by whom, with what result.

Trials wait in the storage until a worker takes one. They are proposed in memory, from a copy of
what is known, so that a server is asked once per batch instead of ten times per trial. No worker
knows how many others there are. Two rules keep the number of trials right nevertheless:

- Every trial counts unless it failed, and a worker keeps a trial that it took only if fewer than
  the total stand before it. So no more than the total can finish.
- The running trials of a worker that was killed fail, and wait again. So the total is reached.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from titanic_nn.errors import StudyError
from titanic_nn.tuning.objective import WORST
from titanic_nn.tuning.spaces import Space
from titanic_nn.tuning.storage import Storage, no_experimental_warning, storage_faults

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

# Makes a sampler from a random seed.
Sampler = Callable[[int], BaseSampler]


def tpe(seed: int) -> TPESampler:
    """Optuna's default sampler. `constant_liar` counts running trials as bad ones; without it the
    trials of a batch, proposed independently, would all lie close to the best one so far.
    """
    with no_experimental_warning():  # as which Optuna 4 counts `constant_liar`
        return TPESampler(seed=seed, constant_liar=True)


@dataclass(frozen=True)
class Trial:
    """A trial that this worker has taken."""

    id: int
    number: int
    params: dict[str, Any]


class SharedStudy:
    """A study in a storage.

    Args:
        name: the study's name there.
        storage: where it is kept.
        space: what is searched.
        made_of: what else all its trials must share, as JSON values: data, folds, seed.
        seed: the random seed.
        sampler: what proposes trials.

    Raises StudyError where a study of this name exists that was made of something else.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        space: Space,
        made_of: Mapping[str, Any],
        *,
        seed: int,
        sampler: Sampler = tpe,
    ) -> None:
        # Not on import, which must not change what Optuna logs for others.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.name, self.where, self.space, self.seed = name, storage.where, space, seed
        self._storage, self._workers = storage.optuna, storage.workers
        self._sampler = sampler
        self.optuna, created = self._load_or_create({"space": space.describe(), **made_of})
        with storage_faults(self.where):
            self._id = self._storage.get_study_id_from_name(name)
        # The worker that creates a study always proposes the same trials. One that joins must not
        # propose the trials of another that joins at the same moment.
        self._entropy = 0 if created else int(self._workers.name[:8], 16)

    def _load_or_create(self, made_of: dict[str, Any]) -> tuple[optuna.Study, bool]:
        """The study, and whether it is new."""
        shared: dict[str, Any] = {"study_name": self.name, "storage": self._storage}
        with storage_faults(self.where):
            try:
                study = optuna.load_study(**shared)
            except KeyError:
                try:
                    study = optuna.create_study(**shared)
                except DuplicatedStudyError:  # another worker was quicker
                    study = optuna.load_study(**shared)
                else:
                    study.set_user_attr("made_of", made_of)
                    return study, True
            _refuse_another(self.name, study.user_attrs.get("made_of", made_of), made_of)
            return study, False

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """All trials, by number; with states, those in one of them."""
        with storage_faults(self.where):
            return self.optuna.get_trials(deepcopy=False, states=states or None)

    def finished(self) -> int:
        """The number of complete and pruned trials."""
        return len(self.trials(*FINISHED))

    def best(self) -> FrozenTrial | None:
        """The complete trial with the lowest loss; the first of them."""
        complete = self.trials(TrialState.COMPLETE)
        return min(complete, key=lambda trial: (trial.value, trial.number), default=None)

    def take(self, count: int, total: int) -> list[Trial]:
        """Take up to `count` trials, as many as are missing from `total`.

        Trials of killed workers come first. Empty where other workers run all that is missing.
        """
        with storage_faults(self.where):
            self._workers.retry_stale_trials(self.optuna)
            known = self.trials()
            counted = [trial for trial in known if trial.state != TrialState.FAIL]
            waiting = sum(trial.state == TrialState.WAITING for trial in counted)
            self._propose(known, max(0, min(count - waiting, total - len(counted))))
            taken = list(self._take_waiting(count))
            numbers = [t.number for t in self.trials() if t.state != TrialState.FAIL]
            kept = [trial for trial in taken if bisect_left(numbers, trial.number) < total]
            self.fail([trial for trial in taken if trial not in kept])
            return kept

    def _propose(self, known: Sequence[FrozenTrial], count: int) -> None:
        """Add waiting trials, each of them unlike the others."""
        if not count:
            return
        entropy = [self.seed, self._entropy, len(known)]
        sampler = self._sampler(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        copy = optuna.create_study(sampler=sampler)
        with_params = (*FINISHED, TrialState.RUNNING)
        copy.add_trials([trial for trial in known if trial.state in with_params])
        space = self.space.distributions
        for _ in range(count):
            trial = create_trial(
                state=TrialState.WAITING,
                params=copy.ask(space).params,
                distributions=space,
                user_attrs={"worker": self._workers.name},
            )
            self._storage.create_new_trial(self._id, trial)

    def _take_waiting(self, count: int) -> Iterator[Trial]:
        for trial in self.trials(TrialState.WAITING)[:count]:
            id = self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)
            # The heartbeat comes first: a worker that is killed right after taking the trial would
            # otherwise never have had one, and would not be known to be dead.
            self._workers.beat([id])
            try:
                if not self._storage.set_trial_state_values(id, TrialState.RUNNING):
                    continue
                if trial.user_attrs.get("worker") != self._workers.name:
                    self._storage.set_trial_user_attr(id, "worker", self._workers.name)
            # Another worker was quicker, or this one was taken for dead before it went on.
            except UpdateFinishedTrialError:
                continue
            yield Trial(id, trial.number, trial.params)

    @contextmanager
    def running(self, trials: Sequence[Trial]) -> Iterator[None]:
        """Keep up the heartbeat of these trials; after an exception, fail those without a result,
        so that they are run again.
        """
        try:
            with self._workers.heartbeat([trial.id for trial in trials]):
                yield
        except BaseException:
            self.fail(trials)
            raise

    def tell(self, trial: Trial, losses: NDArray[np.float64], *, pruned: bool = False) -> None:
        """Record a trial's losses (splits,): all of them, or the first few of a pruned trial.

        A trial with a net that diverged is pruned: it counts as finished, its loss is recorded, and
        it is never the best. A trial that was meanwhile given to another worker is left as it is.
        """
        mean, pruned = float(np.mean(losses)), pruned or bool((losses >= WORST).any())
        with storage_faults(self.where), suppress(UpdateFinishedTrialError):
            if pruned:
                self._storage.set_trial_intermediate_value(trial.id, len(losses), mean)
                self._storage.set_trial_state_values(trial.id, TrialState.PRUNED, [mean])
            else:
                self._storage.set_trial_user_attr(trial.id, "losses", losses.tolist())
                self._storage.set_trial_state_values(trial.id, TrialState.COMPLETE, [mean])

    def fail(self, trials: Sequence[Trial]) -> None:
        """Fail those of these trials that have no result."""
        with storage_faults(self.where):
            for trial in trials:
                with suppress(UpdateFinishedTrialError):
                    self._storage.set_trial_state_values(trial.id, TrialState.FAIL)


def digest(names: Sequence[str]) -> str:
    """12 hex digits that change when any of the names does."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _refuse_another(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise StudyError with the first difference between a study and the one that exists."""
    for key in [*new, *(old.keys() - new.keys())]:
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if key == "space":
            before, now = old[key], new[key]
            key = next(name for name in sorted(before | now) if before.get(name) != now.get(name))
            before, now = before.get(key, "not searched"), now.get(key, "not searched")
        raise StudyError(
            f"study {name} exists, and its {key} is {before}, not {now}: choose another --study"
        )
