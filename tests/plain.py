"""One net trained alone, in the plain loop of a first PyTorch lesson: the engine's referee.

Of the package it uses the keyed random numbers, so that both start from the same weights, read the
same batches and drop the same units. Everything else is torch's own: modules, losses, autograd,
optimizers, schedules.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer, lr_scheduler

from titanic_nn.engine import rng
from titanic_nn.engine.backends import BACKENDS
from titanic_nn.engine.batches import row_orders
from titanic_nn.engine.members import Members
from titanic_nn.engine.task import Block, SplitData, net_keys
from titanic_nn.engine.train import make_task
from titanic_nn.nets.batch import Uniform
from titanic_nn.nets.config import (
    DeepConfig,
    LinearConfig,
    NetConfig,
    PeriodicEmbedding,
    ReLUConfig,
    ResNetConfig,
)
from titanic_nn.tables.splits import Split, final_split

CPU, GPU = torch.device("cpu"), torch.device("cuda")
# Small nets of each kind with the plainest of all settings, for tests to change.
PLAIN: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 16,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "schedule": "constant",
}
LINEAR = LinearConfig(**PLAIN)
RELU = ReLUConfig(hidden_size=8, **PLAIN)
DEEP = DeepConfig(hidden_sizes=(8, 6), dropout=0.0, **PLAIN)
RESNET = ResNetConfig(
    width=6, hidden_size=8, n_blocks=2, hidden_dropout=0.0, residual_dropout=0.0, **PLAIN
)

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}
NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": nn.Identity,
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
# Each row's loss, for one output; for an output a class, only cross-entropy is known.
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": partial(functional.binary_cross_entropy_with_logits, reduction="none"),
    "squared_error": lambda logits, t: functional.mse_loss(logits.sigmoid(), t, reduction="none"),
    "absolute_error": lambda logits, t: functional.l1_loss(logits.sigmoid(), t, reduction="none"),
}
CLASSES_LOSS = partial(functional.cross_entropy, reduction="none")


@dataclass(frozen=True, eq=False)
class Table:
    """A small table with labels that can be learned, and splits of unequal sizes."""

    x: NDArray[np.float32]  # (splits, rows, features)
    y: NDArray[np.int64]  # (labelled rows,); one-hot for more than two classes
    splits: list[Split]
    weights: NDArray[np.float32] | None = None  # (labelled rows,)

    @property
    def data(self) -> SplitData:
        """As the engine takes it."""
        return SplitData(self.x, self.y, self.splits, self.weights)


def make_table(labelled: int = 90, unlabelled: int = 10, features: int = 4) -> Table:
    """Splits that train on 60, 70, 55 and, as the final fit, all 90 rows."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(labelled + unlabelled, features))
    logits = rows @ rng.normal(size=features) + 0.5 * rows[:, 0] ** 2
    y = rng.random(labelled) < 1 / (1 + np.exp(-logits[:labelled]))

    splits = []
    for fold, size in enumerate((60, 70, 55)):
        order = rng.permutation(labelled)
        splits.append(Split(0, fold, np.sort(order[:size]), np.sort(order[size:])))
    splits.append(final_split(labelled, unlabelled))
    # Each split has its own encoding of the rows, as imputing and scaling on training rows give.
    x = np.stack([rows * (1 + 0.1 * i) + 0.05 * i for i in range(len(splits))])
    return Table(x.astype(np.float32), y.astype(np.int64), splits)


def backends_of(config: NetConfig, device: torch.device = CPU) -> list[str]:
    """The backends that claim such nets on the small table, on a device."""
    task = make_task(make_table().data, Members([config], 1), 0, device)
    return [name for name, backend in BACKENDS.items() if backend.supports(task)]


@contextmanager
def one_thread() -> Iterator[None]:
    """Tiny nets have no work for two threads, which would mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Periodic(nn.Module):
    """Each feature's sines and cosines through a linear layer of its own and a ReLU."""

    def __init__(self, features: int, config: PeriodicEmbedding) -> None:
        super().__init__()
        k, size = config.n_frequencies, config.embedding_size
        self.frequency = nn.Parameter(torch.empty(features, k))
        self.layers = [nn.Linear(2 * k, size) for _ in range(features)]
        self.found = nn.ModuleList(self.layers)

    def forward(self, x: Tensor) -> Tensor:
        embedded = []
        for i, layer in enumerate(self.layers):
            angle = 2 * math.pi * x[:, i : i + 1] @ self.frequency[i : i + 1]  # (rows, k)
            embedded.append(layer(torch.cat([angle.sin(), angle.cos()], 1)).relu())
        return torch.cat(embedded, 1)  # (rows, features * size)


