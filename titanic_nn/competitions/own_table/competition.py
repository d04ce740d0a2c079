"""An own table's description as a Competition."""

import json
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from titanic_nn.competitions.competition import Classifier, Competition, Rule
from titanic_nn.competitions.own_table.description import Description, check_description
from titanic_nn.competitions.own_table.features import (
    feature_parts,
    features_of,
    group_numbers,
    schema_of,
)
from titanic_nn.competitions.own_table.form import own_form
from titanic_nn.tables.sources import notebook_places


def most_frequent(feature_names: Sequence[str]) -> Classifier:
    """Every row is given the classes' frequencies among the training rows."""
    from sklearn.dummy import DummyClassifier  # takes a while to load

    rule: Classifier = DummyClassifier(strategy="prior")
    return rule


def own_table(description: Description) -> Competition:
    """The competition that a description makes; the same object for equal descriptions."""
    return _competition(json.dumps(description.values()))


@cache  # so that tables and competition have the same schema, however often it is read
def _competition(values: str) -> Competition:
    own: Mapping[str, Any] = json.loads(values)
    description = check_description(own)
    slug, groups = description.slug, description.groups
    return Competition(
        slug=slug or description.name,
        title=description.title or description.name,
        schema=schema_of(description),
        features=features_of(description),
        rule=Rule("most_frequent", "every row is of the most frequent class", most_frequent),
        search=(*notebook_places(slug), ("downloaded", Path("data/kaggle") / slug)) if slug else (),
        groups=partial(group_numbers, column=groups) if groups else None,
        settings={"group_folds": True} if groups else {},
        form=partial(own_form, parts=feature_parts(description)),
        own=own,
    )
