"""Saved models are loaded as they were, hold no row of a table, and anything else is refused."""

import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forged_models import (
    DESCRIPTION,
    Forgery,
    dropped,
    filled,
    is_valid,
    mutations,
    put,
    rewritten,
    sealed,
    with_number,
    with_tensor_bytes,
    with_tensors,
)
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
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


class Evil:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("it was unpickled",))


def pickled(folder: Path) -> None:
    import pickle

    (folder / "model.json").write_bytes(pickle.dumps(Evil()))


def a_folder(name: str) -> Forgery:
    def forge(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return forge


def a_pipe(name: str) -> Forgery:
    def forge(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return forge


def linked(name: str, to: str | None = None) -> Forgery:
    """A link to the file itself, elsewhere, or to another one."""

    def forge(folder: Path) -> None:
        elsewhere = (folder / name).rename(folder.parent / name)
        (folder / name).symlink_to(to or elsewhere)

    return forge


def written(content: bytes) -> Forgery:
    return lambda folder: (folder / "model.json").write_bytes(content)


def huge(folder: Path) -> None:
    with (folder / "model.json").open("r+b") as file:
        file.truncate(2**28 + 1)  # takes no room on the disk


def twice(key: str) -> Forgery:
    return edited(f'"{key}"', f'"{key}": 0, "{key}"')


CLASSIFIER, ENCODER = ("classifier",), ("features", "encoder")
CLASSES, COMPANIONS = (*CLASSIFIER, "classes"), (*ENCODER, "fitted", "companions")
COUNTS = (*COMPANIONS, "party_counts")
CHANGED = "was damaged or changed after it was saved"
SPOILERS: dict[str, tuple[Forgery, str]] = {
    "no description": (lambda f: (f / "model.json").unlink(), "model.json: cannot be read"),
    "no tensors": (lambda f: (f / "model.safetensors").unlink(), "safetensors: cannot be read"),
    "a folder": (a_folder("model.json"), "model.json: cannot be read as a file: Is a directory"),
    "a pipe": (a_pipe("model.json"), "model.json: cannot be read as a file: it is a pipe"),
    "a pipe for tensors": (a_pipe("model.safetensors"), "cannot be read as a file: it is a pipe"),
    "a device": (linked("model.json", "/dev/zero"), "model.json: is a link"),
    "a link": (linked("model.safetensors"), "model.safetensors: is a link"),
    "a large description": (huge, f"model.json: has {2**28 + 1} bytes, more than"),
    "truncated description": (truncate("model.json"), "model.json: is not JSON"),
    "truncated tensors": (truncate("model.safetensors"), CHANGED),
    "a flipped bit": (flip_a_bit, CHANGED),
    "another number": (edited("0.01", "0.02"), CHANGED),
    "nothing": (written(b""), "is not JSON"),
    "nested": (written(b"[" * 100_000), "is not JSON"),
    "a number of digits": (written(b'{"kind": %s}' % (b"9" * 10_000)), "is not JSON"),
    "UTF-16": (written("{}".encode("utf-16")), "is not JSON"),
    "Latin-1": (written('{"kind": "é"}'.encode("latin-1")), "is not JSON"),
    "a key twice": (twice("format"), "has one key twice"),
    "a newer version": (edited('"format": 3', '"format": 4'), "reads format 3. Upgrade titanic_nn"),
    "an older version": (edited('"format": 3', '"format": 2'), "was saved in format 2 by"),
    "someone else's JSON": (written(b"[1]"), "is not the descript"),
    "a pickle": (pickled, "is not JSON"),
    "an unknown field": (put(*CLASSIFIER, "extra", to=1), "classifier.extra: there is no such"),
    "an unknown net": (put(*CLASSIFIER, "net", to="os"), "classifier: there is no net 'os'"),
    "an unknown competition": (
        put("features", "competition", to="other"),
        "competition 'other' is not known here",
    ),
    "a huge net": (put(*CLASSIFIER, "config", "hidden_size", to=10**8), "too few numbers"),
    "a setting less": (
        dropped(*CLASSIFIER, "config", "hidden_size"),
        "classifier.config.hidden_size is missing",
    ),
    "many nets": (
        put(*CLASSIFIER, "parameters", "n_seeds", to=10**12),
        "classifier.parameters.n_seeds = 1000000000000: input should be less than",
    ),
    "another number of nets": (
        put(*CLASSIFIER, "parameters", "n_seeds", to=10**9),
        "the tensors are not those of the net",
    ),
    "weights that are none": (put("weights", to=7), "classifier: there is no such field"),
    "no number of features": (
        put(*CLASSIFIER, "n_features", to=float("inf")),
        "classifier.n_features = inf: input should be a valid integer",
    ),
    "swapped classes": (
        put(*CLASSES, "values", to=[1, 0]),
        "classifier.classes: the labels do not",
    ),
    "equal classes": (put(*CLASSES, "values", to=[0, 0]), "classifier.classes: the labels do not"),
    "one class": (put(*CLASSES, "values", to=[0]), "classifier.classes.values = [0]"),
    "three classes": (
        put(*CLASSES, "values", to=[0, 1, 2]),
        "classifier.classes: the competition's are [0, 1]",
    ),
    "another competition's classes": (
        put(*CLASSES, to={"dtype": "<U6", "values": ["croaks", "silent"]}),
        "classifier.classes: the competition's are [0, 1]",
    ),
    "classes that are cut off": (
        put(*CLASSES, to={"dtype": "<U1", "values": ["aa", "ab"]}),
        "no array of type <U1 has these labels",
    ),
    "classes of gigabytes": (
        put(*CLASSES, to={"dtype": "<U400000000", "values": ["a", "b"]}),
        "the labels are too long",
    ),
    "another type of classes": (
        put(*CLASSES, "dtype", to="<M8"),
        "classifier.classes.dtype = '<M8'",
    ),
    "a slope that is no number": (
        put(*CLASSIFIER, "calibration", "slope", to=float("nan")),
        "classifier.calibration.slope = nan: input should be a finite number",
    ),
    "no encoder": (dropped("features", "encoder"), "features.encoder is missing"),
    "no medians": (dropped(*ENCODER, "medians"), "encoder.medians is missing"),
    "no median of everyone": (
        dropped(*ENCODER, "medians", "age", "everyone"),
        "encoder.medians.age.everyone is missing",
    ),
    "a median that is no number": (
        put(*ENCODER, "medians", "age", "Mr, 3", to=float("nan")),
        "encoder.medians.age['Mr, 3'] = nan",
    ),
    "scale 0": (put(*ENCODER, "scaling", "age", to=[0, 0]), "encoder.scaling.age[1] = 0"),
    "a scale of text": (
        put(*ENCODER, "scaling", "age", to=[0, "x"]),
        "encoder.scaling.age[1] = 'x'",
    ),
    "a column of nothing": (
        put(*ENCODER, "scaling", "beard", to=[0, 1]),
        "encoder.scaling: there is no column 'beard'",
    ),
    "fewer features": (
        rewritten(lambda d: d["features"]["encoder"]["scaling"].popitem()),
        "the features are not those of the net",
    ),
    "categories in another order": (
        put(*ENCODER, "categories", "sex", to=["male", "female"]),
        "encoder.categories.sex do not rise",
    ),
    "counts of gigabytes": (
        put(*COUNTS, "shape", to=[10**9, 12, 2]),
        "companions.party_counts: there are more groups than counts",
    ),
    "a position out of range": (put(*COUNTS, "at", -1, to=10**9), "outside the shape"),
    "a party out of range": (
        put(*COMPANIONS, "party_of", "same_ticket", to={"a": 10**6}),
        "party_of names a party that is none",
    ),
    "a column of the table less": (dropped("features", "columns", 5), "features.columns: "),
    "tensors of another net": (
        with_tensors(lambda t: t.update(w1=np.zeros((2, 3), np.float32))),
        "the tensors are not those of the net",
    ),
    "a tensor less": (with_tensors(lambda t: t.pop("b2")), "not those of the net: 'b2' differs"),
    "a tensor more": (with_tensors(lambda t: t.update(w3=t["w2"])), "of the net: 'w3' differs"),
    "another type of number": (
        with_tensors(lambda t: t.update(w2=t["w2"].astype(np.float64))),
        "not those of the net: 'w2' differs",
    ),
    "a weight that is no number": (with_number("w1", np.nan), "w1 has numbers that are not finite"),
    "an infinite bias": (with_number("b2", np.inf), "b2 has numbers that are not finite"),
    "a huge header": (
        with_tensor_bytes(lambda _: struct.pack("<Q", 2**60) + b"{}"),
        "model.safetensors: does not hold a model as titanic_nn saves it",
    ),
}


@pytest.mark.parametrize("how", SPOILERS)
def test_a_folder_that_is_not_as_it_was_saved_is_refused(folder: Path, how: str) -> None:
    spoil, error = SPOILERS[how]
    spoil(folder)
    with pytest.raises(ModelError, match=re.escape(error)) as refused:
        load(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_description_is_refused_or_predicts_whatever_is_changed_in_it(tmp_path: Path) -> None:
    """Each field, one after the other: no traceback, no warning, no impossible probability."""
    model = make_pipeline(CompetitionFeatures(), LinearClassifier(**QUICK))
    save(model.fit(TABLES.train[:60], TABLES.y[:60]), tmp_path / "model")
    description = tmp_path / "model" / DESCRIPTION
    tried, refused, rows = 0, 0, TABLES.test[:4]
    for name, document in mutations(json.loads(description.read_bytes())):
        description.write_bytes(sealed(document))
        tried += 1
        try:
            changed: Any = load(tmp_path / "model")
        except ModelError as error:
            refused += 1
            message = str(error)
            assert message.startswith(str(tmp_path / "model")), name
            assert "\n" not in message, name
            assert len(message) < len(str(description)) + 300, name
            assert "does not hold a model" not in message, name  # the schema refuses, not a crash
            continue
        x = rows if isinstance(changed, Pipeline) else np.zeros((4, changed.n_features_in_))
        try:
            assert is_valid(changed.predict_proba(x)), name
        except ValueError as error:  # numbers that overflow
            if "large" not in str(error):
                raise
    assert refused > 0.8 * tried > 1000


def test_numbers_that_overflow_are_an_error_not_a_probability(folder: Path) -> None:
    filled(3e38)(folder)
    with pytest.raises(ValueError, match="Row 0 of X holds numbers so large"):
        load(folder).predict_proba(TABLES.test)


def test_columns_are_found_by_name_in_a_description_whose_keys_were_sorted(
    folder: Path, pipeline: Pipeline
) -> None:
    text = json.dumps(json.loads((folder / DESCRIPTION).read_bytes()), sort_keys=True)
    (folder / DESCRIPTION).write_text(text)
    again = load(folder)
    assert_array_equal(again.predict_proba(TABLES.test), pipeline.predict_proba(TABLES.test))


def spoiled(name: str, value: Any) -> Callable[[NetClassifier], object]:
    return lambda net: setattr(net, name, value)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda net: net.params_["w"].fill(np.nan), "w has numbers that are not finite"),
        (lambda net: net.mean_.fill(np.inf), r"classifier\.mean\[0\] = inf"),
        (spoiled("calibration_", Calibration(np.nan)), r"calibration\.slope = nan"),
        (spoiled("n_seeds", 3), "the tensors are not those of the net"),
        (spoiled("device", "gpu"), r"parameters\.device = 'gpu'"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(
    tmp_path: Path, spoil: Callable[[NetClassifier], object], error: str
) -> None:
    x, y = load_iris(return_X_y=True)
    net = LinearClassifier(**QUICK).fit(x, y)
    spoil(net)
    with pytest.raises(ModelError, match=f"the model cannot be saved: .*{error}"):
        save(net, tmp_path / "model")
    assert not list(tmp_path.iterdir())


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


def test_a_temperature_of_three_classes_comes_back_and_an_intercept_is_refused(
    tmp_path: Path,
) -> None:
    x, y = load_iris(return_X_y=True)
    net = LinearClassifier(**QUICK).fit(x, y)
    before = net.predict_proba(x)
    net.calibration_ = Calibration(0.5)
    save(net, tmp_path / "model")
    again: Any = load(tmp_path / "model")
    assert np.abs(net.predict_proba(x) - before).max() > 0.01
    assert_array_equal(again.predict_proba(x), net.predict_proba(x))
    # The same bits, whatever other rows are predicted.
    assert_array_equal(again.predict_proba(x[7:10]), net.predict_proba(x)[7:10])
    net.calibration_ = Calibration(0.5, -0.25)
    with pytest.raises(ModelError, match=r"calibration\.intercept is of two classes; of more"):
        save(net, tmp_path / "other")


def test_models_with_one_encoder_encode_a_table_once(
    tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = clone(pipeline).fit(TABLES.train, 1 - TABLES.y)
    models = {"a": pipeline, "b": Pipeline([*pipeline.steps]), "c": other}
    save(Ensemble(models, {"a": 0.5, "b": 0.25, "c": 0.25}), tmp_path / "ensemble")
    again = load(tmp_path / "ensemble")
    encoded, transform = [], CompetitionFeatures.transform

    def counted(self: CompetitionFeatures, X: pd.DataFrame) -> NDArray[np.float32]:  # noqa: N803
        encoded.append(self)
        return transform(self, X)

    monkeypatch.setattr(CompetitionFeatures, "transform", counted)
    p = again.predict_proba(TABLES.test)
    assert len(encoded) == 2
    a, c = (model.predict_proba(TABLES.test).astype(float) for model in (pipeline, other))
    assert_allclose(p, 0.75 * a + 0.25 * c, rtol=1e-12)


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


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ({"a": 0.5, "b": 0.6}, "the weights sum to 1.1"),
        ({"a": -0.5, "b": 1.5}, "the weight of 'a' is -0.5"),
        ({"a": float("nan"), "b": 0.5}, "weights.a = nan: input should be a finite number"),
        ({}, "the weights sum to 0"),
        ([0.5, 0.5], "weights = [0.5, 0.5]: input should be a valid dictionary"),
        ({"a": {"b": 1}}, "weights.a = {'b': 1}: input should be a valid number"),
        ({"a": "1"}, "weights.a = '1': input should be a valid number"),
        ({"c": 1.0}, "cannot be read"),
        ({"link": 1.0}, "link: is a link"),
        ({"self": 1.0}, "self: is not the model of one net on a competition's table"),
        ({"net": 1.0}, "net: is not the model of one net on a competition's table"),
        *(
            ({name: 1.0}, "is no name for a model's folder")
            for name in ("", ".", "..", "../a", "/", "/etc", "a/b", "a\\b", "C:", "a\n", "x" * 300)
        ),
    ],
)
def test_an_ensemble_has_shares_and_models_of_its_own(
    tmp_path: Path, pipeline: Pipeline, weights: Any, error: str
) -> None:
    folder = tmp_path / "ensemble"
    save(Ensemble({"a": pipeline, "b": pipeline}, {"a": 0.5, "b": 0.5}), folder)
    (folder / "link").symlink_to(folder / "a")
    (folder / "self").mkdir()
    (folder / "self" / "model.json").write_bytes((folder / "model.json").read_bytes())
    x, y = load_iris(return_X_y=True)
    save(LinearClassifier(**QUICK).fit(x, y), folder / "net")
    put("weights", to=weights)(folder)
    with pytest.raises(ModelError, match=re.escape(error)) as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_an_ensemble_that_could_not_be_loaded_is_not_made_or_saved(
    tmp_path: Path, pipeline: Pipeline
) -> None:
    with pytest.raises(ConfigError, match="the weights sum to 2"):
        Ensemble({"a": pipeline}, {"a": 2.0})
    with pytest.raises(ConfigError, match="are not those of"):
        Ensemble({"a": pipeline}, {"b": 1.0})
    ensemble = Ensemble({"a": pipeline}, {"a": 1.0})
    for name, model in (("../a", pipeline), ("a", ensemble), ("a", pipeline[-1])):
        with pytest.raises(ModelError):
            save(Ensemble({name: model}, {name: 1.0}), tmp_path / "ensemble")
    assert not list(tmp_path.iterdir())
