"""Saved models: a folder of two files, which is read without running anything from it.

`model.safetensors` holds the nets' tensors; `model.json` all else: settings, classes, what was
fitted to features, versions and checksums. Nothing is pickled, and no row of a table is inside:
groups of rows are, as counts, and the training rows' ids, without labels. So a training row is
predicted like a new one that belongs to its own group: evaluate a saved model on other rows.
"""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensors_as_bytes
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from titanic_nn.config import check_config
from titanic_nn.errors import ConfigError, ModelError
from titanic_nn.estimators.calibration import Calibration, Ensemble
from titanic_nn.estimators.classifiers import COMMON, NetClassifier, classifier_class, plain
from titanic_nn.estimators.transformer import CompetitionFeatures
from titanic_nn.files import write_folder
from titanic_nn.nets.registry import NETS, spec_of
from titanic_nn.version import __version__

# A classifier, a transformer and then a classifier, or several of the latter together.
Model: TypeAlias = NetClassifier | Pipeline | Ensemble

KIND = "titanic_nn model"
FORMAT = 3
DESCRIPTION, TENSORS = "model.json", "model.safetensors"
LARGEST = 2**30  # bytes of a file that is read at all
LIBRARIES = ("numpy", "scikit-learn", "torch", "safetensors")
# The types that labels can have: numbers, truth values, text. "O" is text in pandas.
LABELS = "iufbUO"


def save(model: Model, folder: str | Path) -> None:
    """Write a fitted model into a new folder, which appears whole or not at all.

    Args:
        model: one of the package's classifiers, a Pipeline of CompetitionFeatures and one of them,
            or an Ensemble of such Pipelines.
        folder: where to write; it must not exist yet, or be empty.

    Raises:
        ConfigError: the folder holds something already, or the model is not one of these.
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
    try:
        if "weights" in document:
            return _ensemble(document["weights"], folder)
        content = _read(folder / TENSORS)
        if _sha256(content) != document["sha256"].get(TENSORS):
            raise ModelError(f"{folder / TENSORS}: was damaged or changed after it was saved")
        classifier = _classifier(document["classifier"], read_tensors(content))
        if document["features"] is None:
            return classifier
        features = CompetitionFeatures.from_state(document["features"])
        if len(features.get_feature_names_out()) != classifier.n_features_in_:
            raise ValueError("the features are not those of the net")
    except ModelError:
        raise
    except Exception as error:  # a description that `save` did not write may raise any
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{folder}: does not hold a model as titanic_nn saves it ({reason})"
        raise ModelError(message) from None
    return Pipeline([("features", features), ("net", classifier)])


def model_files(model: Model) -> Iterator[tuple[str, str | bytes]]:
    """The files of a saved model, name and content; argument and errors are those of `save`."""
    if isinstance(model, Ensemble):
        yield _description({"weights": dict(model.weights)}, {})
        for name, member in model.models.items():
            for file, content in model_files(member):
                yield f"{name}/{file}", content
        return
    features, classifier = _steps(model)
    check_is_fitted(classifier)
    tensors: bytes = tensors_as_bytes(classifier.params_)
    document = {
        "features": None if features is None else features.state(),
        "classifier": _classifier_state(classifier),
    }
    yield _description(document, {TENSORS: _sha256(tensors)})
    yield TENSORS, tensors


def _description(document: Mapping[str, Any], digests: Mapping[str, str]) -> tuple[str, str]:
    """model.json: a document, the versions that wrote it, checksums of itself and other files."""
    versions = {"titanic_nn": __version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in LIBRARIES}
    document = {"kind": KIND, "format": FORMAT, "versions": versions, **document}
    digests = {**digests, DESCRIPTION: _sha256(_canonical(document))}
    text = json.dumps({**document, "sha256": digests}, indent=1, allow_nan=False)
    return DESCRIPTION, text + "\n"


def _ensemble(weights: Mapping[str, float], folder: Path) -> Ensemble:
    """Several models, each in a folder of its own below."""
    models = {name: load(folder / Path(name).name) for name in weights}
    for name, model in models.items():
        if not isinstance(model, Pipeline):
            raise ModelError(f"{folder / name}: does not go from a table to probabilities")
    return Ensemble(models, {name: float(weight) for name, weight in weights.items()})


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


def _classifier(state: Mapping[str, Any], params: dict[str, NDArray[np.float32]]) -> NetClassifier:
    dtype = np.dtype(state["classes"]["dtype"])
    if dtype.kind not in LABELS:
        raise ValueError(f"classes of type {dtype}")
    parameters = dict(state["parameters"])
    if isinstance(parameters["class_weight"], list):
        parameters["class_weight"] = dict(parameters["class_weight"])
    return NetClassifier.from_trained(
        check_config(NETS[state["net"]].config, state["config"]),
        params,
        classes=np.array(state["classes"]["values"], dtype=dtype),
        n_features=int(state["n_features"]),
        seed=parameters.pop("random_state"),
        calibration=Calibration(**{name: float(v) for name, v in state["calibration"].items()}),
        mean=state["mean"],
        scale=state["scale"],
        feature_names=state["feature_names"],
        **parameters,
    )


def _parameter(name: str, value: Any) -> Any:
    """A parameter as a JSON value."""
    if name == "random_state" and not isinstance(value, int):
        return None  # the state of a generator is not part of a fitted model
    # As pairs: the keys of a JSON object could only be text.
    return plain(list(value.items()) if isinstance(value, Mapping) else value)


def _document(path: Path) -> dict[str, Any]:
    """model.json, checked: it is a saved model's, in the known format, and as it was written."""
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
            raise ModelError(f"{path}: is larger than any model of titanic_nn")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); name a folder that a model was saved in"
        ) from None


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
