"""What a public score means."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.kaggle.submission import describe_score
from titanic_nn.report.sentences import board_forecast, board_outcome

PAGE = Path(__file__).parents[2] / "docs" / "kaggle.md"


@pytest.mark.parametrize(
    ("score", "where"),
    [
        ("0.62200", "below the sex rule (0.76555)"),
        # 320 of 418 are the sex rule's, 324 the median.
        ("0.76555", "level with the sex rule (0.76555), below the board's median (0.77511)"),
        ("0.77033", "above the sex rule (0.76555), below the board's median (0.77511)"),
        (
            "0.77511",
            "above the sex rule (0.76555), level with the board's median (0.77511), "
            "below the top 5 % (0.797)",
        ),
        ("0.80000", "above the top 5 % (0.797)"),
    ],
)
def test_a_score_is_compared_with_the_reference_scores(score: str, where: str) -> None:
    # 1.96 * sqrt(p * (1 - p) / 418)
    margin = 1.96 * math.sqrt(float(score) * (1 - float(score)) / 418)
    expected = f"public score {score} ± {margin:.3f} (95 %, 418 passengers): {where}"
    assert describe_score(score, 418, TITANIC) == expected


def test_the_page_shows_what_is_printed() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for printed in (
        f"Forecast: {board_forecast(0.869, 418, TITANIC)} Submission",
        f": {describe_score('0.77751', 418, TITANIC)} The",
        board_outcome("0.77751", 0.869, 418, TITANIC),
    ):
        assert printed in page


def test_a_competition_without_reference_scores_has_the_margin_alone() -> None:
    # 1.96 * sqrt(0.5 * 0.5 / 100) = 1.96 * 0.05 = 0.098
    told = describe_score("0.5", 100, replace(TITANIC, reference_scores=()))
    assert told == "public score 0.5 ± 0.098 (95 %, 100 passengers)"


@pytest.mark.parametrize("score", ["", "n/a", "nan", "17.3", "-1"])
def test_what_is_no_accuracy_has_no_margin(score: str) -> None:
    assert describe_score(score, 418, TITANIC) == f"public score {score}"
