"""Kaggle's Titanic: Machine Learning from Disaster."""

from pathlib import Path

from titanic_nn.competitions.competition import Competition, Rule
from titanic_nn.competitions.titanic.columns import SCHEMA
from titanic_nn.competitions.titanic.companions import PassengerGroups, parties
from titanic_nn.competitions.titanic.features import FEATURES, KEYS, passenger_features
from titanic_nn.competitions.titanic.form import passenger_form
from titanic_nn.competitions.titanic.formulas import FORMULAS
from titanic_nn.competitions.titanic.sex_rule import SexRule
from titanic_nn.tables.features import FeatureSet
from titanic_nn.tables.sources import notebook_places

_HERE = Path(__file__).parent

TITANIC = Competition(
    slug="titanic",
    title="Titanic",
    schema=SCHEMA,
    features=FeatureSet(FEATURES, passenger_features, KEYS, PassengerGroups, FORMULAS),
    rule=Rule("sex_rule", "women survive, men die", SexRule),
    search=(
        *notebook_places("titanic"),
        ("downloaded", Path("data/kaggle/titanic")),
        ("bundled", _HERE / "bundled"),  # in an installed package
        ("bundled", _HERE.parents[2] / "data" / "bundled"),  # in a checkout
    ),
    params=_HERE / "params",
    reference_scores=(
        (0.76555, "the sex rule"),
        (0.77511, "the board's median"),
        (0.797, "the top 5 %"),
    ),
    board_pairs=(
        (0.787, 0.766, "the sex rule"),
        (0.854, 0.797, "published work that respects the folds"),
    ),
    display_columns=("Name", "Sex", "Age", "Pclass"),
    glossary={
        "companions": "the other passengers of a passenger's party",
        "party": "passengers who are linked, directly or through others, by a ticket number in "
        "one class, or by family name, class, port and fare",
        "survival surplus": "how many companions survived, minus the number expected from their "
        "sex, class and age (child or adult), divided by the number of companions plus one; the "
        "passenger's own outcome is never used",
    },
    groups=parties,
    form=passenger_form,
)
