"""A fitted classifier as an ONNX graph, for programs that run ONNX without PyTorch.

Input `x` (rows, features) in float32, as for `fit`; output `probabilities` (rows, classes). The
graph has the standardization, every net, their mean and its calibration, not the encoding of a
competition's table.

No net is known here. A net's own `logits` is run once, and each torch operation on its rows is
recorded as a node.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import SMALLEST, Calibration
from titanic_nn.estimators.classifiers import NetClassifier

try:
    import onnx
    from onnx.reference import ReferenceEvaluator
except ImportError:
    raise ConfigError("ONNX needs another package: pip install 'titanic-nn[onnx]'") from None

FLOAT, DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
OPSET, IR = 20, 9  # the first with Gelu, and its format
# Rows on which a graph is recorded, and other rows on which it is checked.
RECORDED, CHECKED = 7, 11
TOLERANCE = 1e-4  # of the check: more than rounding, less than an error of the graph

# torch operations on tensors and numbers alone, whose ONNX operators have the same name.
SAME_NAME = ["abs", "add", "cos", "div", "exp", "log", "mul", "neg", "pow", "relu", "sigmoid"]
SAME_NAME += ["sin", "sqrt", "sub", "tanh"]


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
    check_is_fitted(classifier)
    graph = _Graph()
    x = "x"
    if classifier.mean_ is not None:
        # In double precision, as here: a year less its mean has few digits left in float32.
        centered = graph.add("Sub", graph.add("Cast", x, to=DOUBLE), classifier.mean_)
        x = graph.add("Cast", graph.add("Div", centered, classifier.scale_), to=FLOAT)
    params = {name: torch.from_numpy(p) for name, p in classifier.params_.items()}
    rows = _Recorded.of(torch.zeros(RECORDED, classifier.n_features_in_), graph, x)
    logits: Any = classifier.net().logits(params, rows)  # (n_seeds, rows, outputs)
    # In double precision, as here: a probability near 0 or 1 is not rounded to it.
    logits = graph.add("Cast", logits, to=DOUBLE)
    if len(classifier.classes_) == 2:
        both = graph.add("Concat", graph.add("Neg", logits), logits, axis=-1)
        by_net = graph.add("Sigmoid", both)
    else:
        by_net = graph.add("Softmax", logits, axis=-1)
    p = graph.add("ReduceMean", by_net, np.array([0]), keepdims=0)  # (rows, classes)
    calibration = classifier.calibration_
    if calibration != Calibration() and len(classifier.classes_) > 2:
        logs = graph.add("Log", graph.add("Max", p, np.array(SMALLEST)))
        p = graph.add("Softmax", graph.add("Mul", logs, np.array(calibration.slope)), axis=-1)
    elif calibration != Calibration():
        # Of two classes: slope * (log p - log of the other) + intercept, and its negative.
        slopes = calibration.slope * np.array([[1.0, -1.0], [-1.0, 1.0]])
        log_odds = graph.add("MatMul", graph.add("Log", p), slopes)
        intercepts = calibration.intercept * np.array([-1.0, 1.0])
        p = graph.add("Sigmoid", graph.add("Add", log_odds, intercepts))
    graph.add("Cast", p, name="probabilities", to=FLOAT)

    shapes = {"x": classifier.n_features_in_, "probabilities": len(classifier.classes_)}
    inputs, outputs = (
        [onnx.helper.make_tensor_value_info(name, FLOAT, ("rows", columns))]
        for name, columns in shapes.items()
    )
    made = onnx.helper.make_graph(graph.nodes, "titanic_nn", inputs, outputs, graph.constants)
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


class _Graph:
    """Nodes and constants, each with a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: Any, name: str | None = None, **attributes: Any) -> str:
        """A node that applies an operator; returns the name of its result.

        An input is a name, a recorded tensor, or a value that becomes a constant: an array of its
        own type, a parameter or a number in float32.
        """
        names = [self._name_of(value) for value in inputs]
        name = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, names, [name], **attributes))
        return name

    def _name_of(self, value: Any) -> str:
        if isinstance(value, str | _Recorded):
            return value if isinstance(value, str) else value.recorded_as
        array = value if isinstance(value, np.ndarray) else np.asarray(value, dtype=np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


# Adds the nodes of a torch operation with these arguments; returns the name of its result.
Recorder: TypeAlias = Callable[..., str]


class _Recorded(Tensor):
    """A tensor that depends on the input. Operations on it are computed and recorded as nodes."""

    graph: _Graph
    recorded_as: str

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
        name = func.__name__
        if not isinstance(result, Tensor) and name in ("__get__", "size", "dim"):
            return result  # a shape or a type
        tensors = [t for arg in args for t in (arg if isinstance(arg, list) else [arg])]
        graph = next((tensor.graph for tensor in tensors if isinstance(tensor, cls)), None)
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


def _operator(operator: str, order: int = 1) -> Recorder:
    return lambda graph, *args: graph.add(operator, *args[::order])


def _layer_norm(
    graph: _Graph, x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> str:
    affine = [torch.ones(*shape) if weight is None else weight, *([] if bias is None else [bias])]
    return graph.add("LayerNormalization", x, *affine, axis=-len(shape), epsilon=eps)


def _transpose(graph: _Graph, x: Any, first: int, second: int) -> str:
    order = list(range(x.dim()))
    order[first], order[second] = order[second], order[first]
    return graph.add("Transpose", x, perm=order)


# torch operation, by its __name__ -> what records it, from the operation's own arguments.
_RECORDERS: dict[str, Recorder] = {
    **{name: _operator(name.capitalize()) for name in SAME_NAME},
    "matmul": _operator("MatMul"),
    "__rsub__": _operator("Sub", -1),
    "__rdiv__": _operator("Div", -1),
    "leaky_relu": lambda g, x, negative_slope=0.01: g.add("LeakyRelu", x, alpha=negative_slope),
    "gelu": lambda g, x, *, approximate="none": g.add("Gelu", x, approximate=approximate),
    "layer_norm": _layer_norm,
    "transpose": _transpose,
    "flatten": lambda g, x, start: g.add("Reshape", x, np.array([0] * (x.dim() + start) + [-1])),
    "unsqueeze": lambda g, x, dim: g.add("Unsqueeze", x, np.array([dim])),
    "cat": lambda g, tensors, dim: g.add("Concat", *tensors, axis=dim),
}
