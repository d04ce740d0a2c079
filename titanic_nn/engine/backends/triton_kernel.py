"""The GPU kernels that on_chip.py launches: one program trains one net, from first to last step.

A net's parameters and Adam's memory of them stay in registers all the while, and a batch's rows
come through the cache beside them, so a step touches no slower memory. nets/relu.py and
nets/linear.py say what is computed; the same lines are marked here. A bias is one more row of its
matrix, and its input a column of ones: that is how parameters lie end to end.

Tiles have sizes that are powers of two, in capitals; what lies beyond the true size is masked to 0
and stays 0. triton compiles this file.
"""

import triton
import triton.language as tl

# Launches differ in their epochs, and must not be compiled anew for that.
compiled = triton.jit(do_not_specialize=["first", "last"])


@compiled
def train_relu(
    table,  # (rows of all matrices, features)
    labels,  # (labelled rows,)
    which,  # (nets,): each net's split
    orders,  # (splits, epochs, longest): where in the table its training rows are, as dealt
    sizes,  # (splits,): how many rows train
    params,  # (nets, parameters): w1, b1, w2, b2 end to end
    means,  # (nets, parameters): Adam's
    squares,  # (nets, parameters): Adam's
    own,  # (nets, 4): learning rate, weight decay, l1, l2
    schedule,  # (all steps, 3): factor on the learning rate, Adam's correction, its epsilon
    first,  # epoch
    last,  # epoch, exclusive
    epochs,
    longest,
    steps,  # an epoch
    rows,  # of a matrix
    features: tl.constexpr,
    hidden: tl.constexpr,
    PLACES: tl.constexpr,
    FEATURES: tl.constexpr,  # at least features + 1
    HIDDEN: tl.constexpr,
):
    """Train a net with one hidden layer for some epochs, changing params, means and squares."""
    net = tl.program_id(0).to(tl.int64)
    split = tl.load(which + net)
    size = tl.load(sizes + split)
    rate, decay, l1, l2 = config(own, net)

    i, j = tl.arange(0, FEATURES)[:, None], tl.arange(0, HIDDEN)
    below, above = i * hidden + j, (features + 1) * hidden + j  # where w1 and w2 lie in a net
    last_bias = (features + 2) * hidden
    start = net * (last_bias + 1)
    is_unit = j < hidden
    is_first = (i <= features) & is_unit
    is_weight = (i < features).to(tl.float32)  # (FEATURES, 1): else the bias

    w1, m1, v1 = recall(params, means, squares, start + below, is_first)  # (FEATURES, HIDDEN)
    w2, m2, v2 = recall(params, means, squares, start + above, is_unit)  # (HIDDEN,)
    b2, mb, vb = recall(params, means, squares, start + last_bias, True)

    for step in range(first * steps, last * steps):
        order = orders + (split * epochs + step // steps) * longest
        x, t, share = batch(
            table, labels, order, size, step % steps, steps, rows, features, PLACES, FEATURES
        )
        # h = max(0, x w1 + b1) and z = h w2 + b2
        h = tl.maximum(tl.dot(x, w1, input_precision="tf32x3"), 0.0)  # (PLACES, HIDDEN)
        z = tl.sum(h * w2[None, :], 1) + b2  # (PLACES,)
        dz = (tl.sigmoid(z) - t) * share
        da = tl.where(h > 0, dz[:, None] * w2[None, :], 0.0)  # (PLACES, HIDDEN)
        dw1 = tl.dot(tl.trans(x), da, input_precision="tf32x3")  # (FEATURES, HIDDEN)
        dw2 = tl.sum(h * dz[:, None], 0)  # (HIDDEN,)
        db2 = tl.sum(dz, 0)

        lr, correction, epsilon = scheduled(schedule, step, rate)
        dw1 += penalty(w1, l1, l2) * is_weight
        dw2 += penalty(w2, l1, l2)
        w1, m1, v1 = adam(w1, dw1, m1, v1, lr, decay * is_weight, correction, epsilon)
        w2, m2, v2 = adam(w2, dw2, m2, v2, lr, decay, correction, epsilon)
        b2, mb, vb = adam(b2, db2, mb, vb, lr, 0.0, correction, epsilon)

    keep(params, means, squares, start + below, is_first, w1, m1, v1)
    keep(params, means, squares, start + above, is_unit, w2, m2, v2)
    keep(params, means, squares, start + last_bias, True, b2, mb, vb)


@compiled
def train_linear(
    table, labels, which, orders, sizes, params, means, squares, own, schedule,
    first, last, epochs, longest, steps, rows,
    features: tl.constexpr,
    hidden: tl.constexpr,  # 0
    PLACES: tl.constexpr,
    FEATURES: tl.constexpr,
    HIDDEN: tl.constexpr,
):  # fmt: skip
    """Train a linear model for some epochs; the arguments are those of `train_relu`."""
    net = tl.program_id(0).to(tl.int64)
    split = tl.load(which + net)
    size = tl.load(sizes + split)
    rate, decay, l1, l2 = config(own, net)

    i = tl.arange(0, FEATURES)
    start = net * (features + 1)
    is_here = i <= features
    is_weight = (i < features).to(tl.float32)
    w, m, v = recall(params, means, squares, start + i, is_here)  # (FEATURES,)

    for step in range(first * steps, last * steps):
        order = orders + (split * epochs + step // steps) * longest
        x, t, share = batch(
            table, labels, order, size, step % steps, steps, rows, features, PLACES, FEATURES
        )
        # z = x w + b
        z = tl.sum(x * w[None, :], 1)  # (PLACES,)
        dz = (tl.sigmoid(z) - t) * share
        dw = tl.sum(x * dz[:, None], 0)  # (FEATURES,)

        lr, correction, epsilon = scheduled(schedule, step, rate)
        dw += penalty(w, l1, l2) * is_weight
        w, m, v = adam(w, dw, m, v, lr, decay * is_weight, correction, epsilon)

    keep(params, means, squares, start + i, is_here, w, m, v)


@triton.jit
def config(own, net):
    """A net's learning rate, weight decay, l1 and l2."""
    mine = own + net * 4
    return tl.load(mine), tl.load(mine + 1), tl.load(mine + 2), tl.load(mine + 3)


@triton.jit
def scheduled(schedule, step, rate):
    """A step's learning rate, Adam's correction of it, and its epsilon."""
    now = schedule + step * 3
    return rate * tl.load(now), tl.load(now + 1), tl.load(now + 2)


@triton.jit
def recall(params, means, squares, where, is_there):
    """Parameters and Adam's memory of them, into registers."""
    p = tl.load(params + where, is_there, 0.0)
    return p, tl.load(means + where, is_there, 0.0), tl.load(squares + where, is_there, 0.0)


@triton.jit
def keep(params, means, squares, where, is_there, p, m, v):
    """And back."""
    tl.store(params + where, p, is_there)
    tl.store(means + where, m, is_there)
    tl.store(squares + where, v, is_there)


@triton.jit
def batch(
    table, labels, order, size, number, steps, rows,
    features: tl.constexpr, PLACES: tl.constexpr, FEATURES: tl.constexpr,
):  # fmt: skip
    """An epoch's batch of that number: [x 1] (PLACES, FEATURES), labels and shares (PLACES,).

    The first batches take a row more where the division leaves a rest, as batches.py deals them.
    """
    rest = size % steps
    count = size // steps + tl.where(number < rest, 1, 0)
    begin = number * (size // steps) + tl.minimum(number, rest)
    place = tl.arange(0, PLACES)
    is_taken = place < count
    row = tl.load(order + begin + place, is_taken, 0)  # (PLACES,)
    f = tl.arange(0, FEATURES)[None, :]
    where = row.to(tl.int64)[:, None] * features + f  # (PLACES, FEATURES)
    x = tl.load(table + where, is_taken[:, None] & (f < features), 0.0)
    x = tl.where(f == features, 1.0, x)
    t = tl.load(labels + row % rows, is_taken, 0.0)
    return x, t, tl.where(is_taken, 1.0 / count, 0.0)


@triton.jit
def penalty(w, l1, l2):
    """The derivative of l1 |w| + l2 / 2 w², as nets/losses.py has it."""
    sign = tl.where(w > 0, 1.0, 0.0) - tl.where(w < 0, 1.0, 0.0)
    return l1 * sign + l2 * w


@triton.jit
def adam(p, slope, m, v, lr, decay, correction, epsilon):
    """One step of Adam, or AdamW, as nets/optimizers.py has it."""
    m += (1 - 0.9) * (slope - m)
    v = 0.999 * v + (1 - 0.999) * slope * slope
    p = p * (1 - lr * decay) - lr * correction * m / (tl.sqrt(v) + epsilon)
    return p, m, v
