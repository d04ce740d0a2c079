"""Neural nets for tabular Kaggle competitions: maths by hand, trained together, compared fairly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from titanic_nn.version import __version__ as __version__

if TYPE_CHECKING:
    from titanic_nn.analysis.explanation import Explanation as Explanation
    from titanic_nn.analysis.explanation import explain as explain
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

# Module -> its names. It is imported when one is first used: torch takes seconds.
_NAMES = {
    "estimators.classifiers": "LinearClassifier ReLUClassifier DeepClassifier ResNetClassifier",
    "estimators.transformer": "CompetitionFeatures",
    "estimators.cross_validate": "cross_validate",
    "evaluation.compare_models": "ModelComparison compare_models",
    "competitions.registry": "load_tables",
    "analysis.explanation": "Explanation explain",
    "estimators.persistence": "load save",
    "config": "Config",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
