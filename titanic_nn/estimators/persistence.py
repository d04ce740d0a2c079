"""Saved models: a folder of two files, which is read without running anything from it.

`model.safetensors` holds the nets' tensors; `model.json` all else: settings, classes, what was
fitted to features, versions and checksums. Nothing is pickled, and no row of a table is inside:
groups of rows are, as counts, and the training rows' ids, without labels. So a training row is
predicted like a new one that belongs to its own group: evaluate a saved model on other rows.
"""

import hashlib
import json
import os.path
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from reprlib import repr as shortened
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictBool, field_validator, model_validator
from pydantic.dataclasses import dataclass
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensors_as_bytes
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.registry import get_competition
from titanic_nn.errors import ConfigError, DataError, ModelError, TitanicError
from titanic_nn.estimators.calibration import Calibration, Ensemble, check_shares
from titanic_nn.estimators.classifiers import COMMON, NetClassifier, classifier_class, plain
from titanic_nn.estimators.transformer import CompetitionFeatures
from titanic_nn.files import read_bytes, write_folder
from titanic_nn.nets.config import NetConfig
from titanic_nn.nets.registry import NETS, spec_of
from titanic_nn.tables.state import STRICT, Count, Finite, Positive, check_state
from titanic_nn.version import __version__

# A classifier, a transformer and then a classifier, or several of the latter together.
Model: TypeAlias = NetClassifier | Pipeline | Ensemble
# The JSON of transformers, by their encoder, competition and columns.
Transformers: TypeAlias = dict[tuple[Any, ...], str]

KIND = "titanic_nn model"
FORMAT = 3
DESCRIPTION: Final = "model.json"
TENSORS: Final = "model.safetensors"
# Bytes of a file that is read at all: the description of a million training rows takes half of it.
LARGEST = {DESCRIPTION: 2**28, TENSORS: 2**30}
LIBRARIES = ("numpy", "scikit-learn", "torch", "safetensors")
# The types that labels can have: numbers, truth values, text. "O" is text in pandas.
LABELS: dict[str, type] = {"i": int, "u": int, "f": float, "b": bool, "U": str, "O": str}
LARGEST_LABELS = 2**24  # bytes of all labels together


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _Parameters:
    """The parameters in COMMON."""

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


@dataclass(frozen=True, kw_only=True, config=STRICT)
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


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _CalibrationState:
    """The state of a Calibration."""

    slope: Finite
    intercept: Finite


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _ClassifierState:
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


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _Document:
    """What model.json holds in every saved model."""

    kind: str
    format: Count
    versions: dict[str, str]
    sha256: dict[Literal["model.json", "model.safetensors"], str]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _NetDocument(_Document):
    """model.json of one net."""

    features: dict[str, Any] | None  # the transformer's; checked where it is restored
    classifier: _ClassifierState


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _EnsembleDocument(_Document):
    """model.json of an ensemble, whose members are in folders below of these names."""

    weights: dict[str, Finite]

    @field_validator("weights")
    @classmethod
    def _shares(cls, weights: dict[str, float]) -> dict[str, float]:
        for name in weights:
            _check_folder_name(name)
        check_shares(weights)
        return weights


