"""The maths of ONE net. torch only: no fold, no pandas, no device is known here.

`@`, `+` and `relu` do not care how many leading axes their tensors have, so the same lines train
one net (x: rows x features) or thousands (x: splits x 1 x rows x features; w1: splits x members x
features x hidden). Shapes are written for one net, with `...` for whatever leads.
"""

from titanic_nn.nets.batch import Batch, Net, Params, Shapes, Uniform
from titanic_nn.nets.deep import DeepNet
from titanic_nn.nets.linear import LinearNet
from titanic_nn.nets.relu import ReLUNet

__all__ = ["Batch", "DeepNet", "LinearNet", "Net", "Params", "ReLUNet", "Shapes", "Uniform"]