def embedding_of(features: int, config: NetConfig) -> Periodic | None:
    """The embedding that the settings ask for, and None where they ask for none."""
    if isinstance(config, PeriodicEmbedding) and config.n_frequencies:
        return Periodic(features, config)
    return None


class PlainNet(nn.Module):
    """A net out of torch's own layers.

    Attributes:
        layers: linear layers in the order of use, numbered from 1.
        normalizations: number of the layer that each belongs to -> module.
        embedding: of the features, or None.
    """

    def __init__(
        self,
        layers: list[nn.Linear],
        normalizations: dict[int, nn.Module],
        embedding: Periodic | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.normalizations, self.embedding = layers, normalizations, embedding
        # torch finds parameters in modules and in its own lists only.
        self.found = nn.ModuleList([*layers, *normalizations.values()])

    @property
    def weights(self) -> list[Tensor]:
        """What decays and is penalized."""
        embedding = self.embedding.layers if self.embedding else []
        return [layer.weight for layer in (*self.layers, *embedding)]

    def forward(self, x: Tensor, uniform: Uniform | None = None) -> Tensor:
        """Logits; with random numbers for dropout, as in training."""
        raise NotImplementedError


def drop(purpose: str, rate: float, x: Tensor, uniform: Uniform | None) -> Tensor:
    """nn.Dropout, with the keyed random numbers."""
    if uniform is None or not rate:
        return x
    stays = uniform(purpose, tuple(x.shape)) >= rate
    return torch.where(stays, x / (1 - rate), 0)


class FeedForward(PlainNet):
    """The linear, relu and deep net."""

    def __init__(self, features: int, config: NetConfig, outputs: int = 1) -> None:
        activation, normalization, dropout = "relu", "none", 0.0
        if isinstance(config, DeepConfig):
            dropout = config.dropout
            activation, normalization = config.activation, config.normalization
        embedding = embedding_of(features, config)
        if isinstance(config, PeriodicEmbedding):
            features = config.embedded(features)
        sizes = (features, *config.layer_widths)
        # Batch norm subtracts a bias again, and Adam would follow its rounding errors.
        bias = normalization != "batch"
        hidden = (nn.Linear(a, b, bias=bias) for a, b in pairwise(sizes))
        norms = {i: NORMALIZATIONS[normalization](n) for i, n in enumerate(sizes[1:], 1)}
        super().__init__([*hidden, nn.Linear(sizes[-1], outputs)], norms, embedding)
        self.activation, self.dropout = ACTIVATIONS[activation](), dropout

    def forward(self, x: Tensor, uniform: Uniform | None = None) -> Tensor:
        x = self.embedding(x) if self.embedding else x
        for i, normalization in self.normalizations.items():
            x = self.activation(normalization(self.layers[i - 1](x)))
            x = drop(f"dropout{i}", self.dropout, x, uniform)
        logits: Tensor = self.layers[-1](x)
        return logits


class Residual(PlainNet):
    """The tabular ResNet, as its paper writes it."""

    def __init__(self, features: int, config: ResNetConfig, outputs: int = 1) -> None:
        width, hidden = config.width, config.hidden_size
        # As above: whatever is added to x, the next batch norm subtracts its mean.
        bias = config.normalization != "batch"
        layers = [nn.Linear(config.embedded(features), width, bias=bias)]
        for _ in range(config.n_blocks):
            layers += [nn.Linear(width, hidden), nn.Linear(hidden, width, bias=bias)]
        layers.append(nn.Linear(width, outputs))
        norm = NORMALIZATIONS[config.normalization]
        norms = {i: norm(width) for i in range(2, len(layers) + 1, 2)}
        super().__init__(layers, norms, embedding_of(features, config))
        self.config = config

    def forward(self, x: Tensor, uniform: Uniform | None = None) -> Tensor:
        first, *blocks, head = self.layers
        x = first(self.embedding(x) if self.embedding else x)
        for i in range(2, len(blocks) + 2, 2):
            h = self.layers[i - 1](self.normalizations[i](x)).relu()
            h = drop(f"hidden_dropout{i}", self.config.hidden_dropout, h, uniform)
            h = self.layers[i](h)
            x = x + drop(f"residual_dropout{i}", self.config.residual_dropout, h, uniform)
        logits: Tensor = head(self.normalizations[len(self.layers)](x).relu())
        return logits


# Settings -> the net that they describe.
PLAIN_NETS: dict[type[NetConfig], Callable[..., PlainNet]] = {
    LinearConfig: FeedForward,
    ReLUConfig: FeedForward,
    DeepConfig: FeedForward,
    ResNetConfig: Residual,
}


@one_thread()
def train_alone(
    table: Table, split: int, config: NetConfig, *, seed: int = 0, number: int = 0
) -> NDArray[np.float32]:
    """Train seed `number` of one trial on one split; the probabilities of every row.

    (rows,) for labels 0 or 1, (rows, classes) for more.
    """
    x = torch.from_numpy(table.x[split])  # (rows, features)
    y = torch.from_numpy(table.y).float().view(len(table.y), -1)  # (labelled rows, outputs)
    train = table.splits[split].train
    counts = np.ones(len(y)) if table.weights is None else table.weights
    weights = torch.from_numpy(counts / counts[train].mean())  # (labelled rows,)
    losses = LOSSES[config.loss] if y.shape[1] == 1 else CLASSES_LOSS
    alone = Block(np.array([split]), np.array([number]), steps=1, batch_rows=1)
    key = net_keys(table.splits, Members([config], number + 1), alone, seed)[0]
    orders = row_orders(table.splits[split], 1, seed)

    net = PLAIN_NETS[type(config)](x.shape[1], config, y.shape[1])
    start(net, config, partial(rng.uniform, key))
    batches = 1 if config.batch_size == "all" else math.ceil(len(train) / config.batch_size)
    optimizer = make_optimizer(net, config)
    schedule = make_schedule(optimizer, config, steps=config.epochs * batches)
    step = 0
    for _ in range(config.epochs):
        shuffled = torch.from_numpy(train if batches == 1 else next(orders)[0])
        for i in range(batches):
            rows = shuffled.tensor_split(batches)[i]  # as evenly as can be
            step += 1
            logits = net(x[rows], partial(rng.uniform, key, step=step))
            loss = (weights[rows] * losses(logits, y[rows]).view(-1)).mean()
            for w in net.weights:
                loss = loss + config.l1 * w.abs().sum() + config.l2 / 2 * w.square().sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        logits = net(x)
    if y.shape[1] == 1:
        return np.asarray(logits.sigmoid().squeeze(-1))
    return np.asarray(logits.softmax(-1))


def start(net: PlainNet, config: NetConfig, uniform: Uniform) -> None:
    """Weights as the settings say, from the net's own random numbers; biases 0."""
    for i, layer in enumerate(net.layers, 1):
        fan_out, fan_in = layer.weight.shape
        u = uniform(f"w{i}" if len(net.layers) > 1 else "w", (fan_in, fan_out))
        match config.initialization:
            case "xavier":
                w = (2 * u - 1) * math.sqrt(6 / (fan_in + fan_out))
            case "he":
                w = torch.special.ndtri(u) * math.sqrt(2 / fan_in)  # a standard normal's quantiles
            case "fastai":
                w = (u - 0.5) / fan_out
        with torch.no_grad():
            layer.weight.copy_(w.T)
            if layer.bias is not None:
                layer.bias.zero_()

    if isinstance(config, PeriodicEmbedding) and (embedding := net.embedding):
        features, k = embedding.frequency.shape
        u = uniform("frequency0", (features, 1, k))[:, 0]
        of_feature = uniform("w0", (features, 2 * k, config.embedding_size))
        with torch.no_grad():
            embedding.frequency.copy_(config.frequency_scale * torch.special.ndtri(u))
            for layer, w in zip(embedding.layers, of_feature, strict=True):
                layer.weight.copy_(((2 * w - 1) / math.sqrt(2 * k)).T)
                layer.bias.zero_()


def make_optimizer(net: PlainNet, config: NetConfig) -> Optimizer:
    """torch's own; weights decay, biases and the scales and shifts of a normalization don't."""
    weights = net.weights
    others = [p for p in net.parameters() if not any(p is w for w in weights)]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    match config.optimizer:
        case "sgd":
            return SGD(groups, lr=config.learning_rate, momentum=config.momentum)
        case "adam":
            return Adam(groups, lr=config.learning_rate)
        case "adamw":
            return AdamW(groups, lr=config.learning_rate)


def make_schedule(optimizer: Optimizer, config: NetConfig, steps: int) -> lr_scheduler.LRScheduler:
    match config.schedule:
        case "constant":
            return lr_scheduler.ConstantLR(optimizer, factor=1.0)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        case "one_cycle":
            peak = config.learning_rate
            return lr_scheduler.OneCycleLR(
                optimizer, max_lr=peak, total_steps=steps, cycle_momentum=False
            )
