"""Saved models: a folder of two files, read without running anything that is in them.

`model.safetensors` holds the nets' tensors, `model.json` all else: parameters, classes, what was
fitted to features, versions, and checksums. Nothing is pickled, and no passenger's row is inside:
tickets and parties are there, counted, and the training passengers' numbers, without their labels.
So a training passenger is predicted as a new one who travels with themselves: judge a saved model
on other rows.
"""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensors_as_bytes
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from titanic_nn import __version__
from titanic_nn.errors import ModelError, ConfigError, TitanicError
from titanic_nn.estimators.calibration import Calibration, Ensemble
from titanic_nn.estimators.classifiers import CLASSIFIERS, NetClassifier
from titanic_nn.estimators.transformer import TitanicFeatures
from titanic_nn.files import write_folder
from titanic_nn.tables.encode import Encoder

# A classifier, passengers to numbers and then a classifier, or several of those together.
Model: TypeAlias = NetClassifier | Pipeline | Ensemble

KIND = "titanic_nn model"
FORMAT = 2
OPENED = 4  # of the nested objects in a description, with a line for each entry
DESCRIPTION, TENSORS = "model.json", "model.safetensors"
LARGEST = 2**30  # bytes of a file that is read at all
LIBRARIES = ("numpy", "scikit-learn", "torch", "safetensors")
BY_NAME = {classifier.__name__: classifier for classifier in CLASSIFIERS}
# What labels can be: numbers, truth values, text. "O" is text as pandas has it.
LABELS = "iufbUO"
# What goes wrong where a description says something else than `save` would have written.
_NOT_OURS = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    TitanicError,
    SafetensorError,
)


@dataclass(frozen=True)
class Saved:
    """What a folder holds: the model, and further numbers that belong to it."""

    model: Model
    extra: dict[str, Any] = field(default_factory=dict)


def save(model: Model, folder: str | Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write a fitted model into a new folder, which appears whole or not at all.

    Args:
        model: one of our classifiers, a Pipeline of TitanicFeatures and one of them, or an Ensemble
            of such Pipelines.
        folder: where to; it must not be there yet, or be empty.
        extra: further plain numbers that belong to the model; `read` gives them back.

    Raises:
        SettingsError: the folder holds something already, or the model is not one of these.
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
    write_folder(folder, model_files(model, extra))


def load(folder: str | Path) -> Model:
    """The model that `save` wrote, predicting the same to the last bit.

    Raises:
        ModelError: the folder is not one of ours, is damaged or was changed, or was written by a
            newer version.
    """
    return read(folder).model


def read(folder: str | Path) -> Saved:
    """The model and what else was saved with it; raises as `load` does."""
    folder = Path(folder)
    document = _document(folder / DESCRIPTION)
    if "weights" in document:
        return Saved(_ensemble(document["weights"], folder), document["extra"])
    content = _read(folder / TENSORS)
    if _sha256(content) != document["sha256"].get(TENSORS):
        raise ModelError(f"{folder / TENSORS}: was damaged or changed after it was saved")
    try:
        classifier = _classifier(document["classifier"], read_tensors(content))
        features = document["features"]
        if features is None:
            return Saved(classifier, document["extra"])
        pipeline = Pipeline([("features", _features(features)), ("net", classifier)])
        if len(pipeline[0].get_feature_names_out()) != classifier.n_features_in_:
            raise ValueError("the features are not those of the net")
    except _NOT_OURS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{folder}: does not hold a model as titanic_nn saves it ({reason})"
        ) from None
    return Saved(pipeline, document["extra"])


def model_files(
    model: Model, extra: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, str | bytes]]:
    """The files of a saved model, name and content; arguments and errors are those of `save`."""
    if isinstance(model, Ensemble):
        yield _description({"weights": dict(model.weights)}, extra, {})
        for name, member in model.models.items():
            for file, content in model_files(member):
                yield f"{name}/{file}", content
        return
    features, classifier = _parts(model)
    check_is_fitted(classifier)
    tensors: bytes = tensors_as_bytes(classifier.params_)
    document = {
        "features": None if features is None else _features_state(features),
        "classifier": _classifier_state(classifier),
    }
    yield _description(document, extra, {TENSORS: _sha256(tensors)})
    yield TENSORS, tensors


def _description(
    document: Mapping[str, Any], extra: Mapping[str, Any] | None, digests: Mapping[str, str]
) -> tuple[str, str]:
    """model.json: what it says, by which versions, and checksums of itself and of other files."""
    versions = {name: version(name) for name in LIBRARIES}
    document = {
        "kind": KIND,
        "format": FORMAT,
        "versions": {
            "titanic_nn": __version__,
            "python": platform.python_version(),
            **versions,
        },
        **document,
        "extra": dict(extra or {}),
    }
    digests = {**digests, DESCRIPTION: _sha256(_canonical(document))}
    return DESCRIPTION, _readable({**document, "sha256": digests}) + "\n"


def _readable(value: Any, depth: int = 0) -> str:
    """JSON with a line for each entry of the outer objects, and long lists on one."""
    names = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    if not names or not value or depth == OPENED:
        return json.dumps(value, allow_nan=False)
    margin = " " * depth
    entries = (f"{margin} {json.dumps(k)}: {_readable(v, depth + 1)}" for k, v in value.items())
    return "{\n" + ",\n".join(entries) + f"\n{margin}}}"


