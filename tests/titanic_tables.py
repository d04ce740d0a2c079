"""Titanic's tables and their encoding, for the tests of every room."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.config import FeatureConfig
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.tables.sources import Tables, load_tables
from titanic_nn.tables.splits import Split

REPO = Path(__file__).resolve().parents[1]
BUNDLED = REPO / "data/bundled"
KAGGLE = REPO.parent / "shared/kaggle"  # Kaggle's own files, which may not be there


def bundled() -> Tables:
    """The bundled tables: source "bundled", with answers; other places are not searched."""
    places = [place for place in TITANIC.search if place[0] == "bundled"]
    return load_tables(TITANIC.schema, search=places, archive=TITANIC.archive)


def encode(
    passengers: pd.DataFrame,
    y: NDArray[np.int64],
    splits: Sequence[Split],
    config: FeatureConfig | None = None,
) -> NDArray[np.float32]:
    """Every passenger as each split's encoder encodes them, (splits, rows, features)."""
    rows, config = TITANIC.features.columns(passengers), config or FeatureConfig()
    encoders = SplitEncoders(rows, y, splits, TITANIC.features, config)
    return encoders.encode(range(len(splits)))
