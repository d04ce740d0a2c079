"""Saved models as they are read: checked values, nothing run, and scikit-learn not loaded.

`model.safetensors` holds the nets' tensors; `model.json` all else: settings, classes, what was
fitted to features, versions and checksums. Nothing is pickled, and no row of a table is inside:
groups of rows are, as counts, and the training rows' ids, without labels. So a training row is
predicted like a new one that belongs to its own group: evaluate a saved model on other rows.
"""

import hashlib
import json
import os.path
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from reprlib import repr as shortened
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, StrictBool, field_validator, model_validator
from pydantic.dataclasses import dataclass as checked_dataclass
from safetensors.numpy import load as read_tensors

from titanic_nn.competitions.competition import Competition
from titanic_nn.config import Reference
from titanic_nn.errors import DataError, ModelError, TitanicError
from titanic_nn.estimators.calibration import (
    Calibration,
    check_shares,
    predict_each,
    weighted_average,
)
from titanic_nn.estimators.fitted_nets import FittedNets, net_of
from titanic_nn.estimators.table_encoder import TableEncoder
from titanic_nn.files import read_bytes
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.registry import NETS
from titanic_nn.tables.state import STRICT, Count, Finite, Positive, check_state
from titanic_nn.version import __version__

KIND = "titanic_nn model"
FORMAT = 3
DESCRIPTION: Final = "model.json"
TENSORS: Final = "model.safetensors"
# Bytes of a file that is read at all: the description of a million training rows takes half of it.
LARGEST = {DESCRIPTION: 2**28, TENSORS: 2**30}
# The types that labels can have: numbers, truth values, text. "O" is text in pandas.
LABELS: dict[str, type] = {"i": int, "u": int, "f": float, "b": bool, "U": str, "O": str}
LARGEST_LABELS = 2**24  # bytes of all labels together


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Parameters:
    """A classifier's parameters that are no settings of its net (`classifiers.COMMON`)."""

    n_seeds: Count
    standardize: StrictBool
    class_weight: Any  # a mapping as pairs: the keys of a JSON object could only be text
    device: Literal["auto", "cpu", "cuda"]
    random_state: Annotated[int, Field(strict=True, ge=0, lt=2**32)] | None

    @field_validator("class_weight")
    @classmethod
    def _weights(cls, weights: Any) -> Any:
        if weights is None or weights == "balanced":
            return weights
        pairs: Any = weights if isinstance(weights, list | tuple) else [None]
        if not all(
            isinstance(pair, list | tuple)
            and len(pair) == 2
            and isinstance(pair[0], bool | int | float | str)
            and isinstance(pair[1], int | float)
            and 0 <= pair[1] < float("inf")
            for pair in pairs
        ):
            raise ValueError(f"{shortened(weights)} is not a list of classes and weights")
        return dict(pairs)


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Classes:
    """The labels, sorted, and the type of their array."""

    dtype: Annotated[str, Field(pattern=r"\A([<>|][iufb][1248]|[<>]U[0-9]{1,9}|\|O)\z")]
    values: Annotated[list[Any], Field(min_length=2)]

    @model_validator(mode="after")
    def _labels(self) -> Self:
        try:
            dtype = np.dtype(self.dtype)
            if dtype.itemsize * len(self.values) > LARGEST_LABELS:
                raise ValueError("the labels are too long")
            restored = self.array().tolist()
        except (TypeError, OverflowError):
            restored = None
        if restored != self.values:
            raise ValueError(f"no array of type {self.dtype} has these labels")
        kind = LABELS[dtype.kind]
        if any(type(value) is not kind for value in self.values):
            raise ValueError(f"the labels are not all of type {kind.__name__}")
        if not all(a < b for a, b in pairwise(self.values)):
            raise ValueError("the labels do not rise: they are swapped, or one stands twice")
        return self

    def array(self) -> NDArray[Any]:
        """As a classifier has them, (classes,)."""
        return np.array(self.values, dtype=self.dtype)


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _CalibrationState:
    """The state of a Calibration."""

    slope: Finite
    intercept: Finite


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class ClassifierState:
    """The state of a classifier, but for its tensors."""

    net: str
    config: dict[str, Any]  # checked by the net's own settings class
    parameters: _Parameters
    classes: _Classes
    n_features: Count
    feature_names: list[str] | None
    mean: list[Finite] | None
    scale: list[Positive] | None
    calibration: _CalibrationState

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.net not in NETS:
            raise ValueError(f"there is no net {shortened(self.net)}; known are {', '.join(NETS)}")
        for name in ("mean", "scale", "feature_names"):
            values = getattr(self, name)
            if values is not None and len(values) != self.n_features:
                raise ValueError(
                    f"{name} has {len(values)} values, n_features is {self.n_features}"
                )
        if (self.mean is None) != (self.scale is None):
            raise ValueError("mean and scale belong together")
        if len(self.classes.values) > 2 and self.calibration.intercept:
            raise ValueError("calibration.intercept is of two classes; of more it is 0")
        self.net_config()
        return self

    def net_config(self) -> NetConfig:
        """The net's settings. Raises ModelError."""
        return check_state(NETS[self.net].config, self.config, "classifier.config")


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Document:
    """What model.json holds in every saved model."""

    kind: str
    format: Count
    versions: dict[str, str]
    sha256: dict[Literal["model.json", "model.safetensors"], str]


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _NetDocument(_Document):
    """model.json of one net."""

    features: dict[str, Any] | None  # the transformer's; checked where it is restored
    classifier: ClassifierState


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _EnsembleDocument(_Document):
    """model.json of an ensemble, whose members are in folders below of these names."""

    weights: dict[str, Finite]

    @field_validator("weights")
    @classmethod
    def _shares(cls, weights: dict[str, float]) -> dict[str, float]:
        for name in weights:
            check_folder_name(name)
        check_shares(weights)
        return weights


