"""A fitted classifier as an ONNX graph, for programs that run ONNX without PyTorch.

Input `x` (rows, features) in float32, as for `fit`; output `probabilities` (rows, classes). The
graph is that of recording.py. It has the standardization, every net, their mean and its
calibration, not the encoding of a competition's table.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from titanic_nn.errors import ConfigError
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.estimators.recording import record

try:
    import onnx
    from onnx.reference import ReferenceEvaluator
except ImportError:
    raise ConfigError("ONNX needs another package: pip install 'titanic-nn[onnx]'") from None

FLOAT = onnx.TensorProto.FLOAT
OPSET, IR = 20, 9  # the first with Gelu, and its format
CHECKED = 11  # rows on which a graph is checked; others than it was recorded on
TOLERANCE = 1e-4  # of the check: more than rounding, less than an error of the graph


def to_onnx(classifier: NetClassifier, feature_names: Sequence[str] | None = None) -> bytes:
    """The model as the bytes of an .onnx file; its metadata hold classes and feature names.

    Args:
        classifier: fitted.
        feature_names: of the columns that it reads; by default those that it was fitted with.

    Raises:
        ConfigError: the net has an operation that is not known here. (Importing this module raises
            it too, if the package `onnx` is not installed.)
        NotFittedError: the classifier has not been fitted.
    """
    graph = record(classifier)
    graph.add("Cast", graph.outputs["probabilities"], name="probabilities", to=FLOAT)
    nodes = [
        onnx.helper.make_node(n.operator, n.inputs, [n.output], **n.attributes) for n in graph.nodes
    ]
    constants = [onnx.numpy_helper.from_array(a, name) for name, a in graph.constants.items()]
    shapes = {"x": classifier.n_features_in_, "probabilities": len(classifier.classes_)}
    inputs, outputs = (
        [onnx.helper.make_tensor_value_info(name, FLOAT, ("rows", columns))]
        for name, columns in shapes.items()
    )
    made = onnx.helper.make_graph(nodes, "titanic_nn", inputs, outputs, constants)
    opset = onnx.helper.make_opsetid("", OPSET)
    model = onnx.helper.make_model(made, opset_imports=[opset], ir_version=IR)
    if feature_names is None:
        feature_names = getattr(classifier, "feature_names_in_", None)
    names = None if feature_names is None else list(feature_names)
    described = {"classes": classifier.classes_.tolist(), "feature_names": names}
    onnx.helper.set_model_props(model, {key: json.dumps(v) for key, v in described.items()})
    onnx.checker.check_model(model, full_check=True)
    _check(classifier, ReferenceEvaluator(model))
    return bytes(model.SerializeToString())


def _check(classifier: NetClassifier, evaluator: Any) -> None:
    """Run the graph on other rows than it was recorded on. Raises ConfigError if it differs."""
    x = np.random.default_rng(0).normal(size=(CHECKED, classifier.n_features_in_))
    if classifier.mean_ is not None and classifier.scale_ is not None:
        x = classifier.mean_ + classifier.scale_ * x
    x = x.astype(np.float32)
    expected = classifier.probabilities(x.astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):  # it shows in the result
        (found,) = evaluator.run(["probabilities"], {"x": x})
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        raise ConfigError("the net cannot be exported to ONNX: its graph computes something else")
