"""A fitted classifier as an ONNX graph, for programs that run ONNX without PyTorch.

Input `x` (rows, features) in float32, as for `fit`; output `probabilities` (rows, classes). The
graph has the standardization, every net, their mean and its calibration, not the encoding of a
competition's table.

No net is known here. A net's own `logits` is run once, and each torch operation on its rows is
recorded as a node.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.estimators.classifiers import NetClassifier

OPSET = 20  # the first with Gelu
IR = 9
# Rows on which a graph is recorded, and other rows on which it is checked.
RECORDED, CHECKED = 7, 11
TOLERANCE = 1e-4  # of the check: more than rounding, less than an error of the graph

# torch operations on tensors and numbers alone, whose ONNX operators have the same name.
SAME_NAME = ("abs", "add", "cos", "div", "exp", "log", "mul", "neg", "pow", "relu", "sigmoid")
SAME_NAME += ("sin", "sqrt", "sub", "tanh")


def to_onnx(classifier: NetClassifier, feature_names: Sequence[str] | None = None) -> bytes:
    """The model as the bytes of an .onnx file; its metadata hold classes and feature names.

    Args:
        classifier: fitted.
        feature_names: of the columns that it reads; by default those that it was fitted with.

    Raises:
        ConfigError: the package `onnx` is not installed, or the net has an operation that is not
            known here.
        NotFittedError: the classifier has not been fitted.
    """
    try:
        import onnx
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        raise ConfigError("ONNX needs another package: pip install 'titanic-nn[onnx]'") from None
    check_is_fitted(classifier)
    graph = _Graph()
    x = "x"
    if classifier.mean_ is not None and classifier.scale_ is not None:
        # In double precision, as here: a year less its mean has few digits left in float32.
        x = graph.add("Cast", x, to=onnx.TensorProto.DOUBLE)
        x = graph.add("Sub", x, graph.constant(classifier.mean_))
        x = graph.add("Div", x, graph.constant(classifier.scale_))
        x = graph.add("Cast", x, to=onnx.TensorProto.FLOAT)
    logits = _logits(graph, classifier, x)  # (n_seeds, rows, outputs)
    if len(classifier.classes_) == 2:
        # In double precision, as here: a probability near 0 or 1 is not rounded to it.
        logits = graph.add("Cast", logits, to=onnx.TensorProto.DOUBLE)
        both = graph.add("Concat", graph.add("Neg", logits), logits, axis=-1)
        by_net = graph.add("Sigmoid", both)
    else:
        by_net = graph.add("Softmax", logits, axis=-1)
    axes = graph.constant(np.array([0]))
    p = graph.add("ReduceMean", by_net, axes, keepdims=0)  # (rows, classes)
    if (calibration := classifier.calibration_) != Calibration():
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
    if feature_names is None:
        feature_names = getattr(classifier, "feature_names_in_", None)
    described = {
        "classes": json.dumps(classifier.classes_.tolist()),
        "feature_names": json.dumps(None if feature_names is None else list(feature_names)),
    }
    onnx.helper.set_model_props(model, described)
    onnx.checker.check_model(model, full_check=True)
    _check(classifier, ReferenceEvaluator(model))
    serialized: bytes = model.SerializeToString()
    return serialized


def _check(classifier: NetClassifier, evaluator: Any) -> None:
    """Run the graph on other rows than it was recorded on. Raises ConfigError if it differs."""
    x = np.random.default_rng(0).normal(size=(CHECKED, classifier.n_features_in_))
    if classifier.mean_ is not None and classifier.scale_ is not None:
        x = classifier.mean_ + classifier.scale_ * x
    x = x.astype(np.float32)
    expected = classifier.probabilities(x.astype(np.float64))
    (found,) = evaluator.run(["probabilities"], {"x": x})
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        raise ConfigError("the net cannot be exported to ONNX: its graph computes something else")


class _Graph:
    """Nodes and constants, each with a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """A node that applies an operator to inputs by name; returns the name of its result."""
        from onnx import helper

        name = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


# Adds the nodes of a torch operation with these arguments; returns the name of its result.
Recorder: TypeAlias = Callable[..., str]


class _Recorded(Tensor):
    """A tensor that depends on the input. Operations on it are computed and recorded as nodes."""

    graph: _Graph
    recorded_as: str

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
        name = func.__name__
        if not isinstance(result, Tensor) and name in ("__get__", "size", "dim"):
            return result  # a shape or a type
        graph = next((arg.graph for arg in args if isinstance(arg, cls)), None)
        record = _RECORDERS.get(name)
        if graph and record and not kwargs.pop("inplace", False):
            try:
                return cls.of(result, graph, record(graph, *args, **kwargs))
            except TypeError:  # an argument that the recorder does not know
                pass
        raise ConfigError(
            f"the net cannot be exported to ONNX: torch's operation {name} (with {len(args)} "
            f"arguments and {list(kwargs)}) is not one of {', '.join(sorted(_RECORDERS))}"
        )

    @classmethod
    def of(cls, tensor: Tensor, graph: _Graph, name: str) -> "_Recorded":
        """A tensor that a graph has under this name."""
        recorded = tensor.as_subclass(cls)
        recorded.graph, recorded.recorded_as = graph, name
        return recorded


def _logits(graph: _Graph, classifier: NetClassifier, x: str) -> str:
    """The net's own maths as nodes: x (rows, features) to (n_seeds, rows, outputs)."""
    params = {name: torch.from_numpy(p) for name, p in classifier.params_.items()}
    rows = torch.zeros(RECORDED, classifier.n_features_in_)
    return _name(graph, classifier.net().logits(params, _Recorded.of(rows, graph, x)))


def _name(graph: _Graph, value: Any) -> str:
    """The name of a recorded tensor; parameters and numbers become constants."""
    if isinstance(value, _Recorded):
        return value.recorded_as
    return graph.constant(np.asarray(value, dtype=np.float32))


def _operator(operator: str, order: int = 1) -> Recorder:
    return lambda graph, *args: graph.add(operator, *(_name(graph, arg) for arg in args[::order]))


def _leaky_relu(graph: _Graph, x: Any, negative_slope: float = 0.01) -> str:
    return graph.add("LeakyRelu", _name(graph, x), alpha=negative_slope)


def _gelu(graph: _Graph, x: Any, *, approximate: str = "none") -> str:
    return graph.add("Gelu", _name(graph, x), approximate=approximate)


def _layer_norm(
    graph: _Graph,
    x: Any,
    shape: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> str:
    inputs = [_name(graph, torch.ones(*shape) if weight is None else weight)]
    inputs += [] if bias is None else [_name(graph, bias)]
    return graph.add("LayerNormalization", _name(graph, x), *inputs, axis=-len(shape), epsilon=eps)


# torch operation, by its __name__ -> what records it, from the operation's own arguments.
_RECORDERS: dict[str, Recorder] = {
    **{name: _operator(name.capitalize()) for name in SAME_NAME},
    "matmul": _operator("MatMul"),
    "__rsub__": _operator("Sub", -1),
    "__rdiv__": _operator("Div", -1),
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
    "layer_norm": _layer_norm,
}
