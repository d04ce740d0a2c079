"""Neural nets for tabular Kaggle competitions: maths by hand, trained together, compared fairly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from titanic_nn.version import __version__ as __version__

if TYPE_CHECKING:
    from titanic_nn.competitions.registry import load_tables as load_tables
    from titanic_nn.config import Config as Config
    from titanic_nn.estimators.classifiers import DeepClassifier as DeepClassifier
    from titanic_nn.estimators.classifiers import LinearClassifier as LinearClassifier
    from titanic_nn.estimators.classifiers import ReLUClassifier as ReLUClassifier
    from titanic_nn.estimators.classifiers import ResNetClassifier as ResNetClassifier
    from titanic_nn.estimators.cross_validate import cross_validate as cross_validate
    from titanic_nn.estimators.persistence import load as load
    from titanic_nn.estimators.persistence import save as save
    from titanic_nn.estimators.transformer import CompetitionFeatures as CompetitionFeatures
    from titanic_nn.evaluation.compare_models import ModelComparison as ModelComparison
    from titanic_nn.evaluation.compare_models import compare_models as compare_models

# The module of each name, which is imported when the name is first used: torch takes seconds.
_MODULES = {
    "LinearClassifier": "estimators.classifiers",
    "ReLUClassifier": "estimators.classifiers",
    "DeepClassifier": "estimators.classifiers",
    "ResNetClassifier": "estimators.classifiers",
    "CompetitionFeatures": "estimators.transformer",
    "cross_validate": "estimators.cross_validate",
    "ModelComparison": "evaluation.compare_models",
    "compare_models": "evaluation.compare_models",
    "load_tables": "competitions.registry",
    "load": "estimators.persistence",
    "save": "estimators.persistence",
    "Config": "config",
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
