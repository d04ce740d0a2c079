"""Our nets against the libraries one would otherwise pick. `make bench-rivals`.

On Titanic's bundled table no rival has a lower log loss than any of our nets: linear 0.4002, deep
0.4037, relu 0.4041; CatBoost 0.4087, LightGBM 0.4099, XGBoost 0.4119. (Logistic regression has
0.3995, the ensemble of nets 0.4020, the one with rivals 0.4005.) n = 3 times 10 folds. Seconds on 2
busy cores of an AMD EPYC: our nets 4 to 7 each, LightGBM 11, XGBoost 28, CatBoost 110.

A competition's default run with `--rivals` and `--ensemble-rivals`: all models on the same folds.
Seconds are those of all of a model's fits: on the folds, on their inner folds, and on all rows.
"""

import argparse
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.engine import machine, write_results
from titanic_nn import compare_models
from titanic_nn.competitions.registry import get_competition, load_config
from titanic_nn.config import RIVALS, Config

SHOWN = ["accuracy", "log_loss", "roc_auc", "seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--competition", default=Config.competition)
    add(
        "--data", type=Path, help="folder with train.csv and test.csv; the bundled table by default"
    )
    add("--folds", type=int, default=Config.folds)
    add("--repeats", type=int, default=Config.repeats)
    add("--models", nargs="+", help="nets; by default those of the competition")
    args = parser.parse_args()
    config = load_config(
        competition=args.competition,
        folds=args.folds,
        repeats=args.repeats,
        models=args.models,
        rivals=RIVALS,
        ensemble_rivals=True,
        history_points=1,
    )
    competition = get_competition(config.competition)
    bundled = args.data is None and config.competition == Config.competition
    tables = competition.load(args.data, bundled=bundled or None)
    run = compare_models(tables, config=config)
    table = run.summary[SHOWN].sort_values("log_loss").round(5)
    print(tables.describe())
    print(table.round(4).to_string())
    print(run.rivals.round(4).to_string())
    made = {
        "competition": config.competition,
        "source": tables.source,
        "train_rows": len(tables.train),
        "libraries": {name: version(name) for name in RIVALS},
        "folds": config.folds,
        "repeats": config.repeats,
        "recommended": run.recommended,
        "models": table.to_dict("index"),
        "against_recommended": run.rivals.round(5).to_dict("index"),
    }
    name = "rivals" if tables.source == "bundled" else f"rivals-{config.competition}"
    write_results(name, {"machine": machine(torch.device("cpu")), **made})


if __name__ == "__main__":
    main()
