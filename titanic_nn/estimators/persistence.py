"""Fitted models are saved in folders of two files, and loaded; saved.py describes the files."""

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from safetensors.numpy import save as tensors_as_bytes
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from titanic_nn.competitions.competition import Competition
from titanic_nn.errors import ConfigError, ModelError
from titanic_nn.estimators.calibration import Ensemble
from titanic_nn.estimators.classifiers import COMMON, NetClassifier, classifier_class, plain
from titanic_nn.estimators.saved import (
    DESCRIPTION,
    FORMAT,
    KIND,
    LABELS,
    TENSORS,
    ClassifierState,
    SavedModel,
    SavedNet,
    as_json,
    check_folder_name,
    check_one_competition,
    fitted_nets,
    read_model,
    sha256,
)
from titanic_nn.estimators.transformer import CompetitionFeatures
from titanic_nn.files import write_folder
from titanic_nn.nets.registry import spec_of
from titanic_nn.tables.state import check_state
from titanic_nn.version import __version__

# A classifier, a transformer and then a classifier, or several of the latter together.
Model: TypeAlias = NetClassifier | Pipeline | Ensemble
# The JSON of transformers, by their encoder, competition and columns.
Transformers: TypeAlias = dict[tuple[Any, ...], str]

LIBRARIES = ("numpy", "scikit-learn", "torch", "safetensors")


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
    return _restored(read_model(Path(folder)))


def load_with_competition(folder: Path) -> tuple[Pipeline | Ensemble, Competition]:
    """A saved model that reads a competition's table, and the competition.

    Raises ModelError as `load` does, and for a model that reads no table.
    """
    saved = read_model(folder)
    competition = saved.competition
    return _restored(saved), competition


def _restored(saved: SavedModel) -> Any:
    """The estimators of a saved model."""
    models = {name: _restored_net(net) for name, net in saved.models.items()}
    if saved.weights is not None:
        return Ensemble(models, saved.weights)
    (only,) = models.values()
    return only


def _restored_net(saved: SavedNet) -> Any:
    """The classifier or Pipeline of one saved net."""
    state, nets = saved.state, saved.nets
    parameters = asdict(state.parameters)
    classifier = NetClassifier.from_trained(
        state.net_config(),
        nets.params,
        classes=state.classes.array(),
        n_features=state.n_features,
        seed=parameters.pop("random_state"),
        calibration=nets.calibration,
        mean=nets.mean,
        scale=nets.scale,
        feature_names=state.feature_names,
        **parameters,
    )
    if (encoder := saved.encoder) is None:
        return classifier
    features = CompetitionFeatures.from_encoder(
        encoder.competition, encoder.encoder_, encoder.columns
    )
    return Pipeline([("features", features), ("net", classifier)])


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
        fitted_nets(check_state(ClassifierState, state, "classifier"), classifier.params_)
    except ModelError as error:
        raise ModelError(f"the model cannot be saved: {error}") from None
    tensors: bytes = tensors_as_bytes(classifier.params_)
    encoded = _transformer(features, transformers)
    yield _description({"classifier": state}, {TENSORS: sha256(tensors)}, features=encoded)
    yield TENSORS, tensors


def _transformer(features: CompetitionFeatures | None, known: Transformers) -> str:
    """The transformer's state as JSON, which takes long to make where the table is long."""
    if features is None:
        return as_json(None)
    key = id(features.encoder_), str(features.competition_), *features.feature_names_in_
    if key not in known:
        known[key] = as_json(features.state())
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
    parts = {name: as_json(part) for name, part in document.items()} | encoded
    signed = "{" + ",".join(f"{as_json(name)}:{parts[name]}" for name in sorted(parts)) + "}"
    digests = {**digests, DESCRIPTION: sha256(signed.encode())}
    # A line for each part: json indents a large document ten times as slowly as it writes it.
    parts = {n: json.dumps(part, allow_nan=False) for n, part in document.items()} | encoded
    lines = [
        f" {as_json(name)}: {part}" for name, part in {**parts, "sha256": as_json(digests)}.items()
    ]
    return DESCRIPTION, "{\n" + ",\n".join(lines) + "\n}\n"


def _ensemble(models: Mapping[str, Pipeline], weights: Mapping[str, float]) -> Ensemble:
    """Several models, which can be saved and loaded. Raises ModelError or ConfigError."""
    for name, model in models.items():
        check_folder_name(name)
        if not isinstance(model, Pipeline) or not isinstance(model[0], CompetitionFeatures):
            raise ModelError(f"{name}: is not the model of one net on a competition's table")
    check_one_competition(model[0].competition_ for model in models.values())
    return Ensemble(models, weights)


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


def _parameter(name: str, value: Any) -> Any:
    """A parameter as a JSON value."""
    if name == "random_state" and not isinstance(value, int):
        return None  # the state of a generator is not part of a fitted model
    # As pairs: the keys of a JSON object could only be text.
    return plain(list(value.items()) if isinstance(value, Mapping) else value)
