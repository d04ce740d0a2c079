"""The sentences state what the numbers show, no more."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from optuna.trial import create_trial

from titanic_nn.analysis.diagnosis import Diagnosis
from titanic_nn.competitions.competition import Rule
from titanic_nn.competitions.registry import get_competition
from titanic_nn.evaluation.comparison import Difference
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig
from titanic_nn.report import sentences
from titanic_nn.tuning.results import Rescored

TITANIC = get_competition("titanic")
# Another competition, whose words must be used.
OTHER = replace(
    TITANIC,
    schema=replace(TITANIC.schema, row_name="traveller", class_names=("stayed", "went")),
    rule=Rule("sleep_rule", "sleepers go", TITANIC.rule.make),
)


def summary(**rows: dict[str, float]) -> dict[str, Any]:
    """Of a run whose best model is relu; rows: the comparison with the others."""

    def scores(accuracy: float) -> dict[str, Any]:
        around = {"mean": accuracy, "sd": 0.03, "low": accuracy - 0.03, "high": accuracy + 0.03}
        return {"accuracy": around, "log_loss": {**around, "mean": 0.4}, "calibration_error": 0.02}

    models = {"relu": {"p_worse": 0.0, "p_equivalent": 1.0, "p_best": 0.6}, **rows}
    return {
        "recommended": "relu",
        "models": {name: scores(0.8) for name in models} | {"sleep_rule": scores(0.78)},
        "comparison": {"metric": "log_loss", "models": models},
    }


OOF = pd.DataFrame(
    {
        "row": [1, 2, 3, 4] * 2,
        "label": [1, 1, 0, 0] * 2,
        "repeat": [0] * 4 + [1] * 4,
        # One positive is missed in both repeats, another in one; one negative is wrong once.
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


def text(found: dict[str, Any], history: pd.DataFrame = HISTORY) -> str:
    return " ".join(sentences.findings(found, OOF, history, OTHER))


def row(worse: float, equivalent: float) -> dict[str, float]:
    return {"p_worse": worse, "p_equivalent": equivalent, "p_best": 0.1}


def test_scores_and_the_effect_of_chance() -> None:
    words = text(summary())
    recommended = "relu is recommended: on held-out travellers its accuracy is 80.0 % (95 % "
    assert f"{recommended}interval 77.0 % to 83.0 %), its log loss 0.400." in words
    assert 'The accuracy of the rule "sleepers go" is 78.0 %.' in words
    # 1.96 * sqrt(0.8 * 0.2 / 4) = 0.392
    assert "With 4 travellers, chance alone moves an accuracy by ± 39.2 points" in words
    assert "calibration error of relu is 2.0 points" in words


def test_better_equivalent_and_undecided_are_told_apart() -> None:
    words = text(summary(deep=row(0.02, 0.97), linear=row(0.96, 0.04), tree=row(0.9, 0.05)))
    assert "relu is better than linear (posterior at least 95 %)." in words
    assert "deep is practically equivalent to relu (difference of at most 0.005)." in words
    assert (
        "4 travellers are too few to tell whether relu is better than tree (posterior 90 %)."
        in (words)
    )
    assert "By log loss relu is the best of all models with probability 60 %." in words


def test_nothing_is_claimed_below_the_threshold() -> None:
    words = text(summary(deep=row(0.94, 0.05), linear=row(0.5, 0.4)))
    assert "(posterior at least" not in words
    assert "whether relu is better than deep (posterior 94 %) or linear (posterior 50 %)." in words


def test_a_better_baseline_is_stated() -> None:
    found = summary()
    rows = found["comparison"]["models"]
    found["comparison"]["models"] = {"gradient_boosting": rows["relu"], "relu": row(0.96, 0.0)}
    words = text(found)
    best = "By log loss the baseline gradient_boosting is the best of all models with probability"
    assert f"{best} 60 %." in words
    assert "gradient_boosting is better than relu (" in words


def with_rivals(best: str = "relu", **rivals: tuple[float, float, float, float]) -> dict[str, Any]:
    """A summary with rivals: by how much each one's log loss is higher, and the probabilities."""
    found = summary(deep=row(0.5, 0.4))
    names = ("difference", "p_better", "p_equivalent", "p_worse")
    found["rivals"] = {name: dict(zip(names, of, strict=True)) for name, of in rivals.items()}
    models = found["comparison"]["models"]
    found["comparison"]["models"] = {best: models["relu"], **models}
    return found


