"""The nets that a run has trained, as a fitted scikit-learn Pipeline."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from titanic_nn.competitions.competition import Competition
from titanic_nn.engine.members import Hyperparameters, Members
from titanic_nn.estimators.calibration import Calibration
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.estimators.transformer import CompetitionFeatures
from titanic_nn.nets.batch import Params
from titanic_nn.nets.config import NetConfig
from titanic_nn.tables.encode import Encoder


def assemble_pipeline(
    competition: Competition,
    encoder: Encoder,
    feature_names: Sequence[str],
    config: NetConfig,
    params: Params,
    *,
    seed: int,
    calibration: Calibration,
) -> Pipeline:
    """A fitted Pipeline from a competition's table to probabilities.

    Args:
        competition: whose table.
        encoder: fitted on the rows that the nets were trained on.
        feature_names: of the features that the nets read, its own columns among them. In every row
            that it encodes the other features are 0.
        config: the nets' settings.
        params: the nets' parameters, each (n_seeds, ...).
        seed: the random seed.
        calibration: of the nets' mean probabilities.

    Raises:
        ConfigError: the net's features cannot be left out one by one, and the encoder cannot make
            those that it lacks.
    """
    own = {name: p.cpu().numpy().copy() for name, p in params.items()}
    if first := _first_matrix(config):
        columns = [feature_names.index(name) for name in encoder.feature_names]
        own[first] = np.ascontiguousarray(own[first][:, columns])  # (n_seeds, own features, units)
    else:
        encoder = encoder.with_columns(feature_names)
    net = NetClassifier.from_trained(
        config,
        own,
        classes=range(len(competition.schema.labels)),
        n_features=len(encoder.feature_names),
        seed=seed,
        calibration=calibration,
    )
    features = CompetitionFeatures.from_encoder(competition, encoder)
    return Pipeline([("features", features), ("net", net)])


def _first_matrix(config: NetConfig) -> str | None:
    """The name of the parameter with a row per feature, (features, units).

    It is found by its shape in a net of two features and in one of three. If any other shape
    depends on the number of features, leaving one out may change what the net computes: None.
    """
    net = Hyperparameters(Members([config], 1), np.zeros(1, np.int64), torch.device("cpu")).net()
    two, three = (net.init(n, 1, lambda _, shape: torch.zeros(1, *shape)) for n in (2, 3))
    changed = {name: p.shape[1:] for name, p in two.items() if p.shape != three[name].shape}
    for name, shape in changed.items():
        if len(changed) == 1 and shape == (2, *three[name].shape[2:]):
            return name
    return None
