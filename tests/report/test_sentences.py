"""The sentences say what the numbers say, no more."""

from typing import Any

import pandas as pd
import pytest

from titanic_nn.report.sentences import in_words


def summary(**rows: dict[str, float]) -> dict[str, Any]:
    """Of a run whose best model is relu; rows: how the others compare."""

    def scores(accuracy: float) -> dict[str, Any]:
        around = {"mean": accuracy, "sd": 0.03, "low": accuracy - 0.03, "high": accuracy + 0.03}
        return {"accuracy": around, "log_loss": {**around, "mean": 0.4}, "calibration_error": 0.02}

    models = {"relu": {"p_worse": 0.0, "p_equivalent": 1.0, "p_best": 0.6}, **rows}
    return {
        "recommended": "relu",
        "models": {name: scores(0.8) for name in models} | {"sex_rule": scores(0.78)},
        "comparison": {"metric": "log_loss", "models": models},
    }


OOF = pd.DataFrame(
    {
        "PassengerId": [1, 2, 3, 4] * 2,
        "Survived": [1, 1, 0, 0] * 2,
        "repeat": [0] * 4 + [1] * 4,
        # A survivor is missed in both repeats, another in one; a dead one is called once.
        "relu": [0.9, 0.1, 0.2, 0.3, 0.4, 0.1, 0.8, 0.3],
    }
)
HISTORY = pd.DataFrame(
    {
        "model": "relu",
        "epoch": [1, 2, 3],
        "training_loss": [0.5, 0.4, 0.3],
        "held_out_loss": [0.5, 0.42, 0.45],
    }
)


def said(found: dict[str, Any], history: pd.DataFrame = HISTORY) -> str:
    return " ".join(in_words(found, OOF, history)).replace("\N{NO-BREAK SPACE}", " ")


def row(worse: float, equivalent: float) -> dict[str, float]:
    return {"p_worse": worse, "p_equivalent": equivalent, "p_best": 0.1}


def test_how_good_and_how_far_luck_reaches() -> None:
    words = said(summary())
    assert "right for 80.0 % of them (95 % interval 77.0 % to 83.0 %)" in words
    assert '"women live, men die" is right for 78.0 %' in words
    # 1.96 * sqrt(0.8 * 0.2 / 4) = 0.392
    assert "With 4 passengers luck alone moves an accuracy by ± 39.2 points" in words


def test_better_no_matter_and_open_are_told_apart() -> None:
    words = said(summary(deep=row(0.02, 0.97), linear=row(0.96, 0.04), tree=row(0.9, 0.05)))
    assert "relu is really better than linear (95 % sure or more)." in words
    assert "Against deep it makes no difference (less than 0.005)." in words
    assert "Whether it beats tree these folds cannot tell." in words
    assert "best of all with probability 60 %" in words


def test_nothing_is_claimed_that_the_folds_do_not_show() -> None:
    words = said(summary(deep=row(0.94, 0.05)))
    assert "really better" not in words
    assert "Whether it beats deep these folds cannot tell." in words


def test_a_better_baseline_is_not_hidden() -> None:
    found = summary()
    rows = found["comparison"]["models"]
    found["comparison"]["models"] = {"gradient_boosting": rows["relu"], "relu": row(0.96, 0.0)}
    words = said(found)
    assert "By log loss the best of all is gradient boosting, which is not a net of ours." in words
    assert "gradient boosting is really better than relu" in words


def test_mistakes_are_a_mean_over_repeats() -> None:
    # Missed: 1 and 2, so 1.5 of 2; called: 0 and 1, so 0.5 of 2; both rounded to even.
    assert "Of 2 survivors relu takes 2 for dead, and of 2 dead 0 for survivors." in said(summary())


def test_overfitting_is_told_where_it_is_seen() -> None:
    words = said(summary())
    assert "0.300 on its training rows and 0.450 on held-out ones: the gap of 0.150" in words
    assert "lowest after 2 epochs (0.420): it trains too long" in words
    assert "trains too long" not in said(summary(), HISTORY.iloc[:2])


@pytest.mark.parametrize("history", [HISTORY.iloc[:0]])
def test_a_model_without_curves_of_its_own_is_left_in_peace(history: pd.DataFrame) -> None:
    assert "training rows" not in said(summary(), history)


def test_a_model_alone() -> None:
    assert "compared with no other model" in said(summary())
