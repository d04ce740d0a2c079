"""Neural nets for Kaggle's Titanic: written by hand, trained by the hundred, compared honestly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from titanic_nn.estimators.classifiers import DeepClassifier as DeepClassifier
    from titanic_nn.estimators.classifiers import LinearClassifier as LinearClassifier
    from titanic_nn.estimators.classifiers import ReLUClassifier as ReLUClassifier
    from titanic_nn.estimators.cross_val import cross_val_many as cross_val_many
    from titanic_nn.estimators.features import TitanicFeatures as TitanicFeatures
    from titanic_nn.evaluation.crossval import CrossValidation as CrossValidation
    from titanic_nn.evaluation.crossval import cross_validate as cross_validate
    from titanic_nn.passengers.sources import load_passengers as load_passengers
    from titanic_nn.saved import load as load
    from titanic_nn.saved import save as save
    from titanic_nn.settings import Settings as Settings

__version__ = "0.1.0"

# Where each name lives; it is imported when it is first asked for, since torch takes seconds.
_HOMES = {
    "LinearClassifier": "titanic_nn.estimators.classifiers",
    "ReLUClassifier": "titanic_nn.estimators.classifiers",
    "DeepClassifier": "titanic_nn.estimators.classifiers",
    "TitanicFeatures": "titanic_nn.estimators.features",
    "cross_val_many": "titanic_nn.estimators.cross_val",
    "CrossValidation": "titanic_nn.evaluation.crossval",
    "cross_validate": "titanic_nn.evaluation.crossval",
    "load_passengers": "titanic_nn.passengers.sources",
    "load": "titanic_nn.saved",
    "save": "titanic_nn.saved",
    "Settings": "titanic_nn.settings",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
