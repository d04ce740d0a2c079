"""Neural nets for Kaggle's Titanic: written by hand, trained by the hundred, compared honestly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from titanic_nn.estimators.classifiers import DeepClassifier as DeepClassifier
    from titanic_nn.estimators.classifiers import LinearClassifier as LinearClassifier
    from titanic_nn.estimators.classifiers import ReLUClassifier as ReLUClassifier
    from titanic_nn.estimators.compare_models import cross_validate as cross_validate
    from titanic_nn.estimators.transformer import TitanicFeatures as TitanicFeatures
    from titanic_nn.evaluation.compare_models import ModelComparison as ModelComparison
    from titanic_nn.evaluation.compare_models import compare_models as compare_models
    from titanic_nn.tables.sources import load_passengers as load_passengers
    from titanic_nn.estimators.persistence import load as load
    from titanic_nn.estimators.persistence import save as save
    from titanic_nn.config import Config as Config

__version__ = "0.1.0"

# Where each name lives; it is imported when it is first asked for, since torch takes seconds.
_HOMES = {
    "LinearClassifier": "titanic_nn.estimators.classifiers",
    "ReLUClassifier": "titanic_nn.estimators.classifiers",
    "DeepClassifier": "titanic_nn.estimators.classifiers",
    "TitanicFeatures": "titanic_nn.estimators.transformer",
    "cross_val_many": "titanic_nn.estimators.cross_validate",
    "CrossValidation": "titanic_nn.evaluation.compare_models",
    "cross_validate": "titanic_nn.evaluation.compare_models",
    "load_passengers": "titanic_nn.tables.sources",
    "load": "titanic_nn.estimators.persistence",
    "save": "titanic_nn.estimators.persistence",
    "Settings": "titanic_nn.config",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