def test_a_rival_that_wins_is_stated() -> None:
    found = with_rivals("catboost", catboost=(-0.012, 0.971, 0.02, 0.009))
    _, best, wins = sentences.conclusion(found, OTHER)
    assert best.startswith("By log loss the rival catboost is the best of all models with")
    expected = "catboost is better than relu by 0.012 of log loss (posterior 97 %): it is a rival, "
    assert wins == f"{expected}not saved and not submitted."
    assert wins in text(found)


def test_rivals_that_do_not_win_share_a_sentence() -> None:
    found = with_rivals(
        xgboost=(0.02, 0.0, 0.03, 0.97),
        lightgbm=(0.001, 0.01, 0.98, 0.01),
        catboost=(-0.004, 0.4, 0.5, 0.1),
    )
    assert sentences.conclusion(found, OTHER)[2:] == [
        "Of the rivals: relu is better than xgboost; lightgbm is not better than relu "
        "(posterior at most 5 %); it is not known whether catboost (posterior 40 %) is better than "
        "relu."
    ]


def test_the_ensemble_with_rivals_is_no_rival_and_no_saved_model() -> None:
    found = with_rivals("ensemble_rivals", ensemble_rivals=(-0.0101, 0.96, 0.03, 0.01))
    found["rival_weights"] = {"relu": 0.25, "catboost": 0.75}
    _, best, better, weights = sentences.conclusion(found, OTHER)
    assert best.startswith("By log loss ensemble_rivals is the best of all models")
    assert better == "ensemble_rivals is better than relu by 0.010 of log loss (posterior 96 %)."
    assert weights == (
        "ensemble_rivals averages nets and rivals (catboost 0.75, relu 0.25). It predicts the test "
        "table and has a submission, but is not saved, as no model of another library is."
    )
    found["rivals"]["ensemble_rivals"]["p_better"] = 0.9  # nothing is claimed
    assert sentences.conclusion(found, OTHER)[2:] == [weights]


def test_mistakes_are_a_mean_over_repeats() -> None:
    # Missed: 1 and 2, so 1.5 of 2; false positives: 0 and 1, so 0.5 of 2; both rounded to even.
    expected = 'relu misclassifies 2 of 2 of class "went" and 0 of 2 of class "stayed" (travellers,'
    assert expected in text(summary())


def test_overfitting_is_stated_where_it_is_seen() -> None:
    words = text(summary())
    assert "a training loss of 0.300 and a held-out loss of 0.450: a generalization gap of" in words
    assert "lowest after 2 epochs (0.420): it overfits" in words
    assert "overfits" not in text(summary(), HISTORY.iloc[:2])


def test_a_model_without_learning_curves() -> None:
    assert "training loss" not in text(summary(), HISTORY.iloc[:0])


def test_the_findings_begin_with_the_conclusion() -> None:
    found = summary(deep=row(0.02, 0.97))
    first, second = sentences.conclusion(found, OTHER)
    assert text(found).startswith(f"{first} {second} ")
    assert first.startswith("relu is recommended: ")


def test_a_single_model() -> None:
    assert "relu was compared with no other model." in text(summary())


def gain(mean: float, low: float, high: float) -> Difference:
    return Difference(mean, low, high, p_value=0.5, p_better=0.5, p_equivalent=0.0, p_worse=0.5)


@pytest.mark.parametrize(
    ("shipped", "difference", "expected"),
    [
        (
            (0.42, 0.405),
            gain(0.005, 0.001, 0.009),
            "On the folds of the search, the log loss of the best settings is 0.0200 lower than "
            "that of the shipped ones; on fresh folds 0.0050 lower (95 % interval 0.0010 to "
            "0.0090): the best settings are better. The folds of the search overestimate the gain "
            "by 0.0150.",
        ),
        (
            (0.3999, 0.3996),
            gain(-0.0004, -0.002, 0.0012),
            "On the folds of the search, the log loss of the best settings is 0.0001 higher than "
            "that of the shipped ones; on fresh folds 0.0004 higher (95 % interval -0.0020 to "
            "0.0012): the interval holds 0, so it is not known which are better. The folds of the "
            "search overestimate the gain by 0.0003.",
        ),
        (
            (0.39, 0.38),
            gain(-0.02, -0.03, -0.01),
            "the shipped settings are better. The folds of the search overestimate the gain by "
            "0.0100.",
        ),
        (
            (0.4, 0.41),
            gain(0.01, 0.005, 0.015),
            "The folds of the search do not overestimate the gain.",
        ),
    ],
)
def test_what_a_search_gained(
    shipped: tuple[float, float], difference: Difference, expected: str
) -> None:
    search, fresh = ({"best": 0.4, "shipped": loss} for loss in shipped)
    best = create_trial(value=0.4)
    found = Rescored("titanic", best, {}, search, fresh, {"shipped": difference})
    assert expected in sentences.tuning(found)


