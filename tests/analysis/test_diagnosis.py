"""On runs that over- and underfit, trained for real."""

from dataclasses import asdict, replace
from typing import Any

import pandas as pd
import pytest

from titanic_nn.analysis.diagnosis import Diagnosis, diagnose
from titanic_nn.competitions.registry import get_competition, load_tables
from titanic_nn.config import Config
from titanic_nn.errors import DataError
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.tables.sources import Tables

SMALL: dict[str, Any] = {"folds": 5, "repeats": 1, "n_seeds": 1, "inner_folds": 0}


@pytest.fixture(scope="module")
def bundled() -> Tables:
    return load_tables(get_competition("titanic").search[-1][1])


def diagnosis(tables: Tables, model: str, **net: Any) -> Diagnosis:
    """The diagnosis of one net, trained with these settings over the untuned defaults."""
    plain = asdict(Config().nets[model]) | {"optimizer": "adamw", "learning_rate": 0.01}
    overrides: dict[str, Any] = {**SMALL, "models": [model], model: plain | net}
    config = Config.from_toml(**overrides)
    result = compare_models(tables, config=config)
    (case,) = diagnose(result.history, result.metrics, config)
    assert case.model == model
    return case


@pytest.mark.parametrize("model", ["relu", "deep"])
def test_many_epochs_without_weight_decay_overfit(bundled: Tables, model: str) -> None:
    net = {"optimizer": "adam", "weight_decay": 0.0, "epochs": 50, "learning_rate": 0.02}
    case = diagnosis(bundled, model, **net)
    assert (case.verdict, case.cause) == ("overfitting", "rise")
    assert case.rose > 0.05
    assert case.lowest_epoch < 25


def test_few_epochs_underfit(bundled: Tables) -> None:
    net = {"optimizer": "adam", "weight_decay": 0.0, "schedule": "constant"}
    case = diagnosis(bundled, "linear", **net, epochs=8, learning_rate=0.003)
    assert (case.verdict, case.cause) == ("underfitting", "fall")
    assert case.fell > 0.01


def test_a_large_weight_decay_underfits(bundled: Tables) -> None:
    case = diagnosis(bundled, "relu", weight_decay=20.0, schedule="cosine", epochs=20)
    assert (case.verdict, case.cause) == ("underfitting", "high training loss")
    assert abs(case.gap) < 0.02
    assert case.best_other_loss is not None
    assert case.training_loss > case.best_other_loss


def test_few_rows_leave_a_wide_gap(bundled: Tables) -> None:
    few = replace(bundled, train=bundled.train.head(100))
    case = diagnosis(few, "relu", weight_decay=1.0, hidden_size=32, schedule="cosine", epochs=25)
    assert (case.verdict, case.cause) == ("overfitting", "wide gap")
    assert case.gap > 0.2 * case.held_out_loss


def test_a_well_regularized_net_does_neither(bundled: Tables) -> None:
    net = {"weight_decay": 1.0, "hidden_size": 32, "schedule": "cosine", "epochs": 20}
    assert diagnosis(bundled, "relu", **net).verdict == "neither"


def test_the_numbers_are_those_of_the_mean_curve() -> None:
    # Two folds; their means by epoch are 0.60, 0.50, 0.40, 0.45 held out: the minimum is at epoch
    # 30, and 0.45 is 0.05 more. Three quarters of 40 epochs end at 30: it fell by -0.05.
    held_out = [[0.65, 0.55, 0.35, 0.40], [0.55, 0.45, 0.45, 0.50]]
    training = [0.5, 0.4, 0.3, 0.2]
    history = pd.DataFrame(
        [
            {
                "model": "relu",
                "fold": fold,
                "epoch": epoch,
                "training_loss": training[i],
                "held_out_loss": held_out[fold][i],
            }
            for fold in range(2)
            for i, epoch in enumerate((10, 20, 30, 40))
        ]
    )
    metrics = pd.DataFrame({"model": ["sex_rule"], "log_loss": [0.5]})
    (case,) = diagnose(history, metrics, Config())
    assert (case.lowest_epoch, case.verdict) == (30, "overfitting")
    assert (case.best_other, case.best_other_loss) == ("sex_rule", 0.5)
    numbers = (case.held_out_loss, case.gap, case.lowest, case.rose, case.fell)
    assert numbers == pytest.approx((0.45, 0.25, 0.40, 0.05, -0.05))


@pytest.mark.parametrize(
    ("training", "held_out", "cause"),
    [
        ([0.5, 0.4, 0.39, 0.39], [0.5, 0.42, 0.41, 0.414], "none"),  # 0.004 does not matter
        ([0.5, 0.4, 0.39, 0.39], [0.5, 0.42, 0.41, 0.416], "rise"),
        ([0.5, 0.4, 0.39, 0.38], [0.5, 0.42, 0.41, 0.404], "fall"),
        ([0.5, 0.41, 0.406, 0.406], [0.5, 0.42, 0.41, 0.41], "high training loss"),
        ([0.5, 0.4, 0.35, 0.32], [0.5, 0.42, 0.41, 0.41], "wide gap"),
    ],
)
def test_what_matters_is_the_region_of_practical_equivalence(
    training: list[float], held_out: list[float], cause: str
) -> None:
    curve = {"epoch": [10, 20, 30, 40], "training_loss": training, "held_out_loss": held_out}
    metrics = pd.DataFrame({"model": ["relu", "tree"], "log_loss": [0.41, 0.4]})
    (case,) = diagnose(pd.DataFrame({"model": "relu", "fold": 0, **curve}), metrics, Config())
    assert case.cause == cause


def test_other_losses_are_not_compared_with_log_losses(bundled: Tables) -> None:
    case = diagnosis(bundled, "linear", loss="absolute_error", weight_decay=0.0, epochs=80)
    assert case.best_other is None


def test_a_trend_needs_some_epochs(bundled: Tables) -> None:
    with pytest.raises(DataError, match=r"has 3 epochs of linear, too few to see a trend; train"):
        diagnosis(bundled, "linear", epochs=3)


def test_both_losses_rising_together_is_no_overfitting() -> None:
    """A weight decay that is too large: the net unlearns what it has learnt."""
    case = Diagnosis("deep", 0.666, 0.666, 0.45, 5, -0.1, "relu", 0.34)
    assert (case.cause, case.verdict) == ("high training loss", "underfitting")
