"""On runs that were made to over- and underfit, for real."""

from dataclasses import asdict, replace
from typing import Any

import pandas as pd
import pytest

from titanic_nn.errors import DataError
from titanic_nn.evaluation.compare_models import compare_models
from titanic_nn.analysis.diagnosis import Diagnosis, diagnose
from titanic_nn.tables.sources import SEARCH, Passengers, load_passengers
from titanic_nn.config import NETS, Model, Config

SMALL: dict[str, Any] = {"folds": 5, "repeats": 1, "seeds": 1, "inner_folds": 0}


@pytest.fixture(scope="module")
def bundled() -> Passengers:
    return load_passengers(search=SEARCH[3:])


def diagnosis(passengers: Passengers, model: Model, **net: Any) -> Diagnosis:
    """Train one net with these settings, none of them a shipped one, and ask what ails it."""
    plain = asdict(NETS[model]()) | {"optimizer": "adamw", "learning_rate": 0.01}
    overrides: dict[str, Any] = {**SMALL, "models": [model], model: plain | net}
    config = Config.from_toml(**overrides)
    result = compare_models(passengers, config=config)
    (case,) = diagnose(result.history, result.metrics, config)
    assert case.model == model
    return case


@pytest.mark.parametrize("model", ["relu", "deep"])
def test_many_epochs_and_nothing_that_restrains_overfit(bundled: Passengers, model: Model) -> None:
    net = {"optimizer": "adam", "epochs": 50, "learning_rate": 0.02}
    case = diagnosis(bundled, model, **net)
    assert case.verdict == "overfitting"
    assert case.rose > 0.05
    assert case.lowest_epoch < 25
    assert f"lowest at epoch {case.lowest_epoch}" in case.why
    assert "weight_decay" in case.why
    assert ("dropout" in case.why) == (model == "deep")  # never a setting that the net lacks


def test_few_epochs_underfit(bundled: Passengers) -> None:
    case = diagnosis(bundled, "linear", optimizer="adam", epochs=8, learning_rate=0.003)
    assert case.verdict == "underfitting"
    assert case.fell > 0.01
    assert "more epochs" in case.why


def test_a_net_held_back_underfits(bundled: Passengers) -> None:
    case = diagnosis(bundled, "relu", weight_decay=20.0, schedule="cosine", epochs=20)
    assert case.verdict == "underfitting"
    assert abs(case.gap) < 0.02
    assert "even on its training rows" in case.why
    assert "smaller weight_decay" in case.why


def test_few_rows_are_learnt_by_heart(bundled: Passengers) -> None:
    few = replace(bundled, train=bundled.train.head(100))
    case = diagnosis(few, "relu", weight_decay=1.0, hidden=32, schedule="cosine", epochs=25)
    assert case.verdict == "overfitting"
    assert case.gap > 0.2 * case.held_out_loss
    assert "by heart" in case.why


def test_a_net_that_is_well_held_does_neither(bundled: Passengers) -> None:
    net = {"weight_decay": 1.0, "hidden": 32, "schedule": "cosine", "epochs": 20}
    assert diagnosis(bundled, "relu", **net).verdict == "neither"


def test_the_numbers_are_those_of_the_mean_curve() -> None:
    # Two folds; their means by epoch are 0.60, 0.50, 0.40, 0.45 held out: lowest at epoch 30,
    # and since then risen by 0.05. Three quarters of 40 epochs end at 30: it fell by -0.05.
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
    numbers = (case.held_out_loss, case.gap, case.lowest, case.rose, case.fell)
    assert numbers == pytest.approx((0.45, 0.25, 0.40, 0.05, -0.05))


def test_other_losses_are_not_compared_with_log_losses(bundled: Passengers) -> None:
    case = diagnosis(bundled, "linear", loss="absolute_error", weight_decay=0.0, epochs=80)
    assert "even on its training rows" not in case.why


def test_a_trend_needs_some_epochs(bundled: Passengers) -> None:
    with pytest.raises(DataError, match=r"has 3 epochs of linear, too few to see a trend; train"):
        diagnosis(bundled, "linear", epochs=3)