def case(**changes: Any) -> Diagnosis:
    level = Diagnosis("net", 0.40, 0.42, 0.42, 40, 0.001, None, None)
    return replace(level, **changes)


@pytest.mark.parametrize(
    ("changes", "config", "expected"),
    [
        ({}, LinearConfig(), "net: neither. The held-out loss is level"),
        (
            {"lowest": 0.4, "lowest_epoch": 8},
            ReLUConfig(),
            "net: overfitting. The held-out loss rose by 0.020 since its minimum at epoch 8. Try a "
            "larger weight_decay, or fewer hidden units, or fewer epochs.",
        ),
        ({"lowest": 0.4}, DeepConfig(), "Try a larger weight_decay or dropout, or fewer hidden"),
        ({"lowest": 0.4}, LinearConfig(optimizer="adam"), "Try a larger l2, or fewer epochs."),
        ({"fell": 0.02}, ReLUConfig(), "net: underfitting. The held-out loss still fell by 0.020"),
        (
            {"best_other": "tree", "best_other_loss": 0.3},
            DeepConfig(),
            "net: underfitting. The training loss is 0.400, while tree has a held-out loss of "
            "0.300. Try a smaller weight_decay or dropout, or more hidden units.",
        ),
        (
            {"best_other": "tree", "best_other_loss": 0.3},
            LinearConfig(weight_decay=0.0),
            "Try a net with hidden units.",
        ),
        ({"training_loss": 0.2}, ReLUConfig(), "net: overfitting. The gap to the training loss is"),
    ],
)
def test_the_advice_names_settings_of_the_net_only(
    changes: dict[str, float], config: NetConfig, expected: str
) -> None:
    assert expected in sentences.diagnosis(case(**changes), config)


@dataclass(frozen=True)
class Law:
    """What `sentences.learning_curve` reads of an extrapolation."""

    fits: bool = True
    enough: str = "yes"
    p_matters: float = 0.5
    gain: float = 0.002
    low: float = 0.001
    high: float = 0.003
    rows: float = 600
    misfit: float = 0.001


def curve(law: Law) -> Any:
    table = pd.DataFrame(
        {"model": "relu", "rows": [300.0, 600.0], "held_out_loss": [0.5, 0.45]}
    ).assign(train_fraction=[0.5, 1.0])
    return SimpleNamespace(best="relu", extrapolation={"relu": law}, summary=table)


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (Law(), "Yes. With 1200 training rows instead of 600, the held-out log loss of relu"),
        (Law(enough="no"), "No. With 1200"),
        (Law(enough="unknown"), "600 training rows are too few to tell (posterior of a gain"),
        (Law(fits=False, misfit=0.02), "From 300 training rows to 600 the loss went from 0.500"),
    ],
)
def test_the_answer_of_a_learning_curve(law: Law, expected: str) -> None:
    said = sentences.learning_curve(curve(law))
    assert said.startswith("Do I have enough data? ")
    assert expected in said


def variants(**p_helps: float) -> pd.DataFrame:
    table = pd.DataFrame({"feature": list(p_helps), "p_helps": list(p_helps.values())})
    return table.assign(change=0.07, low=0.05, high=0.09)


@pytest.mark.parametrize("grouped", [True, False])
def test_the_answer_of_an_ablation(grouped: bool) -> None:
    tables = {
        "drop": variants(sex=0.99, age=0.5, men_known=0.01, title=0.97),
        "add": variants(men_known=0.9) if grouped else variants(),
        "plain": variants(plain=1.0) if grouped else variants(),
    }
    result: Any = SimpleNamespace(
        group="companions" if grouped else None, variants=lambda model, kind: tables[kind]
    )
    said = sentences.ablation(result, "relu")
    assert (
        "Dropped one by one: sex and title do (posterior at least 95 %); 1 of 4 do not; for 1"
        in said
    )
    assert ("of the group companions changes the log loss by +0.070 (95 %" in said) == grouped
    assert ("Added one by one: none" in said) == grouped