def _ensemble(weights: Mapping[str, float], folder: Path) -> Ensemble:
    """Several models that lie in folders of their own, below."""
    models = {}
    for name in weights:
        model = read(folder / Path(name).name).model
        if not isinstance(model, Pipeline):
            raise ModelError(f"{folder / name}: does not go from passengers to probabilities")
        models[name] = model
    return Ensemble(models, {name: float(weight) for name, weight in weights.items()})


def _parts(model: NetClassifier | Pipeline) -> tuple[TitanicFeatures | None, NetClassifier]:
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    match steps:
        case [NetClassifier() as classifier]:
            return None, classifier
        case [TitanicFeatures() as features, NetClassifier() as classifier]:
            return features, classifier
    names = " and ".join(type(step).__name__ for step in steps)
    raise ConfigError(
        f"{names} cannot be saved; save {', '.join(BY_NAME)}, or a Pipeline of TitanicFeatures "
        "and one of them"
    )


def _features_state(features: TitanicFeatures) -> dict[str, Any]:
    return {
        "parameters": features.get_params(),
        "columns": _names(features),
        "encoder": features.encoder_.state(),
    }


def _features(state: Mapping[str, Any]) -> TitanicFeatures:
    features = TitanicFeatures(**state["parameters"])
    return features.set_fitted(Encoder.from_state(state["encoder"]), state["columns"])


def _classifier_state(classifier: NetClassifier) -> dict[str, Any]:
    parameters = {name: _json_value(name, v) for name, v in classifier.get_params().items()}
    if classifier.classes_.dtype.kind not in LABELS:
        raise ConfigError(f"classes of type {classifier.classes_.dtype} cannot be saved")
    return {
        "class": type(classifier).__name__,
        "parameters": parameters,
        "classes": {"dtype": classifier.classes_.dtype.str, "values": classifier.classes_.tolist()},
        "features": classifier.n_features_in_,
        "names": _names(classifier),
        "mean": None if classifier.mean_ is None else classifier.mean_.tolist(),
        "scale": None if classifier.scale_ is None else classifier.scale_.tolist(),
        "calibration": asdict(classifier.calibration_),
    }


def _classifier(state: Mapping[str, Any], params: dict[str, NDArray[np.float32]]) -> NetClassifier:
    values = dict(state["parameters"])
    if isinstance(values["class_weight"], list):
        values["class_weight"] = dict(values["class_weight"])
    if "hidden" in values and isinstance(values["hidden"], list):
        values["hidden"] = tuple(values["hidden"])
    classifier = BY_NAME[state["class"]](**values)
    dtype = np.dtype(state["classes"]["dtype"])
    if dtype.kind not in LABELS:
        raise ValueError(f"classes of type {dtype}")
    classifier.classes_ = np.array(state["classes"]["values"], dtype=dtype)
    classifier.n_features_in_ = int(state["features"])
    if state["names"] is not None:
        classifier.feature_names_in_ = np.array(state["names"], dtype=object)
    for name in ("mean", "scale"):
        values_or_none = state[name]
        array = None if values_or_none is None else np.array(values_or_none, dtype=np.float64)
        if array is not None and array.shape != (classifier.n_features_in_,):
            raise ValueError(f"{name} of shape {array.shape}")
        setattr(classifier, f"{name}_", array)
    calibration = {name: float(value) for name, value in state["calibration"].items()}
    classifier.params_, classifier.calibration_ = params, Calibration(**calibration)
    if {name: (p.shape, p.dtype.str) for name, p in params.items()} != _shapes(classifier):
        raise ValueError("the tensors are not those of the net")
    return classifier


def _shapes(classifier: NetClassifier) -> dict[str, tuple[tuple[int, ...], str]]:
    """What the tensors of such a net look like."""
    outputs = len(classifier.classes_) if len(classifier.classes_) > 2 else 1
    n_seeds = classifier.checked_n_seeds()
    stored = sum(p.size for p in classifier.params_.values())

    def blank(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        # Not on torch's "meta" device, which takes no memory and a second to import.
        if n_seeds * prod(shape) > stored:
            raise ValueError("the tensors are not those of the net")
        return torch.zeros(n_seeds, *shape)

    params = classifier.net().init(classifier.n_features_in_, outputs, blank)
    return {name: (tuple(p.shape), "<f4") for name, p in params.items()}


def _names(estimator: BaseEstimator) -> list[str] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _json_value(name: str, value: Any) -> Any:
    """A parameter as JSON has it."""
    if name == "random_state" and not isinstance(value, int):
        return None  # a generator: what it would have drawn next is not part of a fitted model
    if isinstance(value, Mapping):
        value = list(value.items())  # JSON's own keys could only be text
    if isinstance(value, list | tuple):
        return [_json_value("", item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _document(path: Path) -> dict[str, Any]:
    """model.json, known to be ours, of a format that is understood, and as it was written."""
    try:
        document = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: is not JSON; it is no saved model, or damaged") from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ModelError(f"{path}: is not the description of a titanic_nn model")
    if document.get("format") != FORMAT:
        versions = document.get("versions")
        by = versions.get("titanic_nn", "?") if isinstance(versions, dict) else "?"
        raise ModelError(
            f"{path}: was saved in format {document.get('format')!r} by titanic_nn {by}; version "
            f"{__version__} reads format {FORMAT}. Upgrade titanic_nn, or train again"
        )
    digests = document.pop("sha256", None)
    if not isinstance(digests, dict) or digests.get(DESCRIPTION) != _sha256(_canonical(document)):
        raise ModelError(f"{path}: was damaged or changed after it was saved")
    return {**document, "sha256": digests}


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError(f"{path}: is larger than any model of titanic_nn's")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); name a folder that a model was saved in"
        ) from None


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
