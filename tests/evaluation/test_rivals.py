"""The libraries of boosted trees, fitted for real on a small table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frogs import FROGS, frogs
from numpy.typing import NDArray

from titanic_nn.config import RIVALS, Config, FeatureConfig
from titanic_nn.errors import ConfigError, DataError
from titanic_nn.evaluation.ensembling import inner_splits
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.evaluation.rivals import RivalFit, check_rivals, fit_rival, rival_table
from titanic_nn.tables.encode import SplitEncoders
from titanic_nn.tables.splits import Split, final_split

LABELLED, TEST = 160, 40
SETTINGS = Config(folds=2, inner_folds=2)


@pytest.fixture(params=RIVALS)
def rival(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(name, reason=f"{name} is not installed: pip install 'titanic_nn[rivals]'")
    return name


def table() -> pd.DataFrame:
    """Labelled frogs and others, among whom a colour is that no labelled frog has, or missing."""
    everyone = pd.concat([frogs(LABELLED), frogs(TEST, first=1000)], ignore_index=True)
    everyone.loc[[0, 1, LABELLED], "Colour"] = None
    everyone.loc[LABELLED + 1 :, "Colour"] = "violet"
    return everyone


def fit(
    rival: str,
    everyone: pd.DataFrame,
    y: NDArray[np.int64],
    *,
    seed: int = 0,
    split: Split | None = None,
) -> tuple[RivalFit, Split, Sequence[Split]]:
    """A rival on a split; by default that of all labelled rows."""
    split = split or final_split(len(y), len(everyone) - len(y))
    inner = inner_splits(split, y, SETTINGS)
    rows = FROGS.features.columns(everyone)
    encoders = SplitEncoders(rows, y, [split, *inner], FROGS.features, FeatureConfig())
    return fit_rival(rival, encoders, split, inner, y, seed), split, inner


def codes(everyone: pd.DataFrame) -> NDArray[np.int64]:
    """1 where a labelled frog croaks."""
    return (everyone["Voice"][:LABELLED] == "croaks").to_numpy().astype(np.int64)


def test_rows_are_predicted_better_than_by_the_rate(
    rival: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    everyone = table().assign(Colour=lambda of: of["Colour"].replace("violet", "green"))
    found, split, inner = fit(rival, everyone, codes(everyone), seed=2**32 - 1)
    assert found.held_out.shape == (TEST,)
    assert found.held_out.dtype == np.float64
    # Croaking depends on the length.
    y = (everyone["Voice"][LABELLED:] == "croaks").to_numpy()
    assert log_loss(y, found.held_out) < log_loss(y, np.full(TEST, y.mean())) - 0.05
    assert list(found.inner) == list(inner)
    for fold, p in found.inner.items():
        labels = codes(everyone)[fold.held_out]
        assert p.shape == labels.shape
        assert log_loss(labels, p) < log_loss(labels, np.full(len(p), labels.mean()))
    assert split.held_out[0] == LABELLED
    assert list(tmp_path.iterdir()) == []  # it writes nothing
    assert capfd.readouterr() == ("", "")  # nor does it print


def test_unknown_and_missing_values_are_predicted_and_a_seed_gives_the_same_bits(
    rival: str,
) -> None:
    everyone = table()
    (first, *_), (again, *_) = (fit(rival, everyone, codes(everyone)) for _ in range(2))
    assert ((first.held_out > 0) & (first.held_out < 1)).all()
    np.testing.assert_array_equal(first.held_out, again.held_out)
    for one, other in zip(first.inner.values(), again.inner.values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_held_out_labels_are_never_read(rival: str) -> None:
    everyone = table()[:LABELLED]
    rows = np.arange(LABELLED)
    split = Split(0, 0, train=rows[40:], held_out=rows[:40])
    y = codes(everyone)
    flipped = np.where(rows < 40, 1 - y, y)
    before, after = (fit(rival, everyone, labels, split=split)[0] for labels in (y, flipped))
    assert before.trees == after.trees
    np.testing.assert_array_equal(before.held_out, after.held_out)


def test_three_classes_have_a_column_each(rival: str) -> None:
    everyone = table()
    length = everyone["Length"][:LABELLED].fillna(8)
    y = np.digitize(length, [7, 9]).astype(np.int64)
    found, *_ = fit(rival, everyone, y)
    assert found.held_out.shape == (TEST, 3)
    assert found.held_out.sum(axis=1) == pytest.approx(1)
    long = everyone["Length"][LABELLED:].to_numpy() > 9.5
    assert (found.held_out[long].argmax(axis=1) == 2).all()
    assert all(p.shape == (len(fold.held_out), 3) for fold, p in found.inner.items())


def test_the_number_of_trees_is_chosen_on_the_inner_folds(rival: str) -> None:
    everyone = table()
    y = codes(everyone)
    shuffled = np.random.default_rng(0).permutation(y)  # nothing is left to learn
    few, many = fit(rival, everyone, shuffled)[0].trees, fit(rival, everyone, y)[0].trees
    assert 1 <= few < many


def test_what_a_library_refuses_is_one_line() -> None:
    pytest.importorskip("catboost", reason="catboost is not installed")
    everyone = table().assign(Length=1.0, Colour="green")  # it takes no constant columns
    with pytest.raises(DataError, match=r"^catboost failed on .*: .*; leave it out of the rivals$"):
        fit("catboost", everyone, codes(everyone))


def test_without_inner_folds_there_is_no_number_of_trees() -> None:
    with pytest.raises(ConfigError, match=r"^inner_folds = 0: lightgbm needs inner folds"):
        check_rivals(Config(rivals=("lightgbm",), inner_folds=0))
    everyone, split = table(), final_split(LABELLED, TEST)
    y = np.eye(1, LABELLED, dtype=np.int64)[0]  # one frog croaks
    encoders = SplitEncoders(
        FROGS.features.columns(everyone), y, [split], FROGS.features, FeatureConfig()
    )
    with pytest.raises(DataError, match=r"^all training rows: too few rows of the rarer class"):
        fit_rival("lightgbm", encoders, split, inner_splits(split, y, SETTINGS), y, 0)


def test_each_is_compared_with_the_recommended_model_on_the_same_folds() -> None:
    metrics = pd.DataFrame(
        [
            {"model": model, "repeat": 0, "fold": fold, "log_loss": loss + 0.01 * fold}
            for model, loss in (("relu", 0.4), ("xgboost", 0.3), ("catboost", 0.402))
            for fold in range(4)
        ]
    )
    found = rival_table(metrics, ["xgboost", "catboost"], "relu")
    assert found["difference"].tolist() == pytest.approx([-0.1, 0.002])
    assert found.loc["xgboost", "p_better"] == pytest.approx(1)
    assert found.loc["catboost", "p_equivalent"] == pytest.approx(1)
    assert rival_table(metrics, [], "relu").empty
