"""How fast are hyper-parameters searched, and how well? `make bench-tune`.

Ours has 53.5 trials/s, 33.7 times (23.0 to 35.5) Optuna over a PyTorch loop, 16.4 times (13.8 to
18.9) Optuna over MLPClassifier: 2 cores of an AMD EPYC, n = 5 repetitions of 200 trials.

    python -m benchmarks.tuning             speed: our search against Optuna over two plain loops
    python -m benchmarks.tuning sampler     the sampler's fraction of the time, as a study grows
    python -m benchmarks.tuning batches     searches that propose 1, 10 and 40 trials at a time
    python -m benchmarks.tuning pruning     searches that prune trials in different ways

All on Titanic's bundled table, 5 folds, with the relu net's search space.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import wilcoxon
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.engine import machine, write_results
from titanic_nn.competitions.registry import load_config
from titanic_nn.evaluation.experiment import Experiment, no_progress
from titanic_nn.nets.config import ReLUConfig
from titanic_nn.nets.optimizers import SCHEDULES
from titanic_nn.tuning.objective import Objective
from titanic_nn.tuning.search import Pruner, Schedule, by_repeats, no_pruning, search, worse_half
from titanic_nn.tuning.spaces import load_space
from titanic_nn.tuning.storage import in_memory
from titanic_nn.tuning.study import SharedStudy, tpe

BUNDLED = Path(__file__).parents[1] / "data" / "bundled"
FOLDS = 5
SPACE = load_space("relu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("what", nargs="?", choices=list(WORKS), default="speed")
    add("--trials", type=int, default=200, help="of each of our searches (%(default)s)")
    add("--plain", type=int, default=10, help="trials that time a plain loop (%(default)s)")
    add("--repetitions", type=int, default=5, help="how often ways alternate (%(default)s)")
    add("--searches", type=int, default=10, help="of each kind, with a seed each (%(default)s)")
    args = parser.parse_args()
    found = WORKS[args.what](args)
    print(found.to_string(index=False))
    results: dict[str, Any] = {"machine": machine(torch.device("cpu")), "options": vars(args)}
    results["rows"] = found.to_dict(orient="records")
    path = write_results(f"tuning-{args.what}", results)
    print(f"\nWritten: {path}")


def objective_of(repeats: int) -> Objective:
    config = load_config(folds=FOLDS, repeats=repeats, n_seeds=1, seed=0, device="cpu")
    experiment = Experiment.start(BUNDLED, config, {}, no_progress)
    return Objective(experiment, experiment.folds)


def new_study(seed: int) -> SharedStudy:
    return SharedStudy("benchmark", in_memory(), SPACE, {}, seed=seed)


# Speed ------------------------------------------------------------------------------------------


def ours(objective: Objective, trials: int, seed: int) -> list[dict[str, Any]]:
    """Forty trials at a time, each on all folds as in the plain ways. Returns their parameters."""
    study = new_study(seed)
    search(objective, study, trials, Schedule([FOLDS], no_pruning), batch=40)
    return [trial.params for trial in study.trials()]


def plainly(
    loss: Callable[[Objective, ReLUConfig, int], float],
    objective: Objective,
    proposed: Sequence[dict[str, Any]],
) -> None:
    """Optuna as in its tutorials: one trial after the other, fold after fold.

    The trials are given, so that all ways train nets of the same sizes and epochs.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=tpe(0))
    for params in proposed:
        study.enqueue_trial(params)
        trial = study.ask(SPACE.distributions)
        config = SPACE.config(trial.params)
        assert isinstance(config, ReLUConfig)
        study.tell(trial, float(np.mean([loss(objective, config, f) for f in range(FOLDS)])))


