"""The hand-written gradients once more, into memory that is kept from step to step.

nets/linear.py and nets/relu.py explain what is computed; these are the same sums. Half of a step's
time on a CPU would go into fresh tensors, whose pages fault in anew each time.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from titanic_nn.engine.task import BlockNets
from titanic_nn.nets.batch import Batch, Params
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.losses import Loss
from titanic_nn.nets.relu import ReLUNet

Writer = Callable[[Batch, Loss], None]  # computes a batch's gradients and writes them


def gradient_writer(
    nets: BlockNets, gradients: Params, gradient: Tensor, batch_rows: int
) -> Writer:
    """A function that writes the gradients of `nets.params` into `gradients`.

    gradient: the same, end to end, (nets, parameters). batch_rows: rows of a batch.
    """
    # Exactly these classes: a subclass may compute something else.
    if type(nets.net) is LinearNet and nets.params["w"].shape[-1] == 1:
        return _linear(nets.params, gradients, batch_rows)
    if type(nets.net) is ReLUNet and nets.params["w2"].shape[-1] == 1:
        return _relu(nets, gradients, gradient, batch_rows)

    def write(batch: Batch, loss: Loss) -> None:
        for name, computed in nets.net.gradients(nets.params, batch, loss).items():
            gradients[name].copy_(computed)

    return write


def _linear(params: Params, gradients: Params, batch_rows: int) -> Writer:
    w, b = params["w"], params["b"]  # (nets, features, 1), (nets, 1, 1)
    w_row, dw = w.mT, gradients["w"].squeeze(-1)
    products = w.new_empty(len(w), batch_rows, w.shape[1])

    def write(batch: Batch, loss: Loss) -> None:
        # With one output, multiply-and-sum is several times faster than a product with a column.
        torch.mul(batch.x, w_row, out=products)
        logits = products.sum(-1, keepdim=True).add_(b)  # (nets, batch_rows, 1)
        dlogits = loss.gradient(logits, batch.targets, batch.weights)
        torch.mul(batch.x, dlogits, out=products)
        torch.sum(products, -2, out=dw)
        torch.sum(dlogits, -2, keepdim=True, out=gradients["b"])

    return write


def _relu(nets: BlockNets, gradients: Params, gradient: Tensor, batch_rows: int) -> Writer:
    """Fewer passes over the hidden layer than nets/relu.py takes.

    A unit's gate is 1 where it is active and 0 elsewhere, so that h = gate * (x w1 + b1). The
    product t = [x 1]ᵀ (dz * gate), (features + 1, hidden), gives all gradients but db2:

        [dw1; db1] = t * w2ᵀ           dw2 = hᵀ dz = sum over features + 1 of t * [w1; b1]
    """
    w1, b1, b2 = nets.params["w1"], nets.params["b1"], nets.params["b2"]
    n_nets, features, hidden = w1.shape
    w2_row, dw2, db2 = nets.params["w2"].mT, gradients["w2"].squeeze(-1), gradients["b2"]
    # End to end, w1 and b1 are one matrix whose last row is the bias.
    first = (features + 1) * hidden
    w1_b1 = nets.flat[:, :first].view(n_nets, features + 1, hidden)
    dw1_db1 = gradient[:, :first].view(n_nets, features + 1, hidden)

    h, products = w1.new_empty(2, n_nets, batch_rows, hidden)
    scaled = w1.new_empty(n_nets, batch_rows, features + 1)  # [x 1] * dz
    scaled_x, scaled_1, scaled_t = scaled[..., :features], scaled[..., features:], scaled.mT
    through, weighted = w1.new_empty(2, n_nets, features + 1, hidden)

    def write(batch: Batch, loss: Loss) -> None:
        torch.baddbmm(b1, batch.x, w1, out=h)
        h.relu_()  # (nets, batch_rows, hidden)
        torch.mul(h, w2_row, out=products)
        logits = products.sum(-1, keepdim=True).add_(b2)  # (nets, batch_rows, 1)

        dlogits = loss.gradient(logits, batch.targets, batch.weights)
        torch.sum(dlogits, -2, keepdim=True, out=db2)
        torch.mul(batch.x, dlogits, out=scaled_x)
        scaled_1.copy_(dlogits)
        torch.bmm(scaled_t, h.sign_(), out=through)  # sign: the gate, as h is not negative
        torch.mul(through, w2_row, out=dw1_db1)
        torch.mul(through, w1_b1, out=weighted)
        torch.sum(weighted, -2, out=dw2)

    return write