@dataclass(frozen=True, eq=False)
class SavedNet:
    """Nets of one configuration, and the encoder of a competition's table if they read one."""

    encoder: TableEncoder | None
    state: ClassifierState
    nets: FittedNets


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What a saved model's folder holds; with scikit-learn, `load` makes estimators of it.

    Attributes:
        folder: where it was read.
        models: by name; a single one in a model of one net.
        weights: of an ensemble's models, by the same names; None in a model of one net.
    """

    folder: Path
    models: Mapping[str, SavedNet]
    weights: Mapping[str, float] | None = None

    @property
    def competition(self) -> Competition:
        """Whose tables it reads. Raises ModelError where it reads none."""
        encoder = next(iter(self.models.values())).encoder
        if encoder is None:
            raise ModelError(
                f"{self.folder}: this model does not read a competition's table; save a Pipeline "
                "of CompetitionFeatures and a classifier"
            )
        return encoder.competition

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.floating]:  # noqa: N803
        """The probability of each class for the rows of a table, (rows, classes).

        They are bitwise those of the model that `load` returns, where that reads a table.
        """
        steps = {name: (saved.encoder, saved.nets) for name, saved in self.models.items()}
        each = predict_each(steps, X)
        if self.weights is not None:
            return weighted_average(each, self.weights)
        (only,) = each.values()
        return only


def read_model(folder: Path) -> SavedModel:
    """What `save` wrote into a folder.

    Raises ModelError if the folder is not a saved model's, is damaged or was changed, or was
    written in another format.
    """
    document = _document(folder / DESCRIPTION)
    encoders: list[tuple[dict[str, Any], TableEncoder]] = []
    if isinstance(document, _NetDocument):
        return SavedModel(folder, {"model": _net(folder, document, encoders)})
    models: dict[str, SavedNet] = {}
    for name in document.weights:
        member = folder / name
        if os.path.islink(member):
            raise ModelError(f"{member}: is a link; an ensemble has folders of its own")
        inner = _document(member / DESCRIPTION)
        # Nor an ensemble, which might be this one again.
        if not isinstance(inner, _NetDocument) or inner.features is None:
            raise ModelError(f"{member}: is not the model of one net on a competition's table")
        models[name] = _net(member, inner, encoders)
    with naming(folder / DESCRIPTION):
        check_one_competition(encoder.competition.reference for _, encoder in encoders)
    return SavedModel(folder, models, document.weights)


def check_one_competition(references: Iterable[Reference]) -> None:
    """Check that models are of one competition. Raises ModelError."""
    if len(competitions := {str(reference) for reference in references}) != 1:
        raise ModelError(f"the models are of {len(competitions)} competitions, not of one")


def fitted_nets(state: ClassifierState, params: Mapping[str, NDArray[np.float32]]) -> FittedNets:
    """A classifier's nets. Raises ModelError if the tensors are not its, or not finite."""
    n_seeds = state.parameters.n_seeds
    if n_seeds > sum(p.size for p in params.values()):  # before any memory is taken for them
        raise ModelError("the tensors are not those of the net: there are too few numbers")
    nets = FittedNets(
        net_of(state.net_config(), n_seeds),
        params,
        mean=None if state.mean is None else np.array(state.mean, np.float64),
        scale=None if state.scale is None else np.array(state.scale, np.float64),
        calibration=Calibration(**asdict(state.calibration)),
    )
    try:
        nets.checked_params(
            n_seeds=n_seeds,
            n_features=state.n_features,
            n_classes=len(state.classes.values),
        )
    except ValueError as error:
        raise ModelError(str(error)) from None
    for name, values in params.items():
        if not np.isfinite(values).all():
            raise ModelError(f"{name} has numbers that are not finite: the net diverged")
    return nets


