"""The exported graph computes in onnxruntime what the model computes here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from torch.nn import functional

from titanic_nn import (
    CompetitionFeatures,
    DeepClassifier,
    LinearClassifier,
    ReLUClassifier,
    ResNetClassifier,
    load_tables,
    save,
)
from titanic_nn.cli.export import main
from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import Calibration, Ensemble
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.nets.batch import Params
from titanic_nn.nets.deep import ACTIVATIONS
from titanic_nn.nets.linear import LinearNet

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

QUICK: dict[str, Any] = {"epochs": 5, "n_seeds": 2, "device": "cpu", "random_state": 0}
MODELS: list[NetClassifier] = [LinearClassifier(**QUICK), ReLUClassifier(**QUICK)]
MODELS += [DeepClassifier(activation=a, normalization="batch", **QUICK) for a in ACTIVATIONS]
MODELS += [DeepClassifier(normalization="layer", standardize=False, **QUICK)]
MODELS += [ResNetClassifier(normalization=n, **QUICK) for n in ("batch", "layer")]


def run(content: bytes, x: Any) -> Any:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (p,) = session.run(["probabilities"], {"x": np.asarray(x, dtype=np.float32)})
    return p


@pytest.mark.parametrize("data", [load_breast_cancer, load_iris], ids=["two", "three classes"])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_onnxruntime_computes_the_same(model: NetClassifier, data: Any) -> None:
    from titanic_nn.estimators.onnx import to_onnx

    x, y = data(return_X_y=True)
    x = x.astype(np.float32)
    model.fit(x, y)
    assert_allclose(run(to_onnx(model), x), model.predict_proba(x), atol=1e-5)
    with pytest.raises(NotFittedError):
        to_onnx(type(model)())


@pytest.mark.parametrize(
    ("table", "calibration"),
    [(load_breast_cancer, Calibration(0.5, -0.25)), (load_wine, Calibration(0.1))],
)
def test_a_calibration_is_in_the_graph(table: Any, calibration: Calibration) -> None:
    from titanic_nn.estimators.onnx import to_onnx

    x, y = table(return_X_y=True)
    x = x.astype(np.float32)
    fitted = ReLUClassifier(standardize=False, **QUICK).fit(x, y)
    model = NetClassifier.from_trained(
        fitted.config(),
        fitted.params_,
        classes=fitted.classes_,
        n_features=x.shape[1],
        seed=0,
        calibration=calibration,
    )
    assert np.abs(model.predict_proba(x) - fitted.predict_proba(x)).max() > 0.1
    assert_allclose(run(to_onnx(model), x), model.predict_proba(x), atol=1e-5)


ONES = torch.ones(30, 1)


class OtherNet(LinearNet):
    """Computes what each test sets."""

    maths: Any

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        z: torch.Tensor = type(self).maths(x @ params["w"] + params["b"], x)
        return z


@pytest.fixture
def other_net(monkeypatch: pytest.MonkeyPatch) -> NetClassifier:
    """A linear classifier whose fitted nets compute something else."""
    model = LinearClassifier(**QUICK).fit(*load_breast_cancer(return_X_y=True))
    monkeypatch.setattr(model, "net", OtherNet)
    return model


@pytest.mark.parametrize(
    "maths",
    [
        lambda z, x: 1 - 2 / (1 + z.exp()) ** 2 + (-z).abs(),
        lambda z, x: torch.tanh(z).sub(0.5) * z.sigmoid() + torch.sin(z) - torch.cos(z),
        lambda z, x: functional.leaky_relu(z, 0.3) + functional.layer_norm(x, x.shape[-1:]) @ ONES,
        lambda z, x: functional.layer_norm(x, (30,), ONES[:, 0], ONES[:, 0], eps=0.1) @ ONES + z,
        lambda z, x: functional.gelu(z, approximate="tanh") + z.shape[-1] * torch.ones(()),
    ],
)
def test_a_net_that_is_not_known_is_exported_without_a_line(
    other_net: NetClassifier, monkeypatch: pytest.MonkeyPatch, maths: Any
) -> None:
    from titanic_nn.estimators.onnx import to_onnx

    monkeypatch.setattr(OtherNet, "maths", staticmethod(maths), raising=False)
    x, _ = load_breast_cancer(return_X_y=True)
    x = x.astype(np.float32)
    assert_allclose(run(to_onnx(other_net), x), other_net.predict_proba(x), atol=1e-5)


@pytest.mark.parametrize(
    ("maths", "error"),
    [
        (lambda z, x: torch.cumsum(z, -1), "torch's operation cumsum"),
        (lambda z, x: z.add_(1.0), "torch's operation add_"),
        (lambda z, x: functional.relu(z, inplace=True), "torch's operation relu"),
        (lambda z, x: torch.add(z, z, alpha=2), r"add \(with 2 arguments and \['alpha'\]"),
        (lambda z, x: torch.stack([z, z], -1)[..., 0], "torch's operation stack"),
        (lambda z, x: z if bool((z > 0).all()) else -z, "torch's operation gt"),
        (lambda z, x: z + (0.0 if z.shape[-2] == 7 else 1.0), "its graph computes something else"),
    ],
)
def test_an_operation_without_a_counterpart_is_refused(
    other_net: NetClassifier, monkeypatch: pytest.MonkeyPatch, maths: Any, error: str
) -> None:
    from titanic_nn.estimators.onnx import to_onnx

    monkeypatch.setattr(OtherNet, "maths", staticmethod(maths), raising=False)
    with pytest.raises(ConfigError, match=error) as refused:
        to_onnx(other_net)
    assert "\n" not in str(refused.value)


def test_an_ensemble_has_no_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = load_tables()
    model = make_pipeline(CompetitionFeatures(), LinearClassifier(**QUICK))
    model.fit(tables.train, tables.y)
    save(Ensemble({"linear": model}, {"linear": 1.0}), tmp_path / "ensemble")
    with pytest.raises(SystemExit):
        main([str(tmp_path / "ensemble"), "--onnx", str(tmp_path / "net.onnx")])
    assert "an ensemble has no graph; export one of its nets" in capsys.readouterr().err


def test_the_command_exports_the_net_behind_the_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    tables = load_tables()
    model = make_pipeline(CompetitionFeatures(), ReLUClassifier(**QUICK))
    model.fit(tables.train, tables.y)
    save(model, tmp_path / "model")
    arguments = [str(tmp_path / "model"), "--onnx", str(tmp_path / "net.onnx")]
    main(arguments)
    content = (tmp_path / "net.onnx").read_bytes()
    x = model[0].transform(tables.test)
    assert_allclose(run(content, x), model.predict_proba(tables.test), atol=1e-5)
    metadata = {p.key: json.loads(p.value) for p in onnx.load_from_string(content).metadata_props}
    assert metadata["classes"] == [0, 1]
    assert metadata["feature_names"] == model[0].get_feature_names_out().tolist()
    with pytest.raises(SystemExit):
        main(arguments)
    assert "net.onnx: is there already" in capsys.readouterr().err