def save(model: Model, folder: str | Path) -> None:
    """Write a fitted model into a new folder, which appears whole or not at all.

    Args:
        model: one of the package's classifiers, a Pipeline of CompetitionFeatures and one of them,
            or an Ensemble of such Pipelines.
        folder: where to write; it must not exist yet, or be empty.

    Raises:
        ConfigError: the folder holds something already, or the model is not one of these.
        ModelError: the model has numbers that are not finite, or others that `load` would refuse.
        NotFittedError: the model has not been fitted.

    Examples:
        >>> import tempfile
        >>> from sklearn.datasets import load_iris
        >>> import titanic_nn
        >>> X, y = load_iris(return_X_y=True)
        >>> model = titanic_nn.LinearClassifier(random_state=0).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     titanic_nn.save(model, folder)
        ...     again = titanic_nn.load(folder)
        >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
        True
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigError(f"{folder}: is there already; choose a new folder for the model")
    write_folder(folder, model_files(model))


def load(folder: str | Path) -> Model:
    """The model that `save` wrote; its predictions are bitwise the same.

    Raises:
        ModelError: the folder is not a saved model's, is damaged or was changed, or was written in
            another format.
    """
    folder = Path(folder)
    document = _document(folder / DESCRIPTION)
    if isinstance(document, _NetDocument):
        return _net(folder, document)
    models: dict[str, Pipeline] = {}
    for name in document.weights:
        member = folder / name
        if os.path.islink(member):
            raise ModelError(f"{member}: is a link; an ensemble has folders of its own")
        inner = _document(member / DESCRIPTION)
        # Nor an ensemble, which might be this one again.
        if not isinstance(inner, _NetDocument) or inner.features is None:
            raise ModelError(f"{member}: is not the model of one net on a competition's table")
        models[name] = _net(member, inner)
    with _naming(folder / DESCRIPTION):
        return _ensemble(models, document.weights)


def load_with_competition(folder: Path) -> tuple[Pipeline | Ensemble, Competition]:
    """A saved model that reads a competition's table, and the competition.

    Raises ModelError as `load` does, and for a model that reads no table.
    """
    model = load(folder)
    if isinstance(model, NetClassifier):
        raise ModelError(
            f"{folder}: this model does not read a competition's table; save a Pipeline of "
            "CompetitionFeatures and a classifier"
        )
    pipeline = next(iter(model.models.values())) if isinstance(model, Ensemble) else model
    return model, get_competition(pipeline[0].competition)


def model_files(
    model: Model, transformers: Transformers | None = None
) -> Iterator[tuple[str, str | bytes]]:
    """The files of a saved model, name and content; `model` and errors are those of `save`.

    transformers: an empty dict for the calls of one run, whose models share their transformer.
    """
    transformers = {} if transformers is None else transformers
    if isinstance(model, Ensemble):
        _ensemble(model.models, model.weights)
        yield _description({"weights": dict(model.weights)}, {})
        for name, member in model.models.items():
            for file, content in model_files(member, transformers):
                yield f"{name}/{file}", content
        return
    features, classifier = _steps(model)
    check_is_fitted(classifier)
    state = _classifier_state(classifier)
    try:  # what would be refused is not written
        _classifier(check_state(_ClassifierState, state, "classifier"), classifier.params_)
    except ModelError as error:
        raise ModelError(f"the model cannot be saved: {error}") from None
    tensors: bytes = tensors_as_bytes(classifier.params_)
    encoded = _transformer(features, transformers)
    yield _description({"classifier": state}, {TENSORS: _sha256(tensors)}, features=encoded)
    yield TENSORS, tensors


def _transformer(features: CompetitionFeatures | None, known: Transformers) -> str:
    """The transformer's state as JSON, which takes long to make where the table is long."""
    if features is None:
        return _json(None)
    key = id(features.encoder_), str(features.competition_), *features.feature_names_in_
    if key not in known:
        known[key] = _json(features.state())
    return known[key]


def _description(
    document: Mapping[str, Any], digests: Mapping[str, str], **encoded: str
) -> tuple[str, str]:
    """model.json: a document, the versions that wrote it, checksums of itself and other files.

    encoded: further parts of the document, as `_json` writes them.
    """
    versions = {"titanic_nn": __version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in LIBRARIES}
    document = {"kind": KIND, "format": FORMAT, "versions": versions, **document}
    parts = {name: _json(part) for name, part in document.items()} | encoded
    signed = "{" + ",".join(f"{_json(name)}:{parts[name]}" for name in sorted(parts)) + "}"
    digests = {**digests, DESCRIPTION: _sha256(signed.encode())}
    # A line for each part: json indents a large document ten times as slowly as it writes it.
    parts = {n: json.dumps(part, allow_nan=False) for n, part in document.items()} | encoded
    lines = [
        f" {_json(name)}: {part}" for name, part in {**parts, "sha256": _json(digests)}.items()
    ]
    return DESCRIPTION, "{\n" + ",\n".join(lines) + "\n}\n"


def _ensemble(models: Mapping[str, Pipeline], weights: Mapping[str, float]) -> Ensemble:
    """Several models, which can be saved and loaded. Raises ModelError or ConfigError."""
    for name, model in models.items():
        _check_folder_name(name)
        if not isinstance(model, Pipeline) or not isinstance(model[0], CompetitionFeatures):
            raise ModelError(f"{name}: is not the model of one net on a competition's table")
    if len(competitions := {str(model[0].competition_) for model in models.values()}) != 1:
        raise ModelError(f"the models are of {len(competitions)} competitions, not of one")
    return Ensemble(models, weights)


