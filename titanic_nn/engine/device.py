"""The device that trains: a GPU only if it passes a check; and the number of CPU threads."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from titanic_nn.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda".

    A GPU can be listed and yet refuse this build's kernels, so one product is computed on it first.
    Where that fails, "auto" falls back to the CPU with a warning, and "cuda" raises DeviceError.
    """
    if name == "cpu":
        return torch.device("cpu")
    reason = _why_no_cuda()
    if reason is None:
        return torch.device("cuda")
    if name == "cuda":
        raise DeviceError(f"--device cuda: {reason} Use --device cpu, or auto.")
    if torch.cuda.is_available():
        warnings.warn(f"{reason} The CPU is used instead.", stacklevel=2)
    return torch.device("cpu")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with so many CPU threads, and afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _why_no_cuda() -> str | None:
    if not torch.cuda.is_available():
        build = torch.version.cuda
        return "no GPU was found." if build else "this torch was built without CUDA."
    try:
        ones = torch.ones(8, 8, device="cuda")
        right = bool(((ones @ ones).relu() == 8).all())
    except RuntimeError as error:
        first_line = str(error).splitlines()[0]
        return f"{torch.cuda.get_device_name()} fails at a first product ({first_line})."
    return None if right else f"{torch.cuda.get_device_name()} computes wrongly."
