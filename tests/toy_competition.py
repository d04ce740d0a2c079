"""A tiny competition in another format: text ids, text labels, other names."""

from functools import partial
from pathlib import Path

import pytest

from titanic_nn.competitions.competition import Competition, Rule
from titanic_nn.competitions.registry import COMPETITIONS
from titanic_nn.competitions.titanic.sex_rule import SexRule
from titanic_nn.tables.features import Feature, FeatureSet
from titanic_nn.tables.schema import Column, TableSchema, any_text, class_codes, numbers

LABELS = ("no", "yes")
TOY = Competition(
    slug="toy-parts",
    title="Toy parts",
    schema=TableSchema(
        id=Column("part", "str", any_text, "a part's id"),
        target=Column("works", "int64", partial(class_codes, labels=LABELS), "no or yes"),
        columns=(Column("size", "float64", numbers, "a number"),),
        row_name="part",
        labels=LABELS,
        class_names=("broken", "working"),
    ),
    features=FeatureSet((Feature("size", "number", "", ""),), lambda table: table),
    rule=Rule("rule", "all alike", SexRule),
    search=(("downloaded", Path("data/kaggle/toy-parts")),),
)
TRAIN = b"part,works,size\nA/1,no,1\nA/2,yes,2\nA/3,no,3\nA/4,yes,4\n"
TEST = b"part,size\nB/1,1\nB/2,2\nB/3,3\n"
SUBMISSION = b"part,works\nB/1,no\nB/2,yes\nB/3,yes\n"


def register(monkeypatch: pytest.MonkeyPatch) -> Competition:
    """Make the competition known for the length of a test."""
    monkeypatch.setitem(COMPETITIONS, TOY.slug, TOY)
    return TOY