def _check_folder_name(name: str) -> None:
    """Check that an ensemble's member can have a folder of this name. Raises ModelError."""
    taken = name in ("", ".", "..", DESCRIPTION, TENSORS) or len(name.encode()) > 200
    if taken or not name.isprintable() or any(char in name for char in "/\\:"):
        raise ModelError(f"weights: {shortened(name)} is no name for a model's folder")


def _net(folder: Path, document: _NetDocument) -> NetClassifier | Pipeline:
    """One net, in a folder with this description."""
    features = None
    with _naming(folder / DESCRIPTION):
        if document.features is not None:
            features = CompetitionFeatures.from_state(document.features)
            codes = list(range(len(get_competition(features.competition).schema.labels)))
            if document.classifier.classes.values != codes:
                raise ModelError(f"classifier.classes: the competition's are {codes}")
            columns = len(features.get_feature_names_out())
            if document.classifier.n_features != columns:
                raise ModelError(
                    f"classifier.n_features = {document.classifier.n_features}: the features are "
                    f"not those of the net, they make {columns} columns"
                )
    path = folder / TENSORS
    content = _read(path)
    with _naming(path):
        if _sha256(content) != document.sha256.get(TENSORS):
            raise ModelError("was damaged or changed after it was saved")
        classifier = _classifier(document.classifier, read_tensors(content))
    return (
        classifier if features is None else Pipeline([("features", features), ("net", classifier)])
    )


def _steps(model: NetClassifier | Pipeline) -> tuple[CompetitionFeatures | None, NetClassifier]:
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    *before, net = steps
    ours = [type(step) for step in before] in ([], [CompetitionFeatures])
    # A subclass may act otherwise than the class that would be loaded.
    if ours and isinstance(net, NetClassifier) and type(net) is classifier_class(net.Config):
        return (before[0] if before else None), net
    names = " and ".join(type(step).__name__ for step in steps)
    raise ConfigError(
        f"{names} cannot be saved; save one of the package's classifiers, or a Pipeline of "
        "CompetitionFeatures and one of them"
    )


def _classifier_state(classifier: NetClassifier) -> dict[str, Any]:
    classes = classifier.classes_
    if classes.dtype.kind not in LABELS:
        raise ConfigError(f"classes of type {classes.dtype} cannot be saved")
    config = classifier.config()
    names = getattr(classifier, "feature_names_in_", None)
    return {
        "net": spec_of(config).name,
        "config": asdict(config),
        "parameters": {name: _parameter(name, getattr(classifier, name)) for name in COMMON},
        "classes": {"dtype": classes.dtype.str, "values": classes.tolist()},
        "n_features": classifier.n_features_in_,
        "feature_names": None if names is None else [str(name) for name in names],
        "mean": None if classifier.mean_ is None else classifier.mean_.tolist(),
        "scale": None if classifier.scale_ is None else classifier.scale_.tolist(),
        "calibration": asdict(classifier.calibration_),
    }


def _classifier(
    state: _ClassifierState, params: Mapping[str, NDArray[np.float32]]
) -> NetClassifier:
    """A classifier with this state. Raises ModelError if the tensors are not its, or not finite."""
    parameters = asdict(state.parameters)
    try:
        classifier = NetClassifier.from_trained(
            state.net_config(),
            params,
            classes=state.classes.array(),
            n_features=state.n_features,
            seed=parameters.pop("random_state"),
            calibration=Calibration(**asdict(state.calibration)),
            mean=state.mean,
            scale=state.scale,
            feature_names=state.feature_names,
            **parameters,
        )
    except ValueError as error:
        raise ModelError(str(error)) from None
    for name, values in params.items():
        if not np.isfinite(values).all():
            raise ModelError(f"{name} has numbers that are not finite: the net diverged")
    return classifier


def _parameter(name: str, value: Any) -> Any:
    """A parameter as a JSON value."""
    if name == "random_state" and not isinstance(value, int):
        return None  # the state of a generator is not part of a fitted model
    # As pairs: the keys of a JSON object could only be text.
    return plain(list(value.items()) if isinstance(value, Mapping) else value)


def _document(path: Path) -> _NetDocument | _EnsembleDocument:
    """model.json, checked: it is a saved model's, in the known format, and as it was written."""
    content = _read(path)
    with _naming(path):
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
        if own != _sha256(_json(signed, allow_nan=True).encode()):
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
def _naming(path: Path) -> Iterator[None]:
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


def _json(value: Any, *, allow_nan: bool = False) -> str:
    """A value as JSON, always in the same way."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=allow_nan)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
