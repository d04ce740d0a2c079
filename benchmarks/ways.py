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
from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig, ResNetConfig
from titanic_nn.tables.splits import Split

HIDDEN: dict[str, tuple[int, ...]] = {"linear": (), "relu": (64,), "deep": (64, 32)}
EPSILON, BETA1, BETA2 = 1e-8, 0.9, 0.999  # Adam's


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


def ours(job: Job, backend: str | None = None) -> NDArray[np.float64]:
    """All nets through the engine, block by block; only the held-out losses are kept.

    backend: its fastest by default.
    """
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
        "resnet": ResNetConfig(**schedule),
    }
    members = Members([nets[job.model]], job.n_seeds)
    data = SplitData(job.x, job.y, job.splits)
    task = make_task(data, members, 0, job.device, history_points=1, backend=backend)
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


def compiled(job: Job) -> NDArray[np.float64]:
    """`torch.compile` of a step on stacked tensors: autograd, then Adam, by one function."""
    nets, batch = len(job.splits), min(len(split.train) for split in job.splits) // job.steps
    layers = [_stacked_layer(nets, i, o, job.device) for i, o in pairwise(job.widths)]
    params = [p.requires_grad_() for layer in layers for p in layer]
    state = [(torch.zeros_like(p), torch.zeros_like(p)) for p in params]
    x = torch.from_numpy(job.x).to(job.device)  # (nets, rows, features)
    y = torch.tensor(job.y, dtype=torch.float32, device=job.device)
    of_net = torch.arange(nets, device=job.device)[:, None]

    def logits(x: Tensor) -> Tensor:
        h = x  # (nets, batch, units)
        for depth in range(0, len(params), 2):
            h = torch.baddbmm(params[depth + 1], h if depth == 0 else h.relu(), params[depth])
        return h.squeeze(-1)

    def step(rows: Tensor, scale: Tensor, epsilon: Tensor) -> None:
        loss = binary_cross_entropy_with_logits(logits(x[of_net, rows]), y[rows], reduction="none")
        gradients = torch.autograd.grad(loss.mean(1).sum(), params)
        with torch.no_grad():
            for p, g, (m, v) in zip(params, gradients, state, strict=True):
                m.lerp_(g, 1 - BETA1)
                v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
                p.sub_(scale * m / (v.sqrt() + epsilon))

    fast = torch.compile(step, mode="reduce-overhead" if job.device.type == "cuda" else "default")
    steps, rows_of = 0, [torch.from_numpy(split.train).to(job.device) for split in job.splits]
    for _ in range(job.epochs):
        # As many rows of each split, so that all nets' batches have one shape.
        shuffled = [rows[torch.randperm(len(rows), device=job.device)] for rows in rows_of]
        order = torch.stack([rows[: batch * job.steps] for rows in shuffled])
        for rows in torch.split(order, batch, 1):
            steps += 1
            root = (1 - BETA2**steps) ** 0.5
            scale = job.learning_rate * root / (1 - BETA1**steps)
            # In tensors: numbers would be compiled anew for every step.
            fast(rows.contiguous(), torch.tensor(scale, device=job.device),
                 torch.tensor(EPSILON * root, device=job.device))  # fmt: skip
    with torch.no_grad():
        probability = logits(x).double().sigmoid().cpu().numpy()  # (nets, rows)
    return np.array(
        [
            log_loss(job.y[split.held_out], p[split.held_out])
            for p, split in zip(probability, job.splits, strict=True)
        ]
    )


def jax_vmapped(job: Job) -> NDArray[np.float64]:
    """JAX: `vmap` over nets of a `scan` over the steps, all compiled by `jit`."""
    import jax
    import jax.numpy as jnp

    nets, batch = len(job.splits), min(len(split.train) for split in job.splits) // job.steps
    rng, steps = np.random.default_rng(0), job.epochs * job.steps
    order = np.zeros((nets, job.epochs, job.steps * batch), np.int64)
    for of_net, split in zip(order, job.splits, strict=True):
        for epoch in range(job.epochs):
            of_net[epoch] = rng.permutation(split.train)[: job.steps * batch]
    order = order.reshape(nets, steps, batch)
    x, y = jnp.asarray(job.x), jnp.asarray(job.y, jnp.float32)
    first = [
        tuple(np.asarray(p.detach()) for p in _stacked_layer(nets, i, o, torch.device("cpu")))
        for i, o in pairwise(job.widths)
    ]

    def logits(params: Any, x: Any) -> Any:
        h = x  # (batch, units), of one net
        for depth, (w, b) in enumerate(params):
            h = (jax.nn.relu(h) if depth else h) @ w + b[0]
        return h[:, 0]

    def loss(params: Any, x: Any, y: Any) -> Any:
        z = logits(params, x)
        return jnp.mean(jax.nn.softplus(z) - y * z)

    def train(params: Any, x: Any, order: Any) -> Any:
        def step(carry: Any, now: Any) -> Any:
            params, m, v = carry
            number, rows = now
            g = jax.grad(loss)(params, x[rows], y[rows])
            m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
            v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
            one, two = 1 - BETA1**number, 1 - BETA2**number
            params = jax.tree.map(
                lambda p, m, v: p - job.learning_rate * m / one / (jnp.sqrt(v / two) + EPSILON),
                params, m, v,
            )  # fmt: skip
            return (params, m, v), None

        zeros = jax.tree.map(jnp.zeros_like, params)
        numbers = jnp.arange(1, steps + 1, dtype=jnp.float32)
        (params, _, _), _ = jax.lax.scan(step, (params, zeros, zeros), (numbers, order))
        return logits(params, x)

    found = np.asarray(jax.jit(jax.vmap(train))(first, x, jnp.asarray(order)), np.float64)
    probability = 1 / (1 + np.exp(-found))  # (nets, rows)
    return np.array(
        [
            log_loss(job.y[split.held_out], p[split.held_out])
            for p, split in zip(probability, job.splits, strict=True)
        ]
    )


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


def _stacked_layer(
    nets: int, fan_in: int, fan_out: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Xavier's weights (nets, fan_in, fan_out) and biases (nets, 1, fan_out)."""
    bound = (6 / (fan_in + fan_out)) ** 0.5
    w = torch.empty(nets, fan_in, fan_out, device=device).uniform_(-bound, bound)
    return w, torch.zeros(nets, 1, fan_out, device=device)


def _sequential(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLUs between, and Xavier's initial weights, as in scikit-learn."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
