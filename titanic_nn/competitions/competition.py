"""What differs from one competition to the next, in one object."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, Self

import pandas as pd
from numpy.typing import NDArray

from titanic_nn.competitions.form import FormMaker, plain_form
from titanic_nn.config import Config, Reference, read_toml
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.nets.registry import NETS
from titanic_nn.tables.features import FeatureSet
from titanic_nn.tables.schema import TableSchema
from titanic_nn.tables.sources import Places, Tables, load_tables


class Classifier(Protocol):
    """A baseline: fit and predict_proba as in scikit-learn, the latter giving (rows, classes)."""

    def fit(self, x: NDArray[Any], y: NDArray[Any], /) -> Self: ...

    def predict_proba(self, x: NDArray[Any], /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Rule:
    """A rule of thumb that every model has to beat."""

    name: str  # as a model's name: `fever_rule`
    description: str  # in a few words: "who has a fever is ill"
    make: Callable[[Sequence[str]], Classifier]  # unfitted, from the names of the encoded columns


def name_of(reference: Reference) -> str:
    """A competition's slug; of an own table the name and a digest of its description."""
    if not isinstance(reference, Mapping):
        return str(reference)
    digest = sha256(json.dumps(reference, sort_keys=True).encode()).hexdigest()[:8]
    return f"{reference.get('name')} (own table, SHA-256 {digest})"


@dataclass(frozen=True, kw_only=True)
class Competition:
    """A competition; docs/extending.md shows how to add one."""

    slug: str  # its name in the address of its page
    title: str  # its name in prose
    schema: TableSchema
    features: FeatureSet
    rule: Rule
    search: Places = ()  # places that are searched for tables, in order
    params: Path | None = None  # a folder with tuned settings, `<net>.toml`
    # Settings of a run that differ from their defaults: `{"group_folds": True}`.
    settings: Mapping[str, Any] = field(default_factory=dict)
    # Public scores in rising order, each with what has it.
    reference_scores: Sequence[tuple[float, str]] = ()
    # Results whose accuracy is known twice: by cross-validation, on the public board, and whose.
    board_pairs: Sequence[tuple[float, float, str]] = ()
    # The columns by which a person recognizes a row, the first as its name.
    display_columns: Sequence[str] = ()
    # The words of its features' descriptions that a reader may not know, each with its meaning.
    glossary: Mapping[str, str] = field(default_factory=dict)
    # From a checked table to the number of each row's group (rows,), where rows belong together.
    groups: Callable[[pd.DataFrame], NDArray[Any]] | None = None
    # How a person describes a row on the page to play with; by default feature by feature.
    form: FormMaker = plain_form
    # Of an own table: its description, as TOML holds it.
    own: Mapping[str, Any] | None = None

    @property
    def reference(self) -> Reference:
        """What settings, runs and saved models name it by; `get_competition` finds it again."""
        return self.slug if self.own is None else self.own

    @property
    def identity(self) -> str:
        """Its name in a message: no two competitions have the same."""
        return name_of(self.reference)

    @property
    def at_kaggle(self) -> bool:
        """Whether its slug is that of a competition at Kaggle."""
        return self.own is None or "slug" in self.own

    def check_at_kaggle(self) -> None:
        """Raise ConfigError where it is an own table that is no competition's at Kaggle."""
        if self.own is not None and not self.at_kaggle:
            raise ConfigError(
                f"{self.own['name']}.toml has no slug, the name in the address of a competition at "
                "Kaggle, so there is nowhere to download from or submit to"
            )

    def config(self, path: Path | None = None, **overrides: Any) -> Config:
        """A run's settings: the defaults, the competition's tuned values, a file's, overrides.

        Raises ConfigError, in one line, where one is wrong.
        """
        return Config.from_toml(
            path, tuned=self.tuned(), **{**overrides, "competition": self.reference}
        )

    def tuned(self) -> Mapping[str, Any]:
        """The settings of this competition; those that were tuned for a net, by its name."""
        if self.params is None:
            return self.settings
        files = {net: self.params / f"{net}.toml" for net in NETS}
        nets = {net: read_toml(file).get(net, {}) for net, file in files.items() if file.exists()}
        return {**self.settings, **nets}

    @property
    def archive(self) -> str:
        """The name of the zip file that Kaggle offers; "" if it offers none."""
        return f"{self.slug}.zip" if self.at_kaggle else ""

    @property
    def folder(self) -> Path:
        """Where `download` puts its tables."""
        return Path("data/kaggle") / self.slug

    def load(self, data: Path | None = None, *, bundled: bool | None = None) -> Tables:
        """The tables in `data`, or in the first place that has them; see `load_tables`.

        bundled: True reads only the table that comes with the package, False any but that.
        """
        places = [p for p in self.search if bundled in (None, p[0] == "bundled")]
        if data is None and not places:
            raise DataError(
                f"{self.slug}: say where the table is: --data DIR, a folder with train.csv (with "
                f"the column {self.schema.target.name}) and test.csv (without)"
            )
        named = self.slug if self.own is None else f"{self.own['name']}.toml"
        how = f"; get them with `titanic-nn download --competition {named}`"
        return load_tables(self.schema, data, search=places, archive=self.archive, how_to_get=how)
