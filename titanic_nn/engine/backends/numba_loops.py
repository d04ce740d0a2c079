"""The loops of the numba backend: each net's epoch, row by row. numba compiles this file.

Everything is float32, and an array's shape is given beside its name. fastmath lets sums be taken in
any order, as vector instructions require; NaN and infinity keep their meaning.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Bits = NDArray[np.uint32]

# Without numpy's error model every division is checked for 0, and no loop with one is vectorized.
compiled = njit(
    nogil=True,
    cache=True,
    error_model="numpy",
    fastmath={"reassoc", "contract", "nsz", "arcp"},
)
ZERO, ONE = np.float32(0), np.float32(1)


class Data(NamedTuple):
    """What the nets are trained on: their matrices, one below the other, and labels.

    A matrix's columns are dense or sparse. The sparse ones are stored as compressed sparse rows.
    """

    dense: Floats  # (rows of all matrices, dense columns)
    dense_columns: Integers  # their positions in a matrix, (dense columns,)
    indptr: Integers  # where each row begins in `indices` and `values`, (rows of all matrices + 1,)
    indices: Integers  # the columns of the sparse numbers, (sparse numbers,)
    values: Floats  # (sparse numbers,)
    labels: Floats  # (labelled rows,): of every matrix's first rows
    split_of: Integers  # (nets,)
    first_row: Integers  # (nets,): where each net's matrix begins
    counts: Integers  # (splits, steps): how many rows of a batch are not padding


class Arrays(NamedTuple):
    """The nets."""

    widths: Integers  # (layers + 1,): features, units of each hidden layer, 1
    params: Floats  # (nets, parameters): w1, b1, w2, b2, ... end to end
    exp_avg: Floats  # (nets, parameters): Adam's state
    exp_avg_sq: Floats  # (nets, parameters): Adam's state
    keys: Bits  # (nets, 2): of each net's random numbers
    streams: Bits  # (hidden layers,): what separates the layers' random numbers


class PerNet(NamedTuple):
    """Their hyper-parameters."""

    learning_rates: Floats  # (nets, all steps)
    weight_decay: Floats  # (nets, parameters)
    l1: Floats  # (nets, parameters)
    l2: Floats  # (nets, parameters)
    dropout: Floats  # (nets,): fraction of hidden units that a step drops


@compiled
def train_epochs(rows: Integers, data: Data, nets: Arrays, own: PerNet, before: int) -> None:
    """Train each net for some epochs, changing params, exp_avg and exp_avg_sq in place.

    rows: of each batch, by their positions in a matrix, (epochs, splits, steps, batch_rows).
    before: steps taken before these epochs.
    """
    # Taken out of the tuples once, not in every loop.
    dense, dense_columns, indptr, indices, values, labels, split_of, first_row, counts = data
    widths, params, exp_avg, exp_avg_sq, keys, streams = nets
    learning_rates, weight_decay, l1, l2, dropout = own
    n_nets, (epochs, _, steps, batch_rows) = len(params), rows.shape
    features, hidden = widths[0], len(widths) - 2  # hidden layers
    n_dense = len(dense_columns)
    taken = np.append(dense_columns, features)  # with the column of ones
    # With a last column of ones, whose weights are the first layer's biases.
    x_buffer = aligned(batch_rows * (n_dense + 1)).reshape(batch_rows, n_dense + 1)
    x_buffer[:] = ONE
    # Of all hidden layers: their outputs, and the loss's derivative by them.
    h_buffer = aligned(batch_rows * widths[1:-1].sum())
    d_buffer = aligned(len(h_buffer))
    z_buffer = aligned(batch_rows)
    gradient = aligned(params.shape[1])
    wt_buffer = aligned(params.shape[1])
    p, m, v = aligned(params.shape[1]), aligned(params.shape[1]), aligned(params.shape[1])
    # The first layer's parameters and their gradient; w1 and dw1 are those of the columns of x.
    size1 = (features + 1) * widths[1]
    p1 = w1 = p[:size1].reshape(features + 1, widths[1])
    gradient1 = dw1 = gradient[:size1].reshape(features + 1, widths[1])
    if n_dense < features:
        w1 = aligned((n_dense + 1) * widths[1]).reshape(n_dense + 1, widths[1])
        dw1 = aligned(w1.size).reshape(w1.shape)
    penalized, dropping = l1.any() or l2.any(), dropout.any()
    counter = np.arange(batch_rows * widths.max() if dropping else 0).astype(np.uint32)
    for i in range(len(counter)):
        counter[i] = mix(counter[i])

    for net in range(n_nets):
        p[:], m[:], v[:] = params[net], exp_avg[net], exp_avg_sq[net]
        scale, split = ONE / (ONE - dropout[net]), split_of[net]
        first = first_row[net]
        for step in range(epochs * steps):
            epoch, i = divmod(step, steps)
            n, done = counts[split, i], before + step + 1
            batch, x, z = rows[epoch, split, i, :n], x_buffer[:n], z_buffer[:n]
            gather(dense[first:], batch, x)

            # Forward. `at` is where a layer's weights begin, `of` where its units do.
            h, at, of = x, 0, 0
            for layer in range(hidden):
                units = widths[layer + 1]
                bias = at + widths[layer] * units
                a = h_buffer[of : of + n * units].reshape(n, units)
                if layer == 0:
                    if n_dense < features:
                        gather(p1, taken, w1)
                    np.dot(x, w1, a)
                    if n_dense < features:
                        add_sparse(indptr[first:], indices, values, batch, p1, a)
                else:
                    np.dot(h, p[at:bias].reshape(widths[layer], units), a)
                    add_to_rows(a, p[bias : bias + units])
                relu(a)
                if dropping:
                    drop(a, dropout[net], scale, keys[net], streams[layer], done, counter)
                h, at, of = a, bias + units, of + batch_rows * units
            w = p[at : at + h.shape[1]]  # the last layer's
            weigh(h, w, p[-1] if hidden else ZERO, z)

            # Backward.
            cross_entropy_gradient(z, labels, batch)
            if hidden:
                gradient[-1] = z.sum()
                of -= batch_rows * widths[hidden]
                d = d_buffer[of : of + n * widths[hidden]].reshape(n, widths[hidden])
                back_to_units(h, z, w, scale, gradient[at:-1], d)
            else:
                back_to_weights(x, z, gradient)
            for layer in range(hidden - 1, 0, -1):
                fan_in, units = widths[layer], widths[layer + 1]
                bias = at - units
                at = bias - fan_in * units
                of -= batch_rows * fan_in
                below = h_buffer[of : of + n * fan_in].reshape(n, fan_in)
                np.dot(below.T, d, gradient[at:bias].reshape(fan_in, units))
                sum_over_rows(d, gradient[bias : bias + units])
                above = d
                d = d_buffer[of : of + n * fan_in].reshape(n, fan_in)
                # Written out, since np.dot is slower with a transposed second factor.
                transposed = wt_buffer[: fan_in * units].reshape(units, fan_in)
                transpose(p[at:bias].reshape(fan_in, units), transposed)
                np.dot(above, transposed, d)
                multiply_by_gates(below, scale, d)
            if hidden:
                np.dot(x.T, d, dw1)
                if n_dense < features:
                    back_to_sparse(indptr[first:], indices, values, batch, d, gradient1)
                    scatter(dw1, taken, gradient1)

            if penalized:
                add_penalties(p, gradient, l1[net], l2[net])
            rate = learning_rates[net, before + step]
            adam(p, gradient, m, v, weight_decay[net], rate, done)
        params[net], exp_avg[net], exp_avg_sq[net] = p, m, v


@compiled
def aligned(size: int) -> Floats:
    """Uninitialized numbers that begin at a cache line: a vector across two lines is read twice."""
    buffer = np.empty(size + 16, np.float32)
    skipped = -buffer.ctypes.data % 64 // 4
    return buffer[skipped : skipped + size]


@compiled
def compress(x: Floats, columns: Integers) -> tuple[Integers, Integers, Floats]:
    """Some columns of x (rows, features) as compressed sparse rows: indptr, indices, values."""
    indptr = np.zeros(len(x) + 1, np.int64)
    for i in range(len(x)):
        count = 0
        for j in columns:
            count += x[i, j] != ZERO
        indptr[i + 1] = indptr[i] + count
    indices, values = np.empty(indptr[-1], np.int64), np.empty(indptr[-1], np.float32)
    for i in range(len(x)):
        k = indptr[i]
        for j in columns:
            if x[i, j] != ZERO:
                indices[k], values[k] = j, x[i, j]
                k += 1
    return indptr, indices, values


@compiled
def gather(source: Floats, rows: Integers, target: Floats) -> None:
    """Some rows of a matrix, number by number, since assigning rows is slower.

    target may have further columns, which stay as they are.
    """
    for i in range(len(target)):
        row = rows[i]
        for j in range(source.shape[1]):
            target[i, j] = source[row, j]


@compiled
def scatter(source: Floats, rows: Integers, target: Floats) -> None:
    """The reverse of `gather`: the source's rows are some rows of the target."""
    for i in range(len(source)):
        row = rows[i]
        for j in range(source.shape[1]):
            target[row, j] = source[i, j]


