"""One study, shared by any number of workers: who tries what, and what came of it.

Trials wait in the storage until a worker takes one. Proposing is done in memory, from a copy of all
that is known, so that a server is asked once a batch and not ten times a trial. No worker knows how
many others there are; two rules keep the count all the same:

- a trial is counted unless it failed, and a worker keeps one that it took only if fewer than the
  total stand before it: so no more than the total can ever finish;
- what a dead worker was at fails and waits again: so the total is reached.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from titanic_nn.errors import StudyError
from titanic_nn.tuning.spaces import Space
from titanic_nn.tuning.storage import Storage, storage_faults

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

# Makes a sampler from a seed.
Sampler = Callable[[int], BaseSampler]


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
        made_of: what else must be the same for all its trials, as JSON has it: data, folds, seed.
        seed: the number that all randomness grows from.
        sampler: says where to look next; Optuna's TPE by default.

    Raises StudyError where a study of this name is there, and was made of something else.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        space: Space,
        made_of: Mapping[str, Any],
        *,
        seed: int,
        sampler: Sampler | None = None,
    ) -> None:
        # Not on import: whoever imports us may want to read what Optuna says.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.name, self.where, self.space, self.seed = name, storage.where, space, seed
        self._storage, self._workers = storage.optuna, storage.workers
        self._sampler = sampler or tpe
        self.optuna, created = self._load_or_create({"space": space.describe(), **made_of})
        self._id = self._storage.get_study_id_from_name(name)
        # Who begins a study proposes the same trials each time. Who joins must not propose what
        # another, who joined at the same moment, proposes too.
        self._own = 0 if created else int(self._workers.name[:8], 16)

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
        """How many trials were scored, or given up as weak."""
        return len(self.trials(*FINISHED))

    def best(self) -> FrozenTrial | None:
        """The complete trial with the lowest loss; the first of them."""
        complete = self.trials(TrialState.COMPLETE)
        return min(complete, key=lambda trial: (trial.value, trial.number), default=None)

    def take(self, count: int, total: int) -> list[Trial]:
        """Take as many trials as are left to do, `count` at most, so that `total` are done.

        Trials of workers that died come first. None are left to take when others are at the rest.
        """
        with storage_faults(self.where):
            self._workers.retry_trials_of_the_dead(self.optuna)
            known = self.trials()
            counted = [trial for trial in known if trial.state != TrialState.FAIL]
            waiting = sum(trial.state == TrialState.WAITING for trial in counted)
            self._propose(known, max(0, min(count - waiting, total - len(counted))))
            taken = list(self._take_waiting(count))
            numbers = [t.number for t in self.trials() if t.state != TrialState.FAIL]
            kept = [trial for trial in taken if bisect_left(numbers, trial.number) < total]
            self.give_up([trial for trial in taken if trial not in kept])
            return kept

    def _propose(self, known: Sequence[FrozenTrial], count: int) -> None:
        """Add trials that wait to be taken, each unlike those before it."""
        if not count:
            return
        words = [self.seed, self._own, len(known)]
        sampler = self._sampler(int(np.random.SeedSequence(words).generate_state(1)[0]))
        copy = optuna.create_study(sampler=sampler)
        copy.add_trials(
            [t for t in known if t.state in (*FINISHED, TrialState.RUNNING)]  # those have params
        )
        space = dict(self.space.searched)
        for _ in range(count):
            proposed = copy.ask(space)
            trial = create_trial(
                state=TrialState.WAITING,
                params=proposed.params,
                distributions=space,
                user_attrs={"worker": self._workers.name},
            )
            self._storage.create_new_trial(self._id, trial)

    def _take_waiting(self, count: int) -> Iterator[Trial]:
        for trial in self.trials(TrialState.WAITING)[:count]:
            id = self._storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)
            # A sign of life first: were this worker killed right after taking the trial, none
            # would ever come, and nobody would know that it is dead.
            self._workers.beat([id])
            if not self._take_one(id):
                continue
            if trial.user_attrs.get("worker") != self._workers.name:
                self._storage.set_trial_user_attr(id, "worker", self._workers.name)
            yield Trial(id, trial.number, trial.params)

    def _take_one(self, id: int) -> bool:
        """Whether the trial was waiting, and is this worker's now."""
        try:
            return self._storage.set_trial_state_values(id, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False

    @contextmanager
    def at_work(self, trials: Sequence[Trial]) -> Iterator[None]:
        """While these trials are trained: others see that this worker lives; no trial is left.

        If the work is broken off, what was not told fails, and will be another's.
        """
        try:
            with self._workers.at_work([trial.id for trial in trials]):
                yield
        except BaseException:
            self.give_up(trials)
            raise

    def tell(self, trial: Trial, losses: NDArray[np.float64], *, weak: bool = False) -> None:
        """Report a trial's losses (splits,): all of them, or, of a weak trial, the first few.

        A trial that was taken for dead meanwhile, and given to another worker, is left to it.
        """
        mean = float(np.mean(losses))
        with storage_faults(self.where):
            try:
                if weak:
                    self._storage.set_trial_intermediate_value(trial.id, len(losses), mean)
                    self._storage.set_trial_state_values(trial.id, TrialState.PRUNED, [mean])
                else:
                    self._storage.set_trial_user_attr(trial.id, "losses", losses.tolist())
                    self._storage.set_trial_state_values(trial.id, TrialState.COMPLETE, [mean])
            except UpdateFinishedTrialError:
                return

    def give_up(self, trials: Sequence[Trial]) -> None:
        """Fail those of these trials that have no result."""
        with storage_faults(self.where):
            for trial in trials:
                try:
                    self._storage.set_trial_state_values(trial.id, TrialState.FAIL)
                except UpdateFinishedTrialError:
                    continue


def tpe(seed: int) -> TPESampler:
    """Optuna's default sampler. `constant_liar`: trials that are under way count as bad ones, or a
    batch, each of whose proposals knows nothing of the others, would crowd around the best so far.
    """
    return TPESampler(seed=seed, constant_liar=True)


def digest(names: Sequence[str]) -> str:
    """A short text that changes when any of the names does."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _refuse_another(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise StudyError with the first thing in which the study there differs from what is asked."""
    for key in [*new, *(old.keys() - new.keys())]:
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if key == "space":
            before, now = old[key], new[key]
            key = next(name for name in sorted(before | now) if before.get(name) != now.get(name))
            before, now = before.get(key, "not searched"), now.get(key, "not searched")
        raise StudyError(
            f"study {name} is there, and its {key} is {before}, not {now}: choose another --study"
        )
