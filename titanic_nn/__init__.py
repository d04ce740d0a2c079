"""Neural nets for Kaggle's Titanic: written by hand, trained by the hundred, compared honestly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from titanic_nn.evaluation.crossval import CrossValidation as CrossValidation
    from titanic_nn.evaluation.crossval import cross_validate as cross_validate
    from titanic_nn.passengers.sources import load_passengers as load_passengers
    from titanic_nn.settings import Settings as Settings

__version__ = "0.1.0"

# Where each name lives; it is imported when it is first asked for, since torch takes seconds.
_HOMES = {
    "CrossValidation": "titanic_nn.evaluation.crossval",
    "cross_validate": "titanic_nn.evaluation.crossval",
    "load_passengers": "titanic_nn.passengers.sources",
    "Settings": "titanic_nn.settings",
}
__all__ = ["CrossValidation", "Settings", "__version__", "cross_validate", "load_passengers"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
