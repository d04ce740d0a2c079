"""A fitted classifier as a graph of array operations, for programs without PyTorch.

Operators have ONNX's names and meanings (opset 20). The input `x` (rows, features) is in float32,
as for `fit`. The graph has the standardization, every net, their mean and its calibration; onnx.py
writes it as a file, play/ into a page.

No net is known here. A net's own `logits` is run once, and each torch operation on its rows is
recorded as a node.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from titanic_nn.errors import ConfigError
from titanic_nn.estimators.calibration import SMALLEST, Calibration
from titanic_nn.estimators.classifiers import NetClassifier

RECORDED = 7  # rows on which a graph is recorded
FLOAT, DOUBLE = 1, 11  # ONNX's numbers of these types, for the operator Cast

# torch operations on tensors and numbers alone, whose ONNX operators have the same name.
SAME_NAME = ["abs", "add", "cos", "div", "exp", "log", "mul", "neg", "pow", "relu", "sigmoid"]
SAME_NAME += ["sin", "sqrt", "sub", "tanh"]


@dataclass(frozen=True)
class Node:
    """An operator, its arguments and the name of its result."""

    operator: str
    inputs: tuple[str, ...]  # names of results, of constants, or "x"
    output: str
    attributes: dict[str, Any]


class Graph:
    """Nodes in the order of computation, constants by name, and what the results are called.

    Attributes:
        outputs: "probabilities", calibrated, (rows, classes) in float64; "by_net", if asked for,
            each net's own, calibrated as their mean is, (n_seeds, rows, classes).
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.outputs: dict[str, str] = {}

    def add(self, operator: str, *inputs: Any, name: str | None = None, **attributes: Any) -> str:
        """A node that applies an operator; returns the name of its result.

        An input is a name, a recorded tensor, or a value that becomes a constant: an array of its
        own type, a parameter or a number in float32.
        """
        names = tuple(self._name_of(value) for value in inputs)
        name = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(operator, names, name, attributes))
        return name

    def _name_of(self, value: Any) -> str:
        if isinstance(value, str | _Recorded):
            return value if isinstance(value, str) else value.recorded_as
        array = value if isinstance(value, np.ndarray) else np.asarray(value, dtype=np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(array)
        return name


def record(classifier: NetClassifier, *, by_net: bool = False) -> Graph:
    """The graph of a fitted classifier.

    Raises:
        ConfigError: the net has an operation that is not known here.
        NotFittedError: the classifier has not been fitted.
    """
    check_is_fitted(classifier)
    graph = Graph()
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
    classes = len(classifier.classes_)
    if classes == 2:
        both = graph.add("Concat", graph.add("Neg", logits), logits, axis=-1)
        each = graph.add("Sigmoid", both)
    else:
        each = graph.add("Softmax", logits, axis=-1)
    calibration = classifier.calibration_
    if by_net:
        graph.outputs["by_net"] = _calibrated(graph, each, calibration, classes)
    mean = graph.add("ReduceMean", each, np.array([0]), keepdims=0)  # (rows, classes)
    graph.outputs["probabilities"] = _calibrated(graph, mean, calibration, classes)
    return graph


def _calibrated(graph: Graph, p: str, calibration: Calibration, classes: int) -> str:
    """The name of the calibrated probabilities of p (..., classes)."""
    if calibration == Calibration():
        return p
    if classes > 2:
        logs = graph.add("Log", graph.add("Max", p, np.array(SMALLEST)))
        return graph.add("Softmax", graph.add("Mul", logs, np.array(calibration.slope)), axis=-1)
    # Of two classes: slope * (log p - log of the other) + intercept, and its negative.
    slopes = calibration.slope * np.array([[1.0, -1.0], [-1.0, 1.0]])
    log_odds = graph.add("MatMul", graph.add("Log", p), slopes)
    intercepts = calibration.intercept * np.array([-1.0, 1.0])
    return graph.add("Sigmoid", graph.add("Add", log_odds, intercepts))


# Adds the nodes of a torch operation with these arguments; returns the name of its result.
Recorder: TypeAlias = Callable[..., str]


class _Recorded(Tensor):
    """A tensor that depends on the input. Operations on it are computed and recorded as nodes."""

    graph: Graph
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
            f"the net cannot be exported: torch's operation {name} (with {len(args)} "
            f"arguments and {list(kwargs)}) is not one of {', '.join(sorted(_RECORDERS))}"
        )

    @classmethod
    def of(cls, tensor: Tensor, graph: Graph, name: str) -> "_Recorded":
        """A tensor that a graph has under this name."""
        recorded = tensor.as_subclass(cls)
        recorded.graph, recorded.recorded_as = graph, name
        return recorded


def _operator(operator: str, order: int = 1) -> Recorder:
    return lambda graph, *args: graph.add(operator, *args[::order])


def _layer_norm(
    graph: Graph, x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> str:
    affine = [torch.ones(*shape) if weight is None else weight, *([] if bias is None else [bias])]
    return graph.add("LayerNormalization", x, *affine, axis=-len(shape), epsilon=eps)


def _transpose(graph: Graph, x: Any, first: int, second: int) -> str:
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
