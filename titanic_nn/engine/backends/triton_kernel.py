"""The kernels of the Triton backend: one program trains one net, from first to last step.

A net's parameters and Adam's state stay in registers all the while, and a batch's rows come
through the cache, so a step touches no slower memory. nets/relu.py and nets/linear.py explain what
is computed. A bias is one more row of its matrix, with a column of ones as its input, which is also
how parameters lie end to end.

Tiles have sizes that are powers of two, in capitals; what lies beyond the true size is masked to 0
and stays 0. Triton compiles this file.
"""

from typing import Any, NamedTuple

import triton
import triton.language as tl

# Launches differ in their epochs, and must not be compiled anew for that.
compiled = triton.jit(do_not_specialize=["first", "last"])


class Rows(NamedTuple):
    """The data, and in which order it is read."""

    table: Any  # (rows of all matrices, features)
    labels: Any  # (labelled rows,)
    split_of_net: Any  # (nets,)
    orders: Any  # (splits, epochs, longest): positions of training rows in the table
    sizes: Any  # (splits,): how many rows train
    epochs: int
    longest: int
    steps: int  # of an epoch
    rows: int  # of a matrix


class Arrays(NamedTuple):
    """The nets."""

    params: Any  # (nets, parameters): w1, b1, w2, b2 end to end
    exp_avg: Any  # (nets, parameters): Adam's state
    exp_avg_sq: Any  # (nets, parameters): Adam's state
    own: Any  # (nets, 4): learning rate, weight decay, l1, l2
    schedule: Any  # (all steps, 3): factor on the learning rate, Adam's correction, its epsilon


@compiled
def train_relu(
    data, nets, first, last,  # Rows, Arrays, first epoch, last epoch (exclusive)
    features: tl.constexpr, hidden: tl.constexpr,
    BATCH_ROWS: tl.constexpr, FEATURES: tl.constexpr, HIDDEN: tl.constexpr,  # FEATURES > features
):  # fmt: skip
    """Train a net with one hidden layer for some epochs, changing params and Adam's state."""
    net = tl.program_id(0).to(tl.int64)
    split = tl.load(data.split_of_net + net)
    rate, decay, l1, l2 = hyperparameters(nets, net)

    i, j = tl.arange(0, FEATURES)[:, None], tl.arange(0, HIDDEN)
    below, above = i * hidden + j, (features + 1) * hidden + j  # where w1 and w2 lie in a net
    last_bias = (features + 2) * hidden
    start = net * (last_bias + 1)
    is_unit = j < hidden
    is_first = (i <= features) & is_unit
    is_weight = (i < features).to(tl.float32)  # (FEATURES, 1): else the bias

    w1, m1, v1 = load(nets, start + below, is_first)  # (FEATURES, HIDDEN)
    w2, m2, v2 = load(nets, start + above, is_unit)  # (HIDDEN,)
    b2, mb, vb = load(nets, start + last_bias, True)

    for step in range(first * data.steps, last * data.steps):
        x, t, weight = batch(data, split, step, features, BATCH_ROWS, FEATURES)
        # h = max(0, x w1 + b1) and z = h w2 + b2
        h = tl.maximum(tl.dot(x, w1, input_precision="tf32x3"), 0.0)  # (BATCH_ROWS, HIDDEN)
        z = tl.sum(h * w2[None, :], 1) + b2  # (BATCH_ROWS,)
        dz = (tl.sigmoid(z) - t) * weight
        da = tl.where(h > 0, dz[:, None] * w2[None, :], 0.0)  # (BATCH_ROWS, HIDDEN)
        dw1 = tl.dot(tl.trans(x), da, input_precision="tf32x3")  # (FEATURES, HIDDEN)
        dw2 = tl.sum(h * dz[:, None], 0)  # (HIDDEN,)
        db2 = tl.sum(dz, 0)

        lr, correction, epsilon = scheduled(nets, step, rate)
        dw1 += penalty(w1, l1, l2) * is_weight
        dw2 += penalty(w2, l1, l2)
        w1, m1, v1 = adam(w1, dw1, m1, v1, lr, decay * is_weight, correction, epsilon)
        w2, m2, v2 = adam(w2, dw2, m2, v2, lr, decay, correction, epsilon)
        b2, mb, vb = adam(b2, db2, mb, vb, lr, 0.0, correction, epsilon)

    store(nets, start + below, is_first, w1, m1, v1)
    store(nets, start + above, is_unit, w2, m2, v2)
    store(nets, start + last_bias, True, b2, mb, vb)


