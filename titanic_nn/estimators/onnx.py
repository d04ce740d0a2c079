"""A fitted classifier as an ONNX graph, for whatever runs ONNX where there is no PyTorch.

Input `x` (rows, features) in float32, as `fit` was given it; output `probabilities` (rows,
classes). The graph has the standardisation, every net, their mean and its calibration, not the
encoding of raw passengers.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.nets import DeepNet, LinearNet, ReLUNet
from titanic_nn.nets.layers import EPSILON

OPSET = 20  # the first with Gelu
IR = 9
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "gelu": ("Gelu", {}),
}


def to_onnx(classifier: NetClassifier) -> bytes:
    """The model as the bytes of an .onnx file; its metadata hold classes and feature names.

    Raises:
        SettingsError: the package `onnx` is not installed.
        NotFittedError: the classifier has not been fitted.
    """
    try:
        import onnx
    except ImportError:
        raise ConfigError("ONNX needs a package more: pip install 'titanic-nn[onnx]'") from None
    check_is_fitted(classifier)
    graph = _Graph()
    x = "x"
    if classifier.mean_ is not None and classifier.scale_ is not None:
        # In double precision, as here: a year less its mean has few digits left in float32.
        x = graph.add("Cast", x, to=onnx.TensorProto.DOUBLE)
        x = graph.add("Sub", x, graph.constant(classifier.mean_))
        x = graph.add("Div", x, graph.constant(classifier.scale_))
        x = graph.add("Cast", x, to=onnx.TensorProto.FLOAT)
    logits = _logits(graph, classifier, x)  # (seeds, rows, outputs)
    if len(classifier.classes_) == 2:
        # In double precision, as here: a net that is very sure does not round to 0 or 1.
        logits = graph.add("Cast", logits, to=onnx.TensorProto.DOUBLE)
        both = graph.add("Concat", graph.add("Neg", logits), logits, axis=-1)
        by_net = graph.add("Sigmoid", both)
    else:
        by_net = graph.add("Softmax", logits, axis=-1)
    p = graph.add(
        "ReduceMean", by_net, graph.constant(np.array([0])), keepdims=0
    )  # (rows, classes)
    calibration = classifier.calibration_
    if calibration != Calibration():
        # Of two classes: slope * (log p - log of the other) + intercept, and its negative.
        slopes = calibration.slope * np.array([[1.0, -1.0], [-1.0, 1.0]])
        log_odds = graph.add("MatMul", graph.add("Log", p), graph.constant(slopes))
        intercepts = calibration.intercept * np.array([-1.0, 1.0])
        p = graph.add("Sigmoid", graph.add("Add", log_odds, graph.constant(intercepts)))
    graph.add("Cast", p, name="probabilities", to=onnx.TensorProto.FLOAT)

    shape = [("rows", classifier.n_features_in_), ("rows", len(classifier.classes_))]
    inputs, outputs = (
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size)]
        for name, size in zip(("x", "probabilities"), shape, strict=True)
    )
    made = onnx.helper.make_graph(graph.nodes, "titanic_nn", inputs, outputs, graph.constants)
    model = onnx.helper.make_model(
        made, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR
    )
    names = getattr(classifier, "feature_names_in_", None)
    described = {
        "classes": json.dumps(classifier.classes_.tolist()),
        "feature_names": json.dumps(None if names is None else list(names)),
    }
    onnx.helper.set_model_props(model, described)
    onnx.checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString()
    return serialized


class _Graph:
    """Nodes and constants, each with a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """An operation on what these names stand for; returns the name of its result."""
        from onnx import helper

        name = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def _logits(graph: _Graph, classifier: NetClassifier, x: str) -> str:
    """nets/ once more, in ONNX's operators: x (rows, features) to (seeds, rows, outputs)."""
    net, p = classifier.net(), classifier.params_

    def linear(x: str, w: str, b: str) -> str:
        x = graph.add("MatMul", x, graph.constant(p[w]))
        return graph.add("Add", x, graph.constant(p[b])) if b in p else x

    match net:
        case LinearNet():
            return linear(x, "w", "b")
        case ReLUNet():
            return linear(graph.add("Relu", linear(x, "w1", "b1")), "w2", "b2")
        case DeepNet():
            operator, attributes = OPERATORS[net.activation]
            for i in range(1, len(net.hidden) + 1):
                x = _normalized(graph, net, p, i, linear(x, f"w{i}", f"b{i}"))
                x = graph.add(operator, x, **attributes)
            last = len(net.hidden) + 1
            return linear(x, f"w{last}", f"b{last}")
    raise AssertionError(net)


def _normalized(
    graph: _Graph, net: DeepNet, p: dict[str, NDArray[np.float32]], i: int, x: str
) -> str:
    """What hidden layer i does before its activation."""
    if net.normalization == "none":
        return x
    scale, shift = p[f"scale{i}"], p[f"shift{i}"]
    if net.normalization == "batch":  # with running statistics it is a scale and a shift
        scale = scale / np.sqrt(p[f"running_variance{i}"] + np.float32(EPSILON))
        shift = shift - p[f"running_mean{i}"] * scale
    else:
        ones = graph.constant(np.ones(net.hidden[i - 1], np.float32))
        x = graph.add("LayerNormalization", x, ones, axis=-1, epsilon=EPSILON)
    x = graph.add("Mul", x, graph.constant(scale))
    return graph.add("Add", x, graph.constant(shift))