@compiled
def add_sparse(
    indptr: Integers, indices: Integers, values: Floats, rows: Integers, w: Floats, a: Floats
) -> None:
    """Add sparse rows times w (features + 1, units) to a (rows, units)."""
    for i in range(len(rows)):
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            column, value = indices[k], values[k]
            for j in range(a.shape[1]):
                a[i, j] += value * w[column, j]


@compiled
def back_to_sparse(
    indptr: Integers, indices: Integers, values: Floats, rows: Integers, d: Floats, dw: Floats
) -> None:
    """dw (features + 1, units): the sparse rows, transposed, times d (rows, units)."""
    dw[:] = ZERO
    for i in range(len(rows)):
        for k in range(indptr[rows[i]], indptr[rows[i] + 1]):
            column, value = indices[k], values[k]
            for j in range(d.shape[1]):
                dw[column, j] += value * d[i, j]


@compiled
def add_to_rows(a: Floats, bias: Floats) -> None:
    """a (rows, hidden) + bias in place."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] += bias[j]


@compiled
def relu(a: Floats) -> None:
    """max(0, a) in place; a (rows, hidden)."""
    flat = a.reshape(-1)
    for i in range(len(flat)):
        flat[i] = flat[i] if flat[i] > ZERO else ZERO


@compiled
def weigh(h: Floats, w: Floats, b: float | np.float32, z: Floats) -> None:
    """z = h w + b, (rows,)."""
    for i in range(h.shape[0]):
        total = ZERO
        for j in range(h.shape[1]):
            total += h[i, j] * w[j]
        z[i] = total + b


@compiled
def cross_entropy_gradient(z: Floats, labels: Floats, rows: Integers) -> None:
    """(sigmoid(z) - label) / rows in place of the logits z (rows,)."""
    weight = np.float32(1 / len(z))
    for i in range(len(z)):
        z[i] = (ONE / (ONE + np.exp(-z[i])) - labels[rows[i]]) * weight


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
    """dw = hᵀ dz (hidden,), and d = scale * dz wᵀ where a unit h is active, else 0."""
    dw[:] = ZERO
    for i in range(h.shape[0]):
        di = dz[i]
        for j in range(h.shape[1]):
            dw[j] += h[i, j] * di
            d[i, j] = di * w[j] * scale if h[i, j] > ZERO else ZERO


@compiled
def transpose(w: Floats, transposed: Floats) -> None:
    """transposed = wᵀ, (units, fan_in)."""
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            transposed[j, i] = w[i, j]


@compiled
def multiply_by_gates(h: Floats, scale: float, d: Floats) -> None:
    """d = scale * d where a unit h is active, else 0, in place; both (rows, hidden)."""
    flat_h, flat_d = h.reshape(-1), d.reshape(-1)
    for i in range(len(flat_h)):
        flat_d[i] = flat_d[i] * scale if flat_h[i] > ZERO else ZERO


@compiled
def drop(
    h: Floats, rate: float, scale: float, key: Bits, stream: int, step: int, counter: Bits
) -> None:
    """Set a fraction `rate` of the units h (rows, hidden) to 0, and multiply the others by `scale`.

    The random numbers are those of rng.py; counter (at least rows * hidden) is scrambled already.
    """
    offset = mix(mix(key[0] ^ stream) + step)
    factor = mix(mix(key[1] ^ stream) + step) | np.uint32(1)
    # In rng.py a unit is kept where ((bits >> 9) + 0.5) / 2**23 >= rate: a comparison of integers.
    smallest = np.uint32(np.ceil(np.float64(rate) * 2**23 - 0.5) * 2**9)
    flat = h.reshape(-1)
    for i in range(len(flat)):
        bits = mix((counter[i] + offset) * factor)
        flat[i] = flat[i] * scale if bits >= smallest else ZERO


@compiled
def mix(word: int | np.uint32) -> np.uint32:
    """lowbias32, as in rng.py."""
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
def add_penalties(p: Floats, gradient: Floats, l1: Floats, l2: Floats) -> None:
    """Add the gradient of l1 |p| + l2 / 2 p² to `gradient`."""
    for j in range(len(p)):
        gradient[j] += l1[j] * np.sign(p[j]) + l2[j] * p[j]


@compiled
def adam(
    p: Floats, gradient: Floats, exp_avg: Floats, exp_avg_sq: Floats, decay: Floats,
    learning_rate: float, step: int,
) -> None:  # fmt: skip
    """One step of Adam or AdamW, as in nets/optimizers.py."""
    bias_correction1, root_correction2 = 1 - 0.9**step, np.sqrt(1 - 0.999**step)
    scale = np.float32(learning_rate * root_correction2 / bias_correction1)
    epsilon = np.float32(1e-8 * root_correction2)
    new1, kept2, new2 = np.float32(1 - 0.9), np.float32(0.999), np.float32(1 - 0.999)
    for j in range(len(p)):
        g = gradient[j]
        m = exp_avg[j] + new1 * (g - exp_avg[j])
        v = kept2 * exp_avg_sq[j] + new2 * g * g
        exp_avg[j], exp_avg_sq[j] = m, v
        p[j] = p[j] * (ONE - learning_rate * decay[j]) - scale * m / (np.sqrt(v) + epsilon)
