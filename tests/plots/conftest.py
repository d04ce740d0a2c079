"""The tables of a small run, drawn at random: two models, two repeats of four folds."""

import numpy as np
import pandas as pd
import pytest

MODELS = ["linear", "relu"]
FOLDS = [(repeat, fold) for repeat in range(2) for fold in range(4)]


@pytest.fixture
def oof() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 80)
    tables = []
    for repeat in range(2):
        near = {m: np.clip(label + rng.normal(0, 0.6, 80), 0.001, 0.999) for m in MODELS}
        table = {"row": np.arange(1, 81), "label": label, "repeat": repeat}
        tables.append(pd.DataFrame({**table, "fold": np.arange(80) % 4, **near}))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def metrics() -> pd.DataFrame:
    """relu's log loss is lower by 0.02 on average, its accuracy too."""
    rows = [
        {"model": m, "repeat": r, "fold": f, "log_loss": 0.4 + 0.01 * f - worse, "accuracy": 0.8}
        for m, worse in (("linear", 0.0), ("relu", 0.02))
        for r, f in FOLDS
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def history() -> pd.DataFrame:
    """Training falls to 0.3, held out stays at 0.5 plus a tenth of the fold's number."""
    rows = [
        {
            "model": model,
            "repeat": repeat,
            "fold": fold,
            "epoch": epoch,
            "training_loss": 0.6 - 0.1 * epoch,
            "held_out_loss": 0.5 + 0.1 * fold,
            "training_accuracy": 0.7,
            "held_out_accuracy": 0.6,
        }
        for model in MODELS
        for repeat, fold in FOLDS
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)
