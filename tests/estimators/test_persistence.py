"""Saved models are loaded as they were, hold no row of a table, and anything else is refused."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from titanic_nn import (
    CompetitionFeatures,
    DeepClassifier,
    LinearClassifier,
    ReLUClassifier,
    ResNetClassifier,
    load,
    load_tables,
    save,
)
from titanic_nn.errors import ConfigError, ModelError
from titanic_nn.estimators.calibration import Calibration, Ensemble
from titanic_nn.estimators.classifiers import NetClassifier

QUICK: dict[str, Any] = {"epochs": 3, "n_seeds": 2, "device": "cpu", "random_state": 0}
TABLES = load_tables()


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    model = make_pipeline(CompetitionFeatures(), ReLUClassifier(**QUICK))
    return model.fit(TABLES.train, TABLES.y)


@pytest.fixture
def folder(tmp_path: Path, pipeline: Pipeline) -> Path:
    save(pipeline, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (LinearClassifier(**QUICK), [0, 1, 2]),
        (ReLUClassifier(class_weight={"b": 2.5}, standardize=False, **QUICK), ["a", "b", "c"]),
        (ReLUClassifier(class_weight={0: np.float64(3)}, **QUICK), [0, 1, 1]),
        (
            DeepClassifier(
                hidden_sizes=[8, 4], normalization="batch", **{**QUICK, "random_state": None}
            ),
            [False, True, True],
        ),
        (DeepClassifier(normalization="layer", activation="gelu", **QUICK), [-10, 20, 20]),
        (ResNetClassifier(n_blocks=1, **QUICK), [0, 1, 2]),
    ],
    ids=str,
)
def test_a_classifier_comes_back_to_the_last_bit(tmp_path: Path, model: Any, labels: Any) -> None:
    x, y = load_iris(return_X_y=True, as_frame=True)
    y = np.array(labels)[y]
    model = clone(model).fit(x, y)
    save(model, tmp_path / "model")
    again: Any = load(tmp_path / "model")
    assert type(again) is type(model)
    assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    assert_array_equal(again.predict(x), model.predict(x))
    assert again.classes_.dtype == model.classes_.dtype
    assert_array_equal(again.feature_names_in_, model.feature_names_in_)
    assert_array_equal(clone(again).fit(x, y).predict(x).shape, (150,))


def test_a_pipeline_comes_back_to_the_last_bit(folder: Path, pipeline: Pipeline) -> None:
    again: Any = load(folder)
    expected = pipeline.predict_proba(TABLES.test)
    assert_array_equal(again.predict_proba(TABLES.test), expected)
    assert again[0].get_params() == pipeline[0].get_params()
    # A training row is still recognized, and not counted a second time.
    shared = again[0].get_feature_names_out().tolist().index("ticket shared by")
    before, after = (m[0].transform(TABLES.train) for m in (pipeline, again))
    assert_array_equal(after[:, shared], before[:, shared])


def test_two_small_files_without_a_row(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(files) == {"model.json", "model.safetensors"}
    assert sum(map(len, files.values())) < 2**20
    everything = b"".join(files.values()).decode("latin-1")
    for name in TABLES.train["Name"]:
        assert name not in everything
    # Nothing in it is as long as the training table, but the ids of its rows.
    long = [key for key, value in _walk(json.loads(files["model.json"])) if _length(value) >= 891]
    assert long == ["counted"]


def _walk(value: Any, key: str = "") -> list[tuple[str, Any]]:
    below = value.items() if isinstance(value, dict) else []
    return [(key, value), *(pair for k, v in below for pair in _walk(v, k))]


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else 0


def test_nothing_is_overwritten(folder: Path, pipeline: Pipeline) -> None:
    with pytest.raises(ConfigError, match="is there already"):
        save(pipeline, folder)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        save(LinearClassifier(), tmp_path / "a")
    with pytest.raises(ConfigError, match="LogisticRegression cannot be saved"):
        save(make_pipeline(LogisticRegression()), tmp_path / "b")

    class Other(LinearClassifier):
        """A subclass, which may act otherwise."""

    with pytest.raises(ConfigError, match="Other cannot be saved"):
        save(Other(), tmp_path / "c")
    assert not list(tmp_path.iterdir())


def rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A description that is changed together with its checksum."""

    def spoil(folder: Path) -> None:
        from titanic_nn.estimators.persistence import _canonical, _sha256

        path = folder / "model.json"
        document = json.loads(path.read_text())
        change(document)
        digests = document.pop("sha256")
        digests["model.json"] = _sha256(_canonical(document))
        path.write_text(json.dumps({**document, "sha256": digests}))

    return spoil


