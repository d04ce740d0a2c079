"""The plain loops that compiled.py runs: one net's epoch, row by row. numba compiles this file.

Everything is float32, and an array's shape stands beside its name. fastmath lets sums be taken in
any order, which is what vector instructions need; NaN and infinity keep their meaning.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Bits = NDArray[np.uint32]

compiled = njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
LAST_PLACE = np.float32(2**-23)


@compiled
def train_epoch(
    table: Floats,  # (rows of all splits, features)
    rows: Integers,  # (nets, steps, places): positions in the table
    counts: Integers,  # (nets, steps): how many of the places are taken
    targets: Floats,  # (steps, nets, places)
    widths: Integers,  # (layers + 1,): features, units of each hidden layer, 1
    params: Floats,  # (nets, parameters): w1, b1, w2, b2, ... end to end
    mean: Floats,  # (nets, parameters): Adam's
    square: Floats,  # (nets, parameters): Adam's
    rates: Floats,  # (nets, steps): learning rates
    decay: Floats,  # (nets, parameters)
    l1: Floats,  # (nets, parameters)
    l2: Floats,  # (nets, parameters)
    dropout: Floats,  # (nets,): share of hidden units that a step leaves out
    keys: Bits,  # (nets, 2): of each net's random numbers
    streams: Bits,  # (hidden layers,): what parts the layers' numbers from each other
    before: int,  # steps taken before this epoch
) -> None:
    """Train each net for an epoch, changing params, mean and square in place."""
    nets, steps, places = rows.shape
    features, hidden = widths[0], len(widths) - 2  # hidden layers
    x_buffer = np.empty((places, features), np.float32)
    # Of all hidden layers: what they say, and the loss's derivative by it.
    h_buffer = np.empty(places * widths[1:-1].sum(), np.float32)
    d_buffer = np.empty_like(h_buffer)
    z_buffer = np.empty(places, np.float32)
    slope = np.empty(params.shape[1], np.float32)
    penalized, dropping = l1.any() or l2.any(), dropout.any()
    counter = np.arange(places * widths.max() if dropping else 0).astype(np.uint32)
    for i in range(len(counter)):
        counter[i] = mix(counter[i])

    for net in range(nets):
        p, scale = params[net], ONE / (ONE - dropout[net])
        for step in range(steps):
            n, done = counts[net, step], before + step + 1
            x, z = x_buffer[:n], z_buffer[:n]
            gather(table, rows[net, step], x)

            # Forward. `at` is where a layer's weights begin, `of` where its units do.
            h, at, of = x, 0, 0
            for layer in range(hidden):
                fan_in, units = widths[layer], widths[layer + 1]
                bias = at + fan_in * units
                a = h_buffer[of : of + n * units].reshape(n, units)
                np.dot(h, p[at:bias].reshape(fan_in, units), a)
                add_and_relu(a, p[bias : bias + units])
                if dropping:
                    drop(a, dropout[net], scale, keys[net], streams[layer], done, counter)
                h, at, of = a, bias + units, of + places * units
            last = at + widths[hidden]  # where the last bias is
            weigh(h, p[at:last], p[last], z)

            # Backward.
            slope_of_cross_entropy(z, targets[step, net])
            slope[last] = z.sum()
            if hidden:
                of -= places * widths[hidden]
                d = d_buffer[of : of + n * widths[hidden]].reshape(n, widths[hidden])
                back_to_units(h, z, p[at:last], scale, slope[at:last], d)
            else:
                back_to_weights(x, z, slope[at:last])
            for layer in range(hidden - 1, -1, -1):
                fan_in, units = widths[layer], widths[layer + 1]
                bias = at - units
                at = bias - fan_in * units
                below = x
                if layer:
                    of -= places * fan_in
                    below = h_buffer[of : of + n * fan_in].reshape(n, fan_in)
                np.dot(below.T, d, slope[at:bias].reshape(fan_in, units))
                sum_over_rows(d, slope[bias : bias + units])
                if layer:
                    above = d
                    d = d_buffer[of : of + n * fan_in].reshape(n, fan_in)
                    np.dot(above, p[at:bias].reshape(fan_in, units).T, d)
                    close_gates(below, scale, d)

            if penalized:
                penalize(p, slope, l1[net], l2[net])
            adam(p, slope, mean[net], square[net], decay[net], rates[net, step], done)


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
def back_to_weights(x: Floats, dz: Floats, dw: Floats) -> None:
    """dw = xᵀ dz, (features,)."""
    dw[:] = ZERO
    for i in range(x.shape[0]):
        d = dz[i]
        for j in range(x.shape[1]):
            dw[j] += x[i, j] * d


@compiled
def back_to_units(h: Floats, dz: Floats, w: Floats, scale: float, dw: Floats, d: Floats) -> None:
    """dw = hᵀ dz (hidden,), and d = dz wᵀ where a unit h was awake, scaled as it was."""
    dw[:] = ZERO
    for i in range(h.shape[0]):
        slope = dz[i]
        for j in range(h.shape[1]):
            dw[j] += h[i, j] * slope
            d[i, j] = slope * w[j] * scale if h[i, j] > ZERO else ZERO


@compiled
def close_gates(h: Floats, scale: float, d: Floats) -> None:
    """The same for the derivative d by other layers' units h, in place."""
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, j] = d[i, j] * scale if h[i, j] > ZERO else ZERO


@compiled
def drop(
    h: Floats, share: float, scale: float, key: Bits, stream: int, step: int, counter: Bits
) -> None:
    """Leave out a share of the units h (rows, hidden), and scale up the others.

    The numbers are those of random.py: counter (rows * hidden, at least) is scrambled already.
    """
    offset = mix(mix(key[0] ^ stream) + step)
    factor = mix(mix(key[1] ^ stream) + step) | np.uint32(1)
    units = h.shape[1]
    for i in range(h.shape[0]):
        for j in range(units):
            bits = mix((counter[i * units + j] + offset) * factor)
            kept = (np.float32(bits >> np.uint32(9)) + HALF) * LAST_PLACE >= share
            h[i, j] = h[i, j] * scale if kept else ZERO


@compiled
def mix(word: int | np.uint32) -> np.uint32:
    """lowbias32, as random.py has it."""
    bits = np.uint32(word)
    bits = np.uint32((bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D))
    bits = np.uint32((bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(bits ^ (bits >> np.uint32(16)))


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
