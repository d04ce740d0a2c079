"""What a run has trained, as the models that scikit-learn knows."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from sklearn.pipeline import Pipeline

from titanic_nn.estimators.calibration import Calibration
from titanic_nn.estimators.classifiers import CLASSIFIERS
from titanic_nn.estimators.transformer import TitanicFeatures
from titanic_nn.nets import Params
from titanic_nn.tables import schema
from titanic_nn.tables.encode import Encoder
from titanic_nn.config import NetConfig

OF_CONFIG = {classifier.Config: classifier for classifier in CLASSIFIERS}


def passengers_to_probabilities(
    encoder: Encoder,
    columns: Sequence[int],
    config: NetConfig,
    params: Params,
    seed: int,
    calibration: Calibration,
) -> Pipeline:
    """A fitted Pipeline: passengers in Kaggle's columns in, probabilities of survival out.

    Args:
        encoder: fitted on the rows that the nets were trained on.
        columns: where its columns stand among the features that the nets read. The others are 0
            in every row that it encodes.
        settings: of the nets.
        params: of the nets, each (nets, ...).
        seed: the number that all randomness grew from.
        calibration: of the nets' mean probabilities.
    """
    own = {name: p.cpu().numpy().copy() for name, p in params.items()}
    first = "w" if "w" in own else "w1"
    own[first] = np.ascontiguousarray(own[first][:, columns])  # (nets, own features, outputs)
    net = OF_CONFIG[type(config)](
        **asdict(config), n_seeds=len(own[first]), standardize=False, random_state=seed
    )
    net.classes_ = np.array([0, 1])
    net.n_features_in_ = len(columns)
    net.mean_ = net.scale_ = None
    net.params_, net.calibration_ = own, calibration
    features = TitanicFeatures(min_category_rows=encoder.config.min_category_rows)
    features.set_fitted(encoder, [column.name for column in schema.TEST_COLUMNS])
    return Pipeline([("features", features), ("net", net)])