def edited(old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "model.json"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return spoil


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-7] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def truncate(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:-100])

    return spoil


def other_tensors(folder: Path) -> None:
    from safetensors.numpy import save as tensors_as_bytes

    from titanic_nn.estimators.persistence import _sha256

    content = tensors_as_bytes({"w1": np.zeros((2, 3), np.float32)})
    (folder / "model.safetensors").write_bytes(content)
    rewritten(lambda d: d["sha256"].update({"model.safetensors": _sha256(content)}))(folder)


def huge_header(folder: Path) -> None:
    from titanic_nn.estimators.persistence import _sha256

    content = struct.pack("<Q", 2**60) + b"{}"
    (folder / "model.safetensors").write_bytes(content)
    rewritten(lambda d: d["sha256"].update({"model.safetensors": _sha256(content)}))(folder)


class Evil:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("it was unpickled",))


def pickled(folder: Path) -> None:
    import pickle

    (folder / "model.json").write_bytes(pickle.dumps(Evil()))


CHANGED = "was damaged or changed after it was saved"
NOT_OURS = "does not hold a model as titanic_nn saves it"
SPOILERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no description": (lambda f: (f / "model.json").unlink(), "model.json: cannot be read"),
    "no tensors": (lambda f: (f / "model.safetensors").unlink(), "safetensors: cannot be read"),
    "truncated description": (truncate("model.json"), "model.json: is not JSON"),
    "truncated tensors": (truncate("model.safetensors"), CHANGED),
    "a flipped bit": (flip_a_bit, CHANGED),
    "another number": (edited("0.01", "0.02"), CHANGED),
    "a newer version": (edited('"format": 3', '"format": 4'), "reads format 3. Upgrade titanic_nn"),
    "someone else's JSON": (lambda f: (f / "model.json").write_text("[1]"), "is not the descript"),
    "a pickle": (pickled, "is not JSON"),
    "an unknown net": (rewritten(lambda d: d["classifier"].update({"net": "os"})), NOT_OURS),
    "an unknown competition": (
        rewritten(lambda d: d["features"].update({"competition": "other"})),
        "competition 'other' is not known here",
    ),
    "a huge net": (
        rewritten(lambda d: d["classifier"]["config"].update(hidden_size=10**12)),
        NOT_OURS,
    ),
    "weights that are none": (rewritten(lambda d: d.update(weights=7)), NOT_OURS),
    "no number of features": (
        rewritten(lambda d: d["classifier"].update(n_features=float("inf"))),
        NOT_OURS,
    ),
    "no encoder": (rewritten(lambda d: d["features"].pop("encoder")), NOT_OURS),
    "fewer features": (
        rewritten(lambda d: d["features"]["encoder"]["scaling"].popitem()),
        "the features are not those of the net",
    ),
    "other tensors": (other_tensors, "the tensors are not those of the net"),
    "a huge header": (huge_header, NOT_OURS),
}


@pytest.mark.parametrize("how", SPOILERS)
def test_a_folder_that_is_not_as_it_was_saved_is_refused(folder: Path, how: str) -> None:
    spoil, error = SPOILERS[how]
    spoil(folder)
    with pytest.raises(ModelError, match=re.escape(error)) as refused:
        load(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="name a folder that a model was saved in"):
        load(tmp_path / "nowhere")


def calibrated(net: NetClassifier) -> NetClassifier:
    return NetClassifier.from_trained(
        net.config(),
        net.params_,
        classes=net.classes_,
        n_features=net.n_features_in_,
        seed=0,
        calibration=Calibration(0.5, -0.25),
        mean=net.mean_,
        scale=net.scale_,
    )


def test_an_ensemble_comes_back_to_the_last_bit(tmp_path: Path, pipeline: Pipeline) -> None:
    other = clone(pipeline).fit(TABLES.train, 1 - TABLES.y)
    other.steps[-1] = ("net", calibrated(other[-1]))
    ensemble = Ensemble({"a": pipeline, "b": other}, {"a": 0.3, "b": 0.7})
    save(ensemble, tmp_path / "ensemble")
    again = load(tmp_path / "ensemble")
    expected = ensemble.predict_proba(TABLES.test)
    each = [m.predict_proba(TABLES.test) for m in (pipeline, other)]
    assert_array_equal(expected, 0.3 * each[0].astype(float) + 0.7 * each[1].astype(float))
    assert_array_equal(again.predict_proba(TABLES.test), expected)
    assert_array_equal(again.predict(TABLES.test), (expected[:, 1] >= 0.5).astype(int))
    (tmp_path / "ensemble" / "b" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load(tmp_path / "ensemble")
