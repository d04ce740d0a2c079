"""Layers that several nets use: linear, embedding, normalization, dropout; also autograd.

Layers are numbered from 1, and a layer's number ends the names of its parameters: "w2", "scale2".
"""

from collections.abc import Callable
from math import pi, sqrt

import torch
from torch import Tensor
from torch.nn import functional

from titanic_nn.nets.batch import Batch, Params, Uniform, is_trained
from titanic_nn.nets.config import PeriodicEmbedding
from titanic_nn.nets.initialization import INITIALIZATIONS, standard_normal
from titanic_nn.nets.losses import Loss

EPSILON = 1e-5  # added to the variance, as in torch.nn
MOMENTUM = 0.1  # weight of a batch in the running statistics, as in torch.nn


def linear_params(
    i: int, fans: tuple[int, int], initialization: str, uniform: Uniform, *, bias: bool = True
) -> Params:
    """Initial parameters of linear layer `i`: weights (..., *fans), and a bias of 0."""
    w = INITIALIZATIONS[initialization](uniform(f"w{i}", fans), *fans)
    return {f"w{i}": w} | ({f"b{i}": torch.zeros_like(w[..., :1, :])} if bias else {})


def linear(params: Params, i: int, x: Tensor) -> Tensor:
    """x w + b, or x w for a layer without bias: (..., rows, fan_out)."""
    x = x @ params[f"w{i}"]
    return x + params[f"b{i}"] if f"b{i}" in params else x


def embedding_params(embedding: PeriodicEmbedding, features: int, uniform: Uniform) -> Params:
    """Initial parameters of `embed`; none for an embedding with 0 frequencies.

    Frequencies are normal, weights uniform on ±1 / sqrt(2 k), as in the paper's code.
    """
    k, size = embedding.n_frequencies, embedding.embedding_size
    if k == 0:
        return {}
    frequency = standard_normal(uniform("frequency0", (features, 1, k)))
    w = (2 * uniform("w0", (features, 2 * k, size)) - 1) / sqrt(2 * k)
    return {
        "frequency0": embedding.frequency_scale * frequency,  # (..., features, 1, k)
        "w0": w,  # (..., features, 2 k, size): a linear layer for each feature
        "b0": torch.zeros_like(w[..., :1, :]),  # (..., features, 1, size)
    }


def embed(params: Params, x: Tensor) -> Tensor:
    """Periodic embeddings of features x (..., rows, features), side by side in the last axis.

    Each feature becomes `size` numbers, relu([sin(2 pi f x), cos(2 pi f x)] w + b), with trained
    frequencies f (Gorishniy, Rubachev and Babenko 2022, there called PLR). A net without
    embedding's parameters returns x.
    """
    if "w0" not in params:
        return x
    column = x.transpose(-2, -1).unsqueeze(-1)  # (..., features, rows, 1)
    angle = 2 * pi * params["frequency0"] * column  # (..., features, rows, k)
    waves = torch.cat([angle.sin(), angle.cos()], -1)  # (..., features, rows, 2 k)
    embedded = linear(params, 0, waves).relu()  # (..., features, rows, size)
    return embedded.transpose(-3, -2).flatten(-2)  # (..., rows, features * size)


def normalization_params(kind: str, i: int, like: Tensor) -> Params:
    """Initial parameters of normalization `i`, of units as in `like` (..., 1, units).

    kind: "none", "batch" or "layer".
    """
    if kind == "none":
        return {}
    params = {f"scale{i}": torch.ones_like(like), f"shift{i}": torch.zeros_like(like)}
    if kind == "batch":
        params[f"running_mean{i}"] = torch.zeros_like(like)
        params[f"running_variance{i}"] = torch.ones_like(like)
    return params


def normalize(kind: str, params: Params, i: int, x: Tensor, batch: Batch | None) -> Tensor:
    """x (..., rows, units) with mean 0 and variance 1, then scaled and shifted.

    "batch" normalizes each unit over the batch's rows (Ioffe and Szegedy 2015) and, without a
    batch, by the running statistics; "layer" each row over its units (Ba, Kiros and Hinton 2016);
    "none" returns x.
    """
    if kind == "none":
        return x
    if kind == "batch":
        x = _batch_norm(params, i, x, batch)
    else:
        x = functional.layer_norm(x, x.shape[-1:], eps=EPSILON)
    return x * params[f"scale{i}"] + params[f"shift{i}"]


def _batch_norm(params: Params, i: int, x: Tensor, batch: Batch | None) -> Tensor:
    if batch is None:
        mean, variance = params[f"running_mean{i}"], params[f"running_variance{i}"]
    else:
        counted = (batch.weights > 0).to(x.dtype)  # (..., rows, 1): 0 for rows that pad the batch
        rows = counted.sum(-2, keepdim=True)  # (..., 1, 1)
        mean = (counted * x).sum(-2, keepdim=True) / rows  # (..., 1, units)
        variance = (counted * (x - mean) ** 2).sum(-2, keepdim=True) / rows
        with torch.no_grad():
            params[f"running_mean{i}"].lerp_(mean, MOMENTUM)
            unbiased = variance * rows / (rows - 1).clamp(min=1)
            params[f"running_variance{i}"].lerp_(unbiased, MOMENTUM)
    return (x - mean) / (variance + EPSILON).sqrt()


def drop(purpose: str, rate: Tensor | None, x: Tensor, batch: Batch | None) -> Tensor:
    """Dropout (Srivastava et al. 2014) of the units x (..., rows, units) in a training step.

    A unit is set to 0 with probability `rate` (..., 1, 1); the others are divided by 1 - rate, so
    that predictions use all units unscaled. rate None: no net drops any.
    """
    if batch is None or rate is None:
        return x
    mask = batch.uniform(purpose, tuple(x.shape[-2:])).ge_(rate)
    return x * mask.div_(1 - rate)


def dropout_rate(rate: Tensor) -> Tensor | None:
    """The nets' rates for `drop`: None where all of them are 0, which saves drawing numbers."""
    return rate if rate.any() else None


def gradients_by_autograd(
    forward: Callable[[Params, Tensor, Batch], Tensor], params: Params, batch: Batch, loss: Loss
) -> Params:
    """The gradient by every trained parameter; `forward` updates running statistics in place."""
    trained = {n: p.detach().requires_grad_() for n, p in params.items() if is_trained(n)}
    with torch.enable_grad():
        logits = forward(params | trained, batch.x, batch)
    dlogits = loss.gradient(logits.detach(), batch.targets, batch.weights)
    gradients = torch.autograd.grad(logits, list(trained.values()), dlogits)
    return dict(zip(trained, gradients, strict=True))
