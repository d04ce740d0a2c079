"""Kaggle's Spaceship Titanic."""

from pathlib import Path

from titanic_nn.competitions.competition import Competition, Rule
from titanic_nn.competitions.spaceship.columns import SCHEMA
from titanic_nn.competitions.spaceship.cryosleep_rule import CryosleepRule
from titanic_nn.competitions.spaceship.features import FEATURES, groups, passenger_features
from titanic_nn.competitions.spaceship.form import passenger_form
from titanic_nn.tables.features import FeatureSet
from titanic_nn.tables.sources import notebook_places

SPACESHIP = Competition(
    slug="spaceship-titanic",
    title="Spaceship Titanic",
    schema=SCHEMA,
    features=FeatureSet(FEATURES, passenger_features, whole_groups=True),
    rule=Rule("cryosleep_rule", "who was in cryosleep was transported", CryosleepRule),
    search=(
        *notebook_places("spaceship-titanic"),
        ("downloaded", Path("data/kaggle/spaceship-titanic")),
    ),
    params=Path(__file__).parent / "params",
    # Kaggle's split keeps groups whole. The table is nine times Titanic's: one repeat tells enough.
    settings={
        "group_folds": True,
        "models": ("linear", "relu", "deep", "resnet"),
        "repeats": 1,
        "n_seeds": 3,
        "inner_folds": 3,
    },
    # Published in 2026: rank 1,453 of 2,692 had 0.799.
    reference_scores=((0.799, "the board's middle"),),
    display_columns=("Name", "HomePlanet", "Age", "Cabin"),
    groups=groups,
    form=passenger_form,
)
