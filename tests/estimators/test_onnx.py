"""The exported graph says what the model says, in a runtime that is not ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from titanic_nn import (
    DeepClassifier,
    LinearClassifier,
    ReLUClassifier,
    TitanicFeatures,
    load_passengers,
    save,
)
from titanic_nn.estimators.calibration import Calibration, Ensemble
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.cli.export import main
from titanic_nn.nets.deep import ACTIVATIONS

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

QUICK: dict[str, Any] = {"epochs": 5, "seeds": 2, "device": "cpu", "random_state": 0}
MODELS: list[NetClassifier] = [LinearClassifier(**QUICK), ReLUClassifier(**QUICK)]
MODELS += [DeepClassifier(activation=a, normalization="batch", **QUICK) for a in ACTIVATIONS]
MODELS += [DeepClassifier(normalization="layer", standardize=False, **QUICK)]


def run(content: bytes, x: Any) -> Any:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (said,) = session.run(["probabilities"], {"x": np.asarray(x, dtype=np.float32)})
    return said


@pytest.mark.parametrize("data", [load_breast_cancer, load_iris], ids=["two", "three classes"])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_onnxruntime_says_the_same(model: NetClassifier, data: Any) -> None:
    from titanic_nn.estimators.onnx import to_onnx

    x, y = data(return_X_y=True)
    x = x.astype(np.float32)
    model.fit(x, y)
    assert_allclose(run(to_onnx(model), x), model.predict_proba(x), atol=1e-5)
    with pytest.raises(NotFittedError):
        to_onnx(type(model)())


def test_a_calibration_is_in_the_graph() -> None:
    from titanic_nn.estimators.onnx import to_onnx

    x, y = load_breast_cancer(return_X_y=True)
    x = x.astype(np.float32)
    model = ReLUClassifier(**QUICK).fit(x, y)
    before = model.predict_proba(x)
    model.calibration_ = Calibration(0.5, -0.25)
    assert np.abs(model.predict_proba(x) - before).max() > 0.1
    assert_allclose(run(to_onnx(model), x), model.predict_proba(x), atol=1e-5)


def test_an_ensemble_has_no_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passengers = load_passengers()
    model = make_pipeline(TitanicFeatures(), LinearClassifier(**QUICK))
    model.fit(passengers.train, passengers.train["Survived"])
    save(Ensemble({"linear": model}, {"linear": 1.0}), tmp_path / "ensemble")
    with pytest.raises(SystemExit):
        main(["--model", str(tmp_path / "ensemble"), "--onnx", str(tmp_path / "net.onnx")])
    assert "an ensemble has no graph; export one of its nets" in capsys.readouterr().err


def test_the_command_exports_the_net_behind_passengers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    passengers = load_passengers()
    model = make_pipeline(TitanicFeatures(), ReLUClassifier(**QUICK))
    model.fit(passengers.train, passengers.train["Survived"])
    save(model, tmp_path / "model")
    arguments = ["--model", str(tmp_path / "model"), "--onnx", str(tmp_path / "net.onnx")]
    main(arguments)
    content = (tmp_path / "net.onnx").read_bytes()
    x = model[0].transform(passengers.test)
    assert_allclose(run(content, x), model.predict_proba(passengers.test), atol=1e-5)
    told = {p.key: json.loads(p.value) for p in onnx.load_from_string(content).metadata_props}
    assert told["classes"] == [0, 1]
    assert told["feature_names"] == model[0].get_feature_names_out().tolist()
    with pytest.raises(SystemExit):
        main(arguments)
    assert "net.onnx: is there already" in capsys.readouterr().err
