"""The hand-written gradients once more, into memory that is kept from step to step.

nets/ says what is computed, in the lesson's words; these are the same sums. Half of a step's time
on a CPU goes into fresh tensors, whose pages fault in anew each time, so here every result has its
place before training starts. A test holds each to the net's own `gradients`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from titanic_nn.nets.batch import Batch, Net, Params
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.relu import ReLUNet
from titanic_nn.nets.losses import Loss

# Writes a batch's gradients to where they belong.
Writer = Callable[[Batch, Loss], None]


def gradient_writer(
    net: Net, params: Params, gradients: Params, flat: Tensor, slope: Tensor, places: int
) -> Writer:
    """What writes the gradients of `params` into `gradients`, both named views (nets, ...).

    flat, slope: the same, each net's parameters and gradients end to end, (nets, parameters).
    places: rows of a batch.
    """
    if isinstance(net, LinearNet) and params["w"].shape[-1] == 1:
        return _linear(params, gradients, places)
    if isinstance(net, ReLUNet) and params["w2"].shape[-1] == 1:
        return _relu(params, gradients, flat, slope, places)

    def write(batch: Batch, loss: Loss) -> None:
        for name, gradient in net.gradients(params, batch, loss).items():
            gradients[name].copy_(gradient)

    return write


def _linear(params: Params, gradients: Params, places: int) -> Writer:
    w, b = params["w"], params["b"]  # (nets, features, 1), (nets, 1, 1)
    w_row, dw = w.mT, gradients["w"].squeeze(-1)
    products = w.new_empty(len(w), places, w.shape[1])

    def write(batch: Batch, loss: Loss) -> None:
        # With one output, multiply-and-sum is several times faster than a product with a column.
        torch.mul(batch.x, w_row, out=products)
        logits = products.sum(-1, keepdim=True).add_(b)  # (nets, places, 1)
        dlogits = loss.gradient(logits, batch.targets, batch.weights)
        torch.mul(batch.x, dlogits, out=products)
        torch.sum(products, -2, out=dw)
        torch.sum(dlogits, -2, keepdim=True, out=gradients["b"])

    return write


def _relu(params: Params, gradients: Params, flat: Tensor, slope: Tensor, places: int) -> Writer:
    """Fewer passes over the hidden layer than the lesson takes, by way of the gate.

    A unit's gate is 1 where it is awake and else 0, so that h = gate * (x w1 + b1). What comes
    through the gates, t = [x 1]ᵀ (dz * gate), (features + 1, hidden), gives all three gradients
    below the last bias:

        [dw1; db1] = t * w2ᵀ           dw2 = hᵀ dz = sum over features + 1 of t * [w1; b1]
    """
    w1, b1, b2 = params["w1"], params["b1"], params["b2"]
    nets, features, hidden = w1.shape
    w2_row, dw2, db2 = params["w2"].mT, gradients["w2"].squeeze(-1), gradients["b2"]
    # End to end, w1 and b1 are one matrix whose last row is the bias.
    first = (features + 1) * hidden
    w1_b1 = flat[:, :first].view(nets, features + 1, hidden)
    dw1_db1 = slope[:, :first].view(nets, features + 1, hidden)

    h, products = w1.new_empty(2, nets, places, hidden)
    scaled = w1.new_empty(nets, places, features + 1)  # [x 1] * dz
    scaled_x, scaled_1, scaled_t = scaled[..., :features], scaled[..., features:], scaled.mT
    through, weighted = w1.new_empty(2, nets, features + 1, hidden)

    def write(batch: Batch, loss: Loss) -> None:
        torch.baddbmm(b1, batch.x, w1, out=h)
        h.relu_()  # (nets, places, hidden)
        torch.mul(h, w2_row, out=products)
        logits = products.sum(-1, keepdim=True).add_(b2)  # (nets, places, 1)

        dlogits = loss.gradient(logits, batch.targets, batch.weights)
        torch.sum(dlogits, -2, keepdim=True, out=db2)
        torch.mul(batch.x, dlogits, out=scaled_x)
        scaled_1.copy_(dlogits)
        torch.bmm(scaled_t, h.sign_(), out=through)  # sign: the gate, as h is not negative
        torch.mul(through, w2_row, out=dw1_db1)
        torch.mul(through, w1_b1, out=weighted)
        torch.sum(weighted, -2, out=dw2)

    return write
