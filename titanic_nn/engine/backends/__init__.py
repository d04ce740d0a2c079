"""How nets are trained. Each backend lists what it supports; `choose_backend` picks one."""

from titanic_nn.engine.backends.base import Backend
from titanic_nn.engine.backends.eager import Eager
from titanic_nn.engine.backends.numba_backend import Numba
from titanic_nn.engine.backends.triton_backend import Triton
from titanic_nn.engine.task import Task
from titanic_nn.errors import ConfigError

BACKENDS: dict[str, Backend] = {b.name: b for b in (Triton(), Numba(), Eager())}  # fastest first


def choose_backend(task: Task, name: str | None = None, *, part: float = 1.0) -> str:
    """The backend of that name, or by default the fastest that supports a task and is worthwhile.

    Arguments and errors are those of `train_nets`, which also refuses a net that is not registered.
    """
    config = type(task.members.shared).__name__
    if not BACKENDS["eager"].supports(task):
        raise ConfigError(f"no net is registered for {config}")
    if name is None:
        worthwhile = (b for b in BACKENDS.values() if b.worthwhile(task, part))
        return next(backend.name for backend in worthwhile if backend.supports(task))
    if name not in BACKENDS:
        raise ConfigError(f"there is no backend {name!r}; choose from {', '.join(BACKENDS)}")
    if not BACKENDS[name].supports(task):
        raise ConfigError(f"backend {name!r} does not support this {config}, data or device")
    return name
