"""The plain loops that compiled.py runs: one net's epoch, row by row. numba compiles this file.

Everything is float32, and an array's shape stands beside its name. fastmath lets sums be taken in
any order, which is what vector instructions need; NaN and infinity keep their meaning.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

compiled = njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
ZERO, ONE = np.float32(0), np.float32(1)


@compiled
def train_epoch(
    table: Floats,  # (rows of all splits, features)
    rows: Integers,  # (nets, steps, places): positions in the table
    counts: Integers,  # (nets, steps): how many of the places are taken
    targets: Floats,  # (steps, nets, places)
    hidden: int,  # units; 0 for the linear model
    params: Floats,  # (nets, parameters): w1, b1, w2, b2 end to end, or w, b
    mean: Floats,  # (nets, parameters): Adam's
    square: Floats,  # (nets, parameters): Adam's
    rates: Floats,  # (nets, steps): learning rates
    decay: Floats,  # (nets, parameters)
    l1: Floats,  # (nets, parameters)
    l2: Floats,  # (nets, parameters)
    before: int,  # steps taken before this epoch
) -> None:
    """Train each net for an epoch, changing params, mean and square in place."""
    nets, steps, places = rows.shape
    features = table.shape[1]
    x_buffer = np.empty((places, features), np.float32)
    h_buffer = np.empty((places, max(hidden, 1)), np.float32)
    da_buffer = np.empty((places, max(hidden, 1)), np.float32)
    z_buffer = np.empty(places, np.float32)
    slope = np.empty(params.shape[1], np.float32)
    b1, w2 = features * hidden, features * hidden + hidden  # where they begin
    last = params.shape[1] - 1  # where the last bias is

    penalized = l1.any() or l2.any()

    for net in range(nets):
        p = params[net]
        for step in range(steps):
            n = counts[net, step]
            x, z = x_buffer[:n], z_buffer[:n]
            gather(table, rows[net, step], x)
            if hidden:
                h, da = h_buffer[:n], da_buffer[:n]
                np.dot(x, p[:b1].reshape(features, hidden), h)
                add_and_relu(h, p[b1:w2])
                weigh(h, p[w2:last], p[last], z)
                slope_of_cross_entropy(z, targets[step, net])
                back_to_hidden(h, z, p[w2:last], slope[w2:last], da)
                np.dot(x.T, da, slope[:b1].reshape(features, hidden))
                sum_over_rows(da, slope[b1:w2])
            else:
                weigh(x, p[:last], p[last], z)
                slope_of_cross_entropy(z, targets[step, net])
                back_to_weights(x, z, slope[:last])
            slope[last] = z.sum()
            if penalized:
                penalize(p, slope, l1[net], l2[net])
            adam(p, slope, mean[net], square[net], decay[net], rates[net, step], before + step + 1)


@compiled
def gather(table: Floats, rows: Integers, x: Floats) -> None:
    """x (rows, features) from the table."""
    for i in range(len(x)):
        row = rows[i]
        for j in range(x.shape[1]):
            x[i, j] = table[row, j]


@compiled
def add_and_relu(a: Floats, bias: Floats) -> None:
    """max(0, a + bias) in place; a (rows, hidden)."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            value = a[i, j] + bias[j]
            a[i, j] = value if value > ZERO else ZERO


@compiled
def weigh(h: Floats, w: Floats, b: float, z: Floats) -> None:
    """z = h w + b, (rows,)."""
    for i in range(h.shape[0]):
        total = ZERO
        for j in range(h.shape[1]):
            total += h[i, j] * w[j]
        z[i] = total + b


@compiled
def slope_of_cross_entropy(z: Floats, t: Floats) -> None:
    """(sigmoid(z) - t) / rows in place of the logits z (rows,)."""
    share = np.float32(1 / len(z))
    for i in range(len(z)):
        z[i] = (ONE / (ONE + np.exp(-z[i])) - t[i]) * share


@compiled
def back_to_hidden(h: Floats, dz: Floats, w2: Floats, dw2: Floats, da: Floats) -> None:
    """dw2 = hᵀ dz (hidden,), and da = dz w2ᵀ where a unit was awake, (rows, hidden)."""
    dw2[:] = ZERO
    for i in range(h.shape[0]):
        d = dz[i]
        for j in range(h.shape[1]):
            dw2[j] += h[i, j] * d
            da[i, j] = d * w2[j] if h[i, j] > ZERO else ZERO


@compiled
def back_to_weights(x: Floats, dz: Floats, dw: Floats) -> None:
    """dw = xᵀ dz, (features,)."""
    dw[:] = ZERO
    for i in range(x.shape[0]):
        d = dz[i]
        for j in range(x.shape[1]):
            dw[j] += x[i, j] * d


@compiled
def sum_over_rows(da: Floats, db: Floats) -> None:
    """db (hidden,), the sum of da's rows."""
    db[:] = ZERO
    for i in range(da.shape[0]):
        for j in range(da.shape[1]):
            db[j] += da[i, j]


@compiled
def penalize(p: Floats, slope: Floats, l1: Floats, l2: Floats) -> None:
    """Add the derivative of l1 |p| + l2 / 2 p²."""
    for j in range(len(p)):
        slope[j] += l1[j] * np.sign(p[j]) + l2[j] * p[j]


@compiled
def adam(
    p: Floats, slope: Floats, mean: Floats, square: Floats, decay: Floats, rate: float, step: int
) -> None:
    """One step of Adam, or AdamW, as nets/optimizers.py has it."""
    seen1, seen2 = 1 - 0.9**step, np.sqrt(1 - 0.999**step)
    scale, epsilon = np.float32(rate * seen2 / seen1), np.float32(1e-8 * seen2)
    new1, kept2, new2 = np.float32(1 - 0.9), np.float32(0.999), np.float32(1 - 0.999)
    for j in range(len(p)):
        g = slope[j]
        m = mean[j] + new1 * (g - mean[j])
        v = kept2 * square[j] + new2 * g * g
        mean[j], square[j] = m, v
        p[j] = p[j] * (ONE - rate * decay[j]) - scale * m / (np.sqrt(v) + epsilon)