def test_how_often_related_rows_share_the_class() -> None:
    id = OTHER.schema.id.name
    found = pd.DataFrame({id: [1, 2], "label": [0, 1]})
    related = pd.DataFrame({"of": [1, 1, 2, 2], "label": [0, 0, 0, None]})
    said = sentences.shared_outcome(found, related, OTHER)
    assert "2 of them are in a group with other labelled travellers: 67 % of the 3 others" in said
    unknown = sentences.shared_outcome(found, related.tail(1), OTHER)
    assert unknown == "None of them is in a group with other labelled travellers."
    counted = sentences.misclassified(found, ["linear", "relu"], 9, OTHER)
    assert counted == "All 2 models misclassify 2 of 9 travellers: linear and relu."


def test_the_headline_is_the_recommended_model_s_accuracy_beside_the_rule_s() -> None:
    found = summary()
    said = "relu predicts 80.0 % of held-out travellers correctly"
    assert sentences.headline(found, OTHER) == f'{said}, the rule "sleepers go" 78.0 %'
    del found["models"]["sleep_rule"]
    assert sentences.headline(found, OTHER) == said


BOARD = replace(OTHER, board_pairs=((0.85, 0.79, "published work"), (0.75, 0.73, "the sleep rule")))


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        (0.75, 0.73),  # a known result itself
        (0.80, 0.76),  # halfway between the two: the gap is the mean of 0.02 and 0.06
        (0.90, 0.84),  # beyond them: the nearest gap
        (0.60, 0.58),
    ],
)
def test_a_public_score_is_forecast_from_known_pairs(accuracy: float, expected: float) -> None:
    words = sentences.board_forecast(accuracy, 100, BOARD)
    assert words.startswith(
        f"Expect a public score of about {expected:.3f}, not the cross-validated {accuracy:.3f}: "
        "the rows of Kaggle's board are harder than the labelled ones. A rough forecast, from 2 "
        "results known by cross-validation and on the board: published work (0.85 and 0.79) and "
        "the sleep rule (0.75 and 0.73); "
    )
    margin = 1.96 * (expected * (1 - expected) / 100) ** 0.5
    assert words.endswith(f"the sampling of 100 travellers alone adds ± {margin:.3f} (95 %).")


def test_a_competition_without_pairs_has_no_forecast() -> None:
    nothing = replace(BOARD, board_pairs=())
    assert sentences.board_forecast(0.8, 100, nothing) == ""
    assert sentences.board_outcome("0.8", 0.8, 100, nothing) == ""


def test_a_board_can_be_easier() -> None:
    easier = replace(BOARD, board_pairs=((0.8, 0.82, "the sleep rule"),))
    words = sentences.board_forecast(0.9, 100, easier)
    assert "about 0.920, not the cross-validated 0.900" in words
    assert "are easier than the labelled ones. A rough forecast, from 1 result known" in words


@pytest.mark.parametrize(
    ("score", "where"), [("0.77", "within"), ("0.90", "above"), ("0.60000", "below")]
)
def test_a_public_score_is_compared_with_its_forecast(score: str, where: str) -> None:
    # 1.96 * sqrt(0.76 * 0.24 / 100) = 0.0837
    said = sentences.board_outcome(score, 0.8, 100, BOARD)
    start = "The forecast from the cross-validated 0.800 was 0.760 ± 0.084: "
    assert said == f"{start}the score is {where} it."


def test_a_score_that_is_no_accuracy_has_no_forecast_to_keep() -> None:
    assert sentences.board_outcome("n/a", 0.8, 100, BOARD) == ""
    assert sentences.board_outcome("17.3", 0.8, 100, BOARD) == ""


def test_the_answer_of_a_permutation_importance() -> None:
    rises = {"age": [0.0, 0.02], "sex": [0.07, 0.09], "deck": [0.001, 0.002], "port": [0.0, 0.0]}
    rows = [
        {"model": model, "feature": feature, "log_loss_increase": rise * factor}
        for model, factor in (("relu", 1), ("deep", 9))
        for feature, of_folds in rises.items()
        for rise in of_folds
    ]
    assert sentences.importance(pd.DataFrame(rows), "relu") == (
        "Which features does relu use? Permuting one of 4 features raises the held-out log loss "
        "most for sex (0.080), age (0.010) and deck (0.002), and by more than 0.005 for 2."
    )