def pytorch_loss(objective: Objective, config: ReLUConfig, fold: int) -> float:
    """nn.Sequential and torch.optim.AdamW on one fold."""
    split = objective.splits[fold]
    x = torch.from_numpy(objective.x[fold])
    y = torch.tensor(objective.y, dtype=torch.float32)
    train = torch.from_numpy(split.train)
    net = nn.Sequential(
        nn.Linear(x.shape[1], config.hidden_size), nn.ReLU(), nn.Linear(config.hidden_size, 1)
    )
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    batches = -(-len(train) // int(config.batch_size))
    steps, factor = batches * config.epochs, SCHEDULES[config.schedule]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, steps))
    for _ in range(config.epochs):
        for rows in train[torch.randperm(len(train))].tensor_split(batches):
            optimizer.zero_grad()
            loss = binary_cross_entropy_with_logits(net(x[rows]).squeeze(-1), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        probability = net(x[split.held_out]).squeeze(-1).double().sigmoid().numpy()
    return float(log_loss(objective.y[split.held_out], probability))


def scikit_learn_loss(objective: Objective, config: ReLUConfig, fold: int) -> float:
    """MLPClassifier under cross_val_score on one fold. It has neither decoupled weight decay nor a
    schedule: Adam with an L2 penalty at a constant rate comes closest.
    """
    split = objective.splits[fold]
    net = MLPClassifier(
        hidden_layer_sizes=(config.hidden_size,),
        batch_size=int(config.batch_size),
        learning_rate_init=config.learning_rate,
        alpha=config.weight_decay,
        max_iter=config.epochs,
        n_iter_no_change=config.epochs,
        random_state=fold,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is intended
        scores = cross_val_score(
            net,
            objective.x[fold][: len(objective.y)],
            objective.y,
            cv=[(split.train, split.held_out)],
            scoring="neg_log_loss",
        )
    return float(-scores[0])


PLAIN = {
    "Optuna and a PyTorch loop": pytorch_loss,
    "Optuna and MLPClassifier": scikit_learn_loss,
}


def speed(args: argparse.Namespace) -> pd.DataFrame:
    """Trials per second of each way, alternating, after one round to warm up.

    The plain ways are timed on some of our search's trials, evenly spaced from first to last.
    """
    objective = objective_of(repeats=1)
    rates: dict[str, list[float]] = {way: [] for way in ("ours", *PLAIN)}
    for repetition in range(args.repetitions + 1):
        start = time.perf_counter()
        tried = ours(objective, args.trials, repetition)
        seconds = {"ours": (time.perf_counter() - start) / args.trials}
        some = [tried[i] for i in np.linspace(0, len(tried) - 1, args.plain).round().astype(int)]
        for way, loss in PLAIN.items():
            start = time.perf_counter()
            plainly(loss, objective, some)
            seconds[way] = (time.perf_counter() - start) / args.plain
        if repetition:
            for way, of_trial in seconds.items():
                rates[way].append(1 / of_trial)
    rows = []
    for way, of_way in rates.items():
        ratios = np.divide(rates["ours"], of_way)
        rows.append(
            {
                "way": way,
                "trials/s": round(float(np.median(of_way)), 2),
                "ours / this": round(float(np.median(ratios)), 1),
                "from": round(float(min(ratios)), 1),
                "to": round(float(max(ratios)), 1),
            }
        )
    return pd.DataFrame(rows)


def sampler(args: argparse.Namespace) -> pd.DataFrame:
    """Seconds that proposing takes, and its fraction of the total, up to 1,000 trials."""
    objective, study = objective_of(repeats=1), new_study(0)
    proposing = 0.0
    take = study.take

    def timed(count: int, total: int) -> Any:
        nonlocal proposing
        start = time.perf_counter()
        taken = take(count, total)
        proposing += time.perf_counter() - start
        return taken

    study.take = timed  # type: ignore[method-assign]
    rows, start = [], time.perf_counter()
    for total in (200, 400, 600, 800, 1000):
        search(objective, study, total, Schedule([FOLDS], no_pruning), batch=40)
        seconds = time.perf_counter() - start
        rows.append(
            {"trials": total, "seconds": round(seconds, 1), "proposing": round(proposing, 1)}
            | {"fraction": round(proposing / seconds, 3)}
        )
    return pd.DataFrame(rows)


# Quality ----------------------------------------------------------------------------------------


def batches(args: argparse.Namespace) -> pd.DataFrame:
    """The best loss of searches with equally many trials, by the number proposed at a time."""
    objective = objective_of(repeats=1)
    rows = []
    for batch in (1, 10, 40):
        best, start = [], time.perf_counter()
        for seed in range(args.searches):
            study = new_study(seed)
            search(objective, study, args.trials, Schedule([FOLDS], no_pruning), batch=batch)
            best.append(best_of(study))
        rows.append({"batch": batch} | spread(best, time.perf_counter() - start))
    return pd.DataFrame(rows)


def pruning(args: argparse.Namespace) -> pd.DataFrame:
    """The best loss over all of 5 x 3 folds, and the time, by the way that trials are pruned."""
    objective = objective_of(repeats=3)
    ways: dict[str, Pruner] = {
        "none": no_pruning,
        "the worse half": worse_half,
        "Wilcoxon, p < 0.1": worse_than_the_best,
    }
    rows = []
    for way, pruner in ways.items():
        best, start = [], time.perf_counter()
        for seed in range(args.searches):
            study = new_study(seed)
            search(objective, study, args.trials, Schedule(by_repeats(FOLDS, 3), pruner), batch=40)
            best.append(best_of(study))
        rows.append({"way": way} | spread(best, time.perf_counter() - start))
    return pd.DataFrame(rows)


def worse_than_the_best(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Prune what is significantly worse than the batch's best (paired Wilcoxon test)."""
    best = losses[losses.mean(1).argmin()]
    return np.array(
        [
            bool((of_trial != best).any())
            and float(wilcoxon(of_trial, best, alternative="greater").pvalue) < 0.1
            for of_trial in losses
        ]
    )


def best_of(study: SharedStudy) -> float:
    best = study.best()
    assert best is not None
    assert best.value is not None
    return best.value


def spread(best: Sequence[float], seconds: float) -> dict[str, Any]:
    return {
        "best, mean": round(float(np.mean(best)), 5),
        "sd over seeds": round(float(np.std(best, ddof=1)), 5) if len(best) > 1 else None,
        "worst": round(max(best), 5),
        "seconds a search": round(seconds / len(best), 1),
    }


WORKS: dict[str, Callable[[argparse.Namespace], pd.DataFrame]] = {
    "speed": speed,
    "sampler": sampler,
    "batches": batches,
    "pruning": pruning,
}


if __name__ == "__main__":
    main()
