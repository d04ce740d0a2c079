"""What a public score means."""

import math

import pytest

from titanic_nn.kaggle.competition import standing


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
def test_a_score_stands_among_the_known_ones(score: str, where: str) -> None:
    # 1.96 * sqrt(p * (1 - p) / 418)
    margin = 1.96 * math.sqrt(float(score) * (1 - float(score)) / 418)
    expected = f"public score {score} ± {margin:.3f} (95 %, 418 passengers): {where}"
    assert standing(score, 418, "titanic") == expected


def test_the_margin_is_that_of_a_share() -> None:
    # 1.96 * sqrt(0.5 * 0.5 / 100) = 1.96 * 0.05 = 0.098
    assert "0.5 ± 0.098 (95 %, 100 passengers)" in standing("0.5", 100, "spaceship")


@pytest.mark.parametrize("score", ["", "n/a", "nan", "17.3", "-1"])
def test_what_is_no_share_has_no_margin(score: str) -> None:
    assert standing(score, 418, "titanic") == f"public score {score}"
