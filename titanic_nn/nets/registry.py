"""Every net by name: one line per net. docs/extending.md shows how to add one."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from titanic_nn.nets.config import DeepConfig, LinearConfig, NetConfig, ReLUConfig, ResNetConfig

if TYPE_CHECKING:
    from titanic_nn.nets.batch import Net


@dataclass(frozen=True)
class NetSpec:
    """A net's name, its settings and its maths."""

    name: str
    config: type[NetConfig]
    path: str  # "module:class" of the maths: importing torch takes seconds

    def default(self) -> NetConfig:
        """The net's default settings."""
        return self.config()

    def load(self) -> "type[Net]":
        """The class of the net's maths; imports torch."""
        module, _, name = self.path.partition(":")
        net: type[Net] = getattr(import_module(module), name)
        return net


NETS: dict[str, NetSpec] = {
    spec.name: spec
    for spec in (
        NetSpec("linear", LinearConfig, "titanic_nn.nets.linear:LinearNet"),
        NetSpec("relu", ReLUConfig, "titanic_nn.nets.relu:ReLUNet"),
        NetSpec("deep", DeepConfig, "titanic_nn.nets.deep:DeepNet"),
        NetSpec("resnet", ResNetConfig, "titanic_nn.nets.resnet:ResNet"),
    )
}


def spec_of(config: NetConfig) -> NetSpec:
    """The line of the net with these settings. Raises LookupError for a class without a line."""
    for spec in NETS.values():
        if type(config) is spec.config:
            return spec
    raise LookupError(f"no net is registered for {type(config).__name__}")
