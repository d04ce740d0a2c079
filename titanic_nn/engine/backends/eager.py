"""The eager backend: all nets of a block in each torch operation. It trains any net anywhere."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from titanic_nn.engine import rng
from titanic_nn.engine.backends.base import Backend
from titanic_nn.engine.backends.cuda_graph import repeated
from titanic_nn.engine.backends.in_place import gradient_writer
from titanic_nn.engine.batches import Batches
from titanic_nn.engine.task import Block, BlockNets, Task, end_to_end
from titanic_nn.nets.batch import Batch
from titanic_nn.nets.losses import penalty_gradient
from titanic_nn.nets.registry import NETS


class Eager(Backend):
    """Stacked tensors; on a GPU an epoch is recorded once and replayed."""

    name = "eager"

    def supports(self, task: Task) -> bool:
        """Every registered net: the backend calls its own maths."""
        return type(task.members.shared) in {spec.config for spec in NETS.values()}

    def start(self, task: Task, block: Block, nets: BlockNets) -> Callable[[int], None]:
        """Take a batch, compute the gradients, take a step."""
        flat, own, device = nets.flat, nets.hyperparameters, nets.x.device
        batches = Batches(task, block, nets)
        zeros = {name: torch.zeros_like(p) for name, p in nets.params.items()}
        gradient, gradients, _ = end_to_end(zeros)  # (nets, parameters), and views by name
        write_gradients = gradient_writer(nets, gradients, gradient, block.batch_rows)
        optimizer = own.optimizer(nets.is_weight)
        state = optimizer.init(flat)
        l1, l2 = own.value("l1") * nets.is_weight, own.value("l2") * nets.is_weight
        penalized = bool(l1.any() or l2.any())
        rates = own.learning_rates(task.members.shared.epochs * block.steps)
        step: int | Tensor = 0
        if device.type == "cuda":  # where a recorded epoch increments it
            step = torch.zeros((), dtype=torch.int64, device=device)

        def train_epoch() -> None:
            nonlocal step
            for x, targets, weights in batches:
                rate = _at(rates, step)  # (nets, 1)
                step += 1
                uniform = partial(rng.uniform, nets.keys, step=step)
                write_gradients(Batch(x, targets, weights, uniform), nets.loss)
                if penalized:
                    gradient.add_(penalty_gradient(flat, l1, l2))
                optimizer.update(flat, gradient, state, rate, step)

        run_epoch = repeated(train_epoch, device)

        def train(epochs: int) -> None:
            for _ in range(epochs):
                batches.shuffle()
                run_epoch()

        return train


def _at(table: Tensor, step: int | Tensor) -> Tensor:
    """table[step], without a round trip to the host where step is on a GPU."""
    return table[step] if isinstance(step, int) else table.index_select(0, step.view(1))[0]