def _net(
    folder: Path,
    document: _NetDocument,
    encoders: list[tuple[dict[str, Any], TableEncoder]],
) -> SavedNet:
    """One net, in a folder with this description.

    encoders: those restored so far, with their states; an equal state has the same encoder.
    """
    encoder = None
    with naming(folder / DESCRIPTION):
        if document.features is not None:
            encoder = next((e for known, e in encoders if known == document.features), None)
            if encoder is None:
                encoder = TableEncoder.from_state(document.features)
                encoders.append((document.features, encoder))
            codes = list(range(len(encoder.competition.schema.labels)))
            if document.classifier.classes.values != codes:
                raise ModelError(f"classifier.classes: the competition's are {codes}")
            columns = len(encoder.encoder_.feature_names)
            if document.classifier.n_features != columns:
                raise ModelError(
                    f"classifier.n_features = {document.classifier.n_features}: the features are "
                    f"not those of the net, they make {columns} columns"
                )
    path = folder / TENSORS
    content = _read(path)
    with naming(path):
        if sha256(content) != document.sha256.get(TENSORS):
            raise ModelError("was damaged or changed after it was saved")
        nets = fitted_nets(document.classifier, read_tensors(content))
    return SavedNet(encoder, document.classifier, nets)


def check_folder_name(name: str) -> None:
    """Check that an ensemble's member can have a folder of this name. Raises ModelError."""
    taken = name in ("", ".", "..", DESCRIPTION, TENSORS) or len(name.encode()) > 200
    if taken or not name.isprintable() or any(char in name for char in "/\\:"):
        raise ModelError(f"weights: {shortened(name)} is no name for a model's folder")


def _document(path: Path) -> _NetDocument | _EnsembleDocument:
    """model.json, checked: it is a saved model's, in the known format, and as it was written."""
    content = _read(path)
    with naming(path):
        try:
            document = json.loads(content.decode(), object_pairs_hook=_without_duplicates)
        except (ValueError, RecursionError):
            raise ModelError("is not JSON; it is no saved model, or damaged") from None
        if not isinstance(document, dict) or document.get("kind") != KIND:
            raise ModelError("is not the description of a titanic_nn model")
        if document.get("format") != FORMAT:
            versions = document.get("versions")
            by = versions.get("titanic_nn", "?") if isinstance(versions, dict) else "?"
            raise ModelError(
                f"was saved in format {shortened(document.get('format'))} by titanic_nn "
                f"{shortened(by)}; version {__version__} reads format {FORMAT}. Upgrade "
                "titanic_nn, or train again"
            )
        digests = document.get("sha256")
        own = digests.get(DESCRIPTION) if isinstance(digests, dict) else None
        signed = {name: value for name, value in document.items() if name != "sha256"}
        if own != sha256(as_json(signed, allow_nan=True).encode()):
            raise ModelError("was damaged or changed after it was saved")
        if "weights" in document:
            return check_state(_EnsembleDocument, document, "")
        return check_state(_NetDocument, document, "")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, of which `json` would take the last of two equal keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ModelError("an object has one key twice; the file is damaged or was changed")
    return found


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Whatever is raised becomes a ModelError of one line, which names the file."""
    try:
        yield
    except TitanicError as error:
        raise ModelError(f"{path}: {error}") from None
    except Exception as error:  # what a competition restores its features with may raise any
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{path}: does not hold a model as titanic_nn saves it ({reason})"
        raise ModelError(message) from None


def _read(path: Path) -> bytes:
    """One of a model's own files: no link, which could lead anywhere."""
    if os.path.islink(path):
        raise ModelError(f"{path}: is a link; a saved model has files of its own")
    try:
        return read_bytes(path, LARGEST[path.name])
    except DataError as error:
        raise ModelError(f"{error}; name a folder that a model was saved in") from None


def as_json(value: Any, *, allow_nan: bool = False) -> str:
    """A value as JSON, always in the same way."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=allow_nan)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
