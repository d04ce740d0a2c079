"""The ways to train many small nets that are measured against each other.

Each takes the same arrays and schedule and returns every net's held-out log loss, and is written
the way its documentation shows: none is slow on purpose.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, make_task, train_blocks
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig
from titanic_nn.tables.splits import Split

HIDDEN: dict[str, tuple[int, ...]] = {"linear": (), "relu": (64,), "deep": (64, 32)}


@dataclass(frozen=True, eq=False)
class Job:
    """What every way trains: Adam, cross-entropy, Xavier's initial weights, no regularization.

    Attributes:
        x: each split's own encoding of the whole table, (splits, rows, features), float32.
        y: labels, (labelled rows,).
        splits: which rows train, and which are held out.
        n_seeds: nets per split.
    """

    model: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    splits: Sequence[Split]
    device: torch.device
    n_seeds: int = 1
    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 1e-3

    def first(self, nets: int) -> "Job":
        """The same job on the first splits only, one net each."""
        return replace(self, x=self.x[:nets], splits=self.splits[:nets], n_seeds=1)

    @property
    def nets(self) -> int:
        return len(self.splits) * self.n_seeds

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return -(-max(len(split.train) for split in self.splits) // self.batch_size)

    @property
    def widths(self) -> list[int]:
        """Features, hidden units, outputs."""
        return [self.x.shape[2], *HIDDEN[self.model], 1]


def ours(job: Job) -> NDArray[np.float64]:
    """All nets through the engine, block by block; only the held-out losses are kept."""
    schedule: dict[str, Any] = {
        "epochs": job.epochs,
        "batch_size": job.batch_size,
        "learning_rate": job.learning_rate,
        "optimizer": "adam",
        "schedule": "constant",
        "initialization": "xavier",  # as in scikit-learn
    }
    nets: dict[str, NetConfig] = {
        "linear": LinearConfig(**schedule),
        "relu": ReLUConfig(hidden_size=64, **schedule),
        "deep": DeepConfig(hidden_sizes=(64, 32), dropout=0.0, **schedule),
    }
    members = Members([nets[job.model]], job.n_seeds)
    data = SplitData(job.x, job.y, job.splits)
    task = make_task(data, members, 0, job.device, history_points=1)
    losses = np.empty((len(job.splits), job.n_seeds))
    for block, trained in train_blocks(task):
        losses[block.splits, block.members] = trained.loss[:, -1, 1].cpu()  # held out
    return losses[:, 0]


def plain_loop(job: Job) -> NDArray[np.float64]:
    """nn.Sequential and torch.optim.Adam, one net after the other."""
    losses = []
    for matrix, split in zip(job.x, job.splits, strict=True):
        x = torch.from_numpy(matrix).to(job.device)
        y = torch.tensor(job.y, dtype=torch.float32, device=job.device)
        train = torch.from_numpy(split.train).to(job.device)
        net = _sequential(job.widths).to(job.device)
        optimizer = torch.optim.Adam(net.parameters(), lr=job.learning_rate)
        for _ in range(job.epochs):
            order = train[torch.randperm(len(train), device=job.device)]
            for rows in order.tensor_split(job.steps):
                optimizer.zero_grad()
                loss = binary_cross_entropy_with_logits(net(x[rows]).squeeze(-1), y[rows])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        with torch.no_grad():
            probability = net(x[split.held_out]).squeeze(-1).double().sigmoid().cpu().numpy()
        losses.append(log_loss(job.y[split.held_out], probability))
    return np.array(losses)


def scikit_learn(job: Job) -> NDArray[np.float64]:
    """MLPClassifier with the same settings, one net after the other."""
    losses = []
    for number, (x, split) in enumerate(zip(job.x, job.splits, strict=True)):
        net = MLPClassifier(
            hidden_layer_sizes=HIDDEN[job.model],
            batch_size=job.batch_size,
            learning_rate_init=job.learning_rate,
            alpha=0.0,
            max_iter=job.epochs,
            n_iter_no_change=job.epochs,
            random_state=number,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant
            net.fit(x[split.train], job.y[split.train])
        probability = net.predict_proba(x[split.held_out])[:, 1]
        losses.append(log_loss(job.y[split.held_out], probability))
    return np.array(losses)


def vmapped(job: Job) -> NDArray[np.float64]:
    """vmap over stacked modules, as PyTorch's ensembling tutorial stacks them."""
    modules = [_sequential(job.widths).to(job.device) for _ in job.splits]
    params, _ = stack_module_state(modules)
    skeleton = _sequential(job.widths).to("meta")

    def loss_of_one(params: dict[str, Tensor], x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        logits = functional_call(skeleton, params, (x,)).squeeze(-1)
        return binary_cross_entropy_with_logits(logits, y, weights, reduction="sum")

    gradients = vmap(grad(loss_of_one))
    optimizer = torch.optim.Adam(params.values(), lr=job.learning_rate)
    x = torch.from_numpy(job.x).to(job.device)  # (nets, rows, features)
    y = torch.tensor(job.y, dtype=torch.float32, device=job.device)
    nets = torch.arange(len(modules), device=job.device).unsqueeze(1)
    longest = max(len(split.train) for split in job.splits)
    for _ in range(job.epochs):
        order = torch.zeros(len(modules), longest, dtype=torch.int64)
        weights = torch.zeros(len(modules), longest)
        for i, split in enumerate(job.splits):
            order[i, : len(split.train)] = torch.from_numpy(np.random.permutation(split.train))
            weights[i, : len(split.train)] = 1
        order, weights = order.to(job.device), weights.to(job.device)
        batches = zip(
            order.tensor_split(job.steps, 1), weights.tensor_split(job.steps, 1), strict=True
        )
        for rows, counted in batches:
            grads = gradients(params, x[nets, rows], y[rows], counted / counted.sum(1, True))
            for name, parameter in params.items():
                parameter.grad = grads[name]
            optimizer.step()
    losses = []
    with torch.no_grad():
        logits = vmap(lambda p, x: functional_call(skeleton, p, (x,)))(params, x).squeeze(-1)
    probability = logits.double().sigmoid().cpu().numpy()  # (nets, rows)
    for p, split in zip(probability, job.splits, strict=True):
        losses.append(log_loss(job.y[split.held_out], p[split.held_out]))
    return np.array(losses)


def products_alone(job: Job) -> NDArray[np.float64]:
    """A lower limit: a step's batched matrix products on allocated memory, and nothing else.

    Nothing is learned, so it returns no losses.
    """
    nets, rows = len(job.splits), job.batch_size
    layers = [
        [torch.randn(nets, *shape, device=job.device) for shape in ((rows, i), (i, o), (rows, o))]
        for i, o in pairwise(job.widths)
    ]
    into = [[torch.empty_like(tensor) for tensor in layer] for layer in layers]
    for _ in range(job.epochs * job.steps):
        for depth, ((x, w, dz), (dx, dw, z)) in enumerate(zip(layers, into, strict=True)):
            torch.bmm(x, w, out=z)  # forward
            torch.bmm(x.mT, dz, out=dw)  # to the weights
            # To the layer below, if there is one. For one output it is no matrix product.
            if depth and w.shape[2] > 1:
                torch.bmm(dz, w.mT, out=dx)
    if job.device.type == "cuda":
        torch.cuda.synchronize()
    return np.array([])


# Name -> (how to train, how many nets are enough to time it).
WAYS: dict[str, tuple[Callable[[Job], NDArray[np.float64]], int | None]] = {
    "ours": (ours, None),
    "plain PyTorch loop": (plain_loop, 10),
    "scikit-learn MLPClassifier": (scikit_learn, 10),
    "vmap over stacked modules": (vmapped, 100),
    "matrix products alone": (products_alone, 100),
}


def _sequential(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLUs between, and Xavier's initial weights, as in scikit-learn."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
