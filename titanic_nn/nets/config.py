"""The hyper-parameters of each net: one frozen dataclass per net, with its defaults.

A class also holds the net's search space for tuning, with the reason for each range. Values are
checked when an object is made, and a setting without effect (momentum under Adam, say) is refused,
so every number in a settings file is one that acted. This module does not import torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

STRICT = ConfigDict(extra="forbid")

# Upper bounds keep values within what arrays and float32 hold; most that is absurd is below them,
# and is refused for what it would take (engine/cost.py).
Count = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0, le=1e30, allow_inf_nan=False)]
# Of decay and penalties: gradients that are far larger overflow when Adam squares them.
NotNegative = Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]
Rate = Annotated[float, Field(strict=True, ge=0, le=0.9999)]
LAYERS = 1000  # the most that a net may have
Initialization = Literal["xavier", "he", "fastai"]


@plain_dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole numbers if both are."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@plain_dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: Sequence[Any]


SearchSpace: TypeAlias = Mapping[str, Range | Choice]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NetConfig:
    """How a net is trained: the settings that every net has."""

    # Setting -> where tuning searches it; the others keep their defaults.
    search_space: ClassVar[SearchSpace] = {}
    # Settings in which the nets of one program may differ; a net reads them by `value(name)`.
    per_member: ClassVar[Sequence[str]] = ("learning_rate", "momentum", "weight_decay", "l1", "l2")

    # Passes over the training rows. Never chosen on the fold that scores the net.
    epochs: Count = 60
    batch_size: Count | Literal["all"] = 128  # rows per step; "all": the whole training set
    loss: Literal["cross_entropy", "squared_error", "absolute_error"] = "cross_entropy"
    # Adam with decoupled weight decay: its learning rate needs little tuning, and the decay is the
    # same for every weight.
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    learning_rate: Positive = 0.01
    # How the learning rate changes from the first step to the last.
    schedule: Literal["constant", "cosine", "one_cycle"] = "cosine"
    # Fraction of the last step's velocity that is kept; "sgd" only.
    momentum: Rate = 0.0
    # Weights shrink by learning_rate * weight_decay in each step, whatever the gradient; "adamw"
    # only. Under another optimizer the default is 0.
    weight_decay: NotNegative = 1.0
    # Penalties added to the loss: l1 * sum(|w|) and l2 / 2 * sum(w^2), over weights, not biases.
    l1: NotNegative = 0.0
    l2: NotNegative = 0.0
    # Initial weights: Glorot and Bengio's uniform, He's normal, or fast.ai's (u - 0.5) / fan_out.
    initialization: Initialization = "he"

    @model_validator(mode="before")
    @classmethod
    def _default_weight_decay(cls, values: Any) -> Any:
        given = values.kwargs if isinstance(values, ArgsKwargs) else values
        if isinstance(given, dict) and given.get("optimizer", "adamw") != "adamw":
            return {"weight_decay": 0.0, **given}
        return values

    @model_validator(mode="after")
    def _each_setting_acts(self) -> Self:
        used = self.optimizer
        for name, only, instead in (("momentum", "sgd", "0"), ("weight_decay", "adamw", "l2")):
            if getattr(self, name) and used != only:
                raise ValueError(f'{name} does nothing under "{used}": use "{only}", or {instead}')
        return self

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """Units after each linear layer but the last."""
        return ()


_TRAINING: dict[str, Range | Choice] = {
    # A hidden layer memorizes some 900 rows within 60 epochs. Steps of ten, so that many trials
    # train in one program.
    "epochs": Range(10, 60, step=10),
    # Below the first, 60 epochs do not converge; above the second, Adam's first steps overshoot.
    "learning_rate": Range(1e-3, 1e-1, log=True),
    # Decay times learning rate is what a step takes off a weight: from next to nothing, to so much
    # that only the strongest features keep their weights.
    "weight_decay": Range(1e-2, 3.0, log=True),
    # Whether the rate falls to zero (cosine), rises first (one cycle), or stays.
    "schedule": Choice(["constant", "cosine", "one_cycle"]),
}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LinearConfig(NetConfig):
    """The linear model."""

    # The loss is convex: twice the epochs do no harm, and the decay alone has to regularize.
    search_space: ClassVar[SearchSpace] = {**_TRAINING, "epochs": Range(20, 120, step=20)}

    epochs: Count = 200
    learning_rate: Positive = 0.03
    weight_decay: NotNegative = 0.1
    initialization: Initialization = "xavier"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReLUConfig(NetConfig):
    """The net with one hidden layer, with gradients by hand."""

    search_space: ClassVar[SearchSpace] = {
        **_TRAINING,
        # With fewer than 16 units the loss is higher; 128 overfit.
        "hidden_size": Range(16, 128, step=16),
    }
    activation: ClassVar[str] = "relu"  # as a summary of the net calls it; no setting

    epochs: Count = 100
    hidden_size: Count = 64  # hidden units

    @property
    def layer_widths(self) -> tuple[int, ...]:
        return (self.hidden_size,)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PeriodicEmbedding:
    """How a net embeds its features: see `embed` in layers.py. The paper's ranges are noted."""

    # Frequencies of each feature, 8 to 96; 0: the net reads features as they are.
    n_frequencies: Annotated[int, Field(strict=True, ge=0, le=10**6)] = 0
    # Standard deviation of the initial frequencies, in periods per unit, 0.01 to 10; where
    # features are standardized, a small one makes smooth curves.
    frequency_scale: Positive = 0.1
    embedding_size: Count = 4  # numbers that each feature becomes; the paper takes 8 and more

    @model_validator(mode="after")
    def _embedding_settings_act(self) -> Self:
        if self.n_frequencies == 0:
            for name in ("frequency_scale", "embedding_size"):
                if getattr(self, name) != getattr(PeriodicEmbedding, name):
                    raise ValueError(f"{name} does nothing with n_frequencies = 0")
        return self

    def embedded(self, features: int) -> int:
        """The width of so many features after `embed`."""
        return features * self.embedding_size if self.n_frequencies else features


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DeepConfig(NetConfig, PeriodicEmbedding):
    """The net with two and more hidden layers, with gradients by autograd."""

    search_space: ClassVar[SearchSpace] = {
        **_TRAINING,
        # Even layers and tapering ones, two and three of them; one layer is the relu net.
        "hidden_sizes": Choice([(16, 16), (32, 16), (32, 32), (64, 32), (64, 64), (64, 32, 16)]),
        # Smooth and not: with depth the difference grows.
        "activation": Choice(["relu", "gelu", "tanh"]),
        # With more than half the units dropped, 16 are too few.
        "dropout": Range(0.0, 0.5),
    }
    per_member = (*NetConfig.per_member, "dropout")

    # Units of each hidden layer, first to last.
    hidden_sizes: Annotated[tuple[Count, ...], Field(min_length=1, max_length=LAYERS)] = (64, 32)
    activation: Literal["relu", "leaky_relu", "tanh", "sigmoid", "gelu"] = "relu"
    # What each hidden layer applies before its activation.
    normalization: Literal["none", "batch", "layer"] = "none"
    dropout: Rate = 0.2  # fraction of each hidden layer's units that a training step drops

    @property
    def layer_widths(self) -> tuple[int, ...]:
        return self.hidden_sizes


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ResNetConfig(NetConfig, PeriodicEmbedding):
    """The tabular ResNet of Gorishniy et al. (2021), with gradients by autograd."""

    search_space: ClassVar[SearchSpace] = _TRAINING | {
        # For tables of 10,000 rows and more the paper searches 64 to 512 units and up to 8 blocks;
        # with some hundreds of rows the small end of that is large.
        "width": Range(16, 64, step=16),
        "hidden_size": Range(16, 128, step=16),
        "n_blocks": Range(1, 4, step=1),
        # Batch statistics also act as noise; a layer's depend on the row alone.
        "normalization": Choice(["batch", "layer"]),
        # The paper's range for both.
        "hidden_dropout": Range(0.0, 0.5),
        "residual_dropout": Range(0.0, 0.5),
    }
    per_member = (*NetConfig.per_member, "hidden_dropout", "residual_dropout")

    width: Count = 32  # units of the vector that each block adds to
    hidden_size: Count = 64  # hidden units within a block
    n_blocks: Annotated[Count, Field(le=LAYERS)] = 2  # residual blocks
    # What precedes each block and the last layer.
    normalization: Literal["batch", "layer"] = "batch"
    # Fractions that a training step drops: of a block's hidden units, and of its output's.
    hidden_dropout: Rate = 0.4
    residual_dropout: Rate = 0.2

    @property
    def layer_widths(self) -> tuple[int, ...]:
        return (self.width, *self.n_blocks * (self.hidden_size, self.width))
