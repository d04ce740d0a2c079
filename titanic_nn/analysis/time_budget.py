"""How many repeats and seeds fit into a time: measured on this machine, never chosen by scores.

One or two small runs are timed: on two folds, and, where there is time, on the folds of the
settings; one repeat, one net on each. A stage's seconds are taken to be a + b * work. The work of a
run is the number of rows on which its splits are fitted, which is proportional to
repeats * (folds - 1) + 1, the last for the fit on all rows; for nets it is multiplied by their
number on each split.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from titanic_nn.config import Config
from titanic_nn.errors import ConfigError
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.tables.sources import Tables

FILL = 0.8  # of the time left; the rest is for the files, and for what was measured too short
CHOSEN = ("repeats", "n_seeds")

Stages = dict[str, tuple[float, float]]  # model or other stage -> a, b


def fit_to_budget(
    tables: Tables, config: Config, seconds: float, *, free: Sequence[str] = CHOSEN
) -> tuple[Config, float]:
    """The settings with as much work as fits, and their estimated seconds.

    Those of CHOSEN that are `free` grow from 1, in the proportion that they have in `config`.

    Raises:
        ConfigError: `seconds` are too few for the smallest such run.
    """
    end = time.monotonic() + seconds
    second = replace(config, repeats=1, n_seeds=1)
    # What a process loads and compiles once is not to be measured.
    warm_up = replace(second, folds=2, inner_folds=2 if config.rivals else 0)
    _seconds(tables, warm_up, end)
    pilots = {2: _seconds(tables, replace(second, folds=2), end)}
    stages = _fitted(pilots)
    # Few nets train less efficiently than many, so the estimate is too long: a larger small run is
    # worth its time, if it leaves enough for the smallest run.
    left = FILL * (end - time.monotonic())
    smallest = {name: 1 if name in free else getattr(config, name) for name in CHOSEN}
    needed = _estimate(stages, config, 1, 1) + _estimate(stages, config, **smallest)
    if config.folds > 2 and needed <= left:
        pilots[config.folds] = _seconds(tables, second, end)
        stages = _fitted(pilots)
    left = FILL * (end - time.monotonic())

    chosen, estimate = smallest, _estimate(stages, config, **smallest)
    if estimate > left:
        raise ConfigError(
            f"the smallest run, repeats = {chosen['repeats']} and n_seeds = {chosen['n_seeds']}, "
            f"takes about {estimate:.0f} seconds, and {max(left, 0):.0f} are left for it: give "
            "more --minutes, or choose smaller settings"
        )
    while True:
        for name in sorted(free, key=lambda name: chosen[name] / getattr(config, name)):
            larger = {**chosen, name: chosen[name] + 1}
            if (longer := _estimate(stages, config, **larger)) <= left:
                chosen, estimate = larger, longer
                break
        else:
            return replace(config, repeats=chosen["repeats"], n_seeds=chosen["n_seeds"]), estimate


def _seconds(tables: Tables, config: Config, end: float) -> dict[str, float]:
    """The seconds of each stage of a run, which stops with a ConfigError when the time is over."""

    def stop_in_time(stage: str, fraction: float) -> None:
        if time.monotonic() > end:
            raise ConfigError(
                "the time is over before a small run could be timed: give more --minutes, or "
                "choose smaller settings"
            )

    return compare_models(tables, config=config, on_progress=stop_in_time).seconds


def _fitted(pilots: dict[int, dict[str, float]]) -> Stages:
    """Each stage's a and b, from the seconds of small runs by their folds, which are their work."""
    (work, first), (more_work, last) = min(pilots.items()), max(pilots.items())
    stages = {}
    for stage, seconds in last.items():
        b = seconds / more_work
        if more_work > work:
            # What starting takes is in both. Two measurements are noisy: b is half of it at least.
            b = min(b, max(b / 2, (seconds - first[stage]) / (more_work - work)))
        stages[stage] = seconds - b * more_work, b
    return stages


def _estimate(stages: Stages, config: Config, repeats: int, n_seeds: int) -> float:
    """The seconds of a run."""
    work = repeats * (config.folds - 1) + 1
    return sum(
        a + b * work * (n_seeds if stage in config.models else 1)
        for stage, (a, b) in stages.items()
    )