@compiled
def train_linear(
    data, nets, first, last,
    features: tl.constexpr, hidden: tl.constexpr,  # hidden is 0
    BATCH_ROWS: tl.constexpr, FEATURES: tl.constexpr, HIDDEN: tl.constexpr,
):  # fmt: skip
    """Train a linear model for some epochs; the arguments are those of `train_relu`."""
    net = tl.program_id(0).to(tl.int64)
    split = tl.load(data.split_of_net + net)
    rate, decay, l1, l2 = hyperparameters(nets, net)

    i = tl.arange(0, FEATURES)
    start = net * (features + 1)
    is_here = i <= features
    is_weight = (i < features).to(tl.float32)
    w, m, v = load(nets, start + i, is_here)  # (FEATURES,)

    for step in range(first * data.steps, last * data.steps):
        x, t, weight = batch(data, split, step, features, BATCH_ROWS, FEATURES)
        # z = x w + b
        z = tl.sum(x * w[None, :], 1)  # (BATCH_ROWS,)
        dz = (tl.sigmoid(z) - t) * weight
        dw = tl.sum(x * dz[:, None], 0)  # (FEATURES,)

        lr, correction, epsilon = scheduled(nets, step, rate)
        dw += penalty(w, l1, l2) * is_weight
        w, m, v = adam(w, dw, m, v, lr, decay * is_weight, correction, epsilon)

    store(nets, start + i, is_here, w, m, v)


@triton.jit
def hyperparameters(nets, net):
    """A net's learning rate, weight decay, l1 and l2."""
    own = nets.own + net * 4
    return tl.load(own), tl.load(own + 1), tl.load(own + 2), tl.load(own + 3)


@triton.jit
def scheduled(nets, step, rate):
    """A step's learning rate, Adam's correction of it, and its epsilon."""
    now = nets.schedule + step * 3
    return rate * tl.load(now), tl.load(now + 1), tl.load(now + 2)


@triton.jit
def load(nets, where, is_there):
    """Parameters and Adam's state, into registers."""
    p, m = tl.load(nets.params + where, is_there, 0.0), tl.load(nets.exp_avg + where, is_there, 0.0)
    return p, m, tl.load(nets.exp_avg_sq + where, is_there, 0.0)


@triton.jit
def store(nets, where, is_there, p, m, v):
    """Parameters and Adam's state, out of registers."""
    tl.store(nets.params + where, p, is_there)
    tl.store(nets.exp_avg + where, m, is_there)
    tl.store(nets.exp_avg_sq + where, v, is_there)


@triton.jit
def batch(
    data, split, step,
    features: tl.constexpr, BATCH_ROWS: tl.constexpr, FEATURES: tl.constexpr,
):  # fmt: skip
    """A step's batch: [x 1] (BATCH_ROWS, FEATURES), labels and weights in the loss (BATCH_ROWS,).

    An epoch's first batches have a row more where its rows do not divide evenly, as in batches.py.
    """
    size = tl.load(data.sizes + split)
    epoch, number = step // data.steps, step % data.steps
    rest = size % data.steps
    count = size // data.steps + tl.where(number < rest, 1, 0)
    begin = number * (size // data.steps) + tl.minimum(number, rest)
    order = data.orders + (split * data.epochs + epoch) * data.longest
    position = tl.arange(0, BATCH_ROWS)
    is_row = position < count
    row = tl.load(order + begin + position, is_row, 0)  # (BATCH_ROWS,)
    f = tl.arange(0, FEATURES)[None, :]
    where = row.to(tl.int64)[:, None] * features + f  # (BATCH_ROWS, FEATURES)
    x = tl.load(data.table + where, is_row[:, None] & (f < features), 0.0)
    x = tl.where(f == features, 1.0, x)
    t = tl.load(data.labels + row % data.rows, is_row, 0.0)
    return x, t, tl.where(is_row, 1.0 / count, 0.0)


@triton.jit
def penalty(w, l1, l2):
    """The derivative of l1 |w| + l2 / 2 w², as in nets/losses.py."""
    sign = tl.where(w > 0, 1.0, 0.0) - tl.where(w < 0, 1.0, 0.0)
    return l1 * sign + l2 * w


@triton.jit
def adam(p, gradient, m, v, lr, decay, correction, epsilon):
    """One step of Adam or AdamW, as in nets/optimizers.py."""
    m += (1 - 0.9) * (gradient - m)
    v = 0.999 * v + (1 - 0.999) * gradient * gradient
    p = p * (1 - lr * decay) - lr * correction * m / (tl.sqrt(v) + epsilon)
    return p, m, v
