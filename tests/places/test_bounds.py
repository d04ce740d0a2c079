"""What Kaggle's and Colab's images hold is good enough: nothing of it is installed anew."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from constraints.kaggle_dataset import dependencies, missing, pins

IMAGES = Path(__file__).parents[2] / "constraints"
# Image -> what it lacks.
LACKING = {"kaggle-2026-06": ["tomli-w"], "colab-2026-06": ["optuna", "tomli-w"]}


@pytest.mark.parametrize("image", LACKING)
@pytest.mark.parametrize("need", dependencies(), ids=str)
def test_what_an_image_holds_is_new_enough(image: str, need: Requirement) -> None:
    held = pins(IMAGES / f"{image}.txt").get(canonicalize_name(need.name))
    assert held is None or need.specifier.contains(held)


@pytest.mark.parametrize("image", LACKING)
def test_little_is_to_be_installed(image: str) -> None:
    assert [need.name for need in missing(IMAGES / f"{image}.txt")] == LACKING[image]


def test_every_image_is_looked_at() -> None:
    assert {path.stem for path in IMAGES.glob("*.txt")} == {*LACKING}
