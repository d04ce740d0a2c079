from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from titanic_nn.engine.members import Members
from titanic_nn.engine.train import train_nets
from titanic_nn.analysis.ablation import (
    OF_COMPANIONS,
    Ablation,
    Variant,
    ablated_losses,
    ablation,
    choices_of_features,
    summarized,
)
from titanic_nn.evaluation.comparison import compare
from titanic_nn.analysis.importance import columns_of_features
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.tables.columns import Columns
from titanic_nn.competitions.titanic.companions import Companions
from titanic_nn.tables.encode import EncodedSplits, encode_splits
from titanic_nn.competitions.titanic.features import passenger_features
from titanic_nn.tables.splits import Split, repeated_stratified_splits
from titanic_nn.tables.sources import SEARCH, Passengers, load_passengers
from titanic_nn.config import FeatureConfig, LinearConfig, Config

COLUMNS = ["model", "kind", "feature", "repeat", "fold", "log_loss"]
SMALL: dict[str, Any] = {"models": ["linear", "relu"], "folds": 3, "repeats": 2, "seeds": 1}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bundled() -> Passengers:
    return load_passengers(search=SEARCH[3:])


@pytest.fixture(scope="module")
def found(bundled: Passengers) -> Ablation:
    return ablation(bundled, **SMALL)


@pytest.fixture(scope="module")
def folds(bundled: Passengers) -> tuple[EncodedSplits, NDArray[np.int64], list[Split]]:
    """The matrices, labels and folds of `found`, made by hand."""
    y = bundled.train["Survived"].to_numpy()
    splits = repeated_stratified_splits(y, 3, 2, Config().seed)
    return encode_splits(passenger_features(bundled.train), y, splits, FeatureConfig()), y, splits


def losses_of(found: Ablation, model: str, kind: str, feature: str = "") -> NDArray[np.float64]:
    """The held-out losses of a variant, (folds,)."""
    s = found.scores
    chosen = s[(s["model"] == model) & (s["kind"] == kind) & (s["feature"] == feature)]
    return chosen["log_loss"].to_numpy()


def test_what_tells_of_companions_is_what_companions_makes(bundled: Passengers) -> None:
    rows = Columns.of(passenger_features(bundled.train))
    made = Companions().fit(rows, bundled.train["Survived"].to_numpy()).transform(rows)
    assert set(OF_COMPANIONS) == set(made)


def test_every_feature_is_dropped_and_every_companions_added() -> None:
    assert choices_of_features(["sex", "age", "men"], of_companions=["men"]) == [
        Variant("all", "", ("sex", "age", "men")),
        Variant("plain", "", ("sex", "age")),
        Variant("drop", "sex", ("age", "men")),
        Variant("drop", "age", ("sex", "men")),
        Variant("drop", "men", ("sex", "age")),
        Variant("add", "men", ("sex", "age", "men")),
    ]


def test_a_row_for_every_net_variant_repeat_and_fold(
    found: Ablation, folds: tuple[EncodedSplits, NDArray[np.int64], list[Split]]
) -> None:
    assert list(found.scores) == COLUMNS
    assert not found.scores[COLUMNS[:-1]].duplicated().any()
    assert np.isfinite(found.scores["log_loss"]).all()
    # What is the same for all, like "fare missing" where nobody's is, has no column to drop.
    encoded = set(columns_of_features(folds[0].feature_names))
    assert len(encoded) > 20
    for model in ("linear", "relu"):
        assert set(found.variants(model, "drop")["feature"]) == encoded
        assert set(found.variants(model, "add")["feature"]) == set(OF_COMPANIONS)
        assert len(losses_of(found, model, "drop", "title")) == 3 * 2


@pytest.mark.parametrize("model", ["linear", "relu"])
@pytest.mark.parametrize(
    ("kind", "feature"),
    [("all", ""), ("plain", ""), ("drop", "title"), ("drop", "age"), ("add", "men_lost")],
)
def test_the_losses_are_those_of_a_run_without_the_columns(
    found: Ablation,
    folds: tuple[EncodedSplits, NDArray[np.int64], list[Split]],
    model: Any,
    kind: str,
    feature: str,
) -> None:
    encoded, y, splits = folds
    gone = {f.replace("_", " ") for f in OF_COMPANIONS} if kind in ("plain", "add") else set()
    gone ^= {feature.replace("_", " ")}  # drop takes it away, add gives it back
    labels = [name.split("=")[0] for name in encoded.feature_names]
    x = np.delete(encoded.x, [i for i, label in enumerate(labels) if label in gone], axis=2)
    assert (x.shape[2] < encoded.x.shape[2]) == (kind != "all")
    nets = train_nets(
        x, y, splits, Members([Config().net(model)], 1), seed=Config().seed, device=CPU
    )
    p = nets.probability[:, 0].numpy()
    expected = [log_loss(y[s.held_out], p[i, s.held_out]) for i, s in enumerate(splits)]
    assert losses_of(found, model, kind, feature) == pytest.approx(expected, abs=1e-6)


def test_changes_and_intervals_are_those_of_compare(found: Ablation) -> None:
    for row in found.summary.to_dict(orient="records"):
        loss = losses_of(found, row["model"], row["kind"], row["feature"])
        reference = losses_of(found, row["model"], "plain" if row["kind"] == "add" else "all")
        lower = compare(loss, reference, held_out_share=1 / 3, rope=0.005, lower_is_better=True)
        assert row["log_loss"] == pytest.approx(loss.mean())
        assert (row["change"], row["low"], row["high"]) == (lower.mean, lower.low, lower.high)
        assert row["p_helps"] == (lower.p_better if row["kind"] == "add" else lower.p_worse)
    of_all = found.summary[found.summary["kind"] == "all"]
    assert (of_all[["change", "low", "high", "p_helps"]] == 0).all().all()


def test_the_costliest_to_drop_and_the_most_helpful_to_add_come_first(found: Ablation) -> None:
    for model in ("linear", "relu"):
        assert found.variants(model, "drop")["change"].is_monotonic_decreasing
        assert found.variants(model, "add")["change"].is_monotonic_increasing
    kinds = found.summary.groupby("model", sort=False)["kind"].unique()
    assert kinds.index.tolist() == ["linear", "relu"]
    assert all(list(of_model) == ["all", "plain", "drop", "add"] for of_model in kinds)


def test_noise_costs_nothing_a_stand_in_hides_and_both_gone_cost_much() -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(2, 400))
    y = np.asarray(rng.random(400) < 1 / (1 + np.exp(-3 * signal)), np.int64)
    splits = repeated_stratified_splits(y, folds=4, repeats=1, seed=0)
    matrix = np.stack([signal, signal, noise], axis=1).astype(np.float32)  # (rows, features)
    variants = [
        Variant("all", "", ("signal", "twin", "noise")),
        Variant("drop", "signal", ("twin", "noise")),
        Variant("drop", "noise", ("signal", "twin")),
        Variant("drop", "both", ("noise",)),
    ]
    everything, no_signal, no_noise, neither = ablated_losses(
        np.repeat(matrix[None], 4, axis=0),
        y,
        splits,
        {"signal": [0], "twin": [1], "noise": [2]},
        variants,
        Members([LinearConfig(learning_rate=0.1)], 2),
        seed=0,
        device=CPU,
    ).mean(1)
    assert no_signal == pytest.approx(everything, abs=0.01)
    assert no_noise == pytest.approx(everything, abs=0.01)
    # Nothing is left but the shares of the classes: log(2) for two of a size.
    assert neither == pytest.approx(np.log(2), abs=0.02)
    assert neither > everything + 0.2


def test_sex_and_title_are_missed_together_more_than_apart(
    folds: tuple[EncodedSplits, NDArray[np.int64], list[Split]],
) -> None:
    encoded, y, splits = folds
    columns = columns_of_features(encoded.feature_names)
    plain = [feature for feature in columns if feature not in OF_COMPANIONS]
    variants = [
        Variant("drop", " and ".join(gone), tuple(f for f in plain if f not in gone))
        for gone in ([], ["sex"], ["title"], ["sex", "title"])
    ]
    members = Members([LinearConfig()], 1)
    everything, no_sex, no_title, neither = ablated_losses(
        encoded.x, y, splits, columns, variants, members, seed=0, device=CPU
    ).mean(1)
    assert neither - everything > 0.1
    assert neither - everything > 2 * (no_sex - everything + no_title - everything)


def test_the_sentence_counts_what_the_probabilities_say() -> None:
    """Two folds of unlike size in the change leave much unsure; equal changes leave nothing."""
    losses = {
        ("all", ""): (0.30, 0.30),
        ("plain", ""): (0.40, 0.40),
        ("drop", "sex"): (0.35, 0.35),  # + 0.05 on both: sure
        ("drop", "age"): (0.30, 0.30),  # nothing: surely not
        ("drop", "men_lost"): (0.29, 0.33),  # - 0.01 and + 0.03: unsure
        ("add", "men_lost"): (0.39, 0.39),  # - 0.01: sure
    }
    scores = pd.DataFrame(
        {"model": "linear", "kind": k, "feature": f, "repeat": 0, "fold": i, "log_loss": loss}
        for (k, f), of_folds in losses.items()
        for i, loss in enumerate(of_folds)
    )
    nowhere: Any = None
    found = Ablation(Config(), nowhere, "cpu", scores, summarized(scores, folds=2))
    assert found.answer("linear") == (
        "Which features earn their place in linear, by more than 0.005 of log loss? Dropped: sex "
        "for sure; 1 of 3 surely not; for 1 these folds cannot tell. Added: men_lost for sure; 0 "
        "of 1 surely not; for 0 these folds cannot tell. All that tell of companions give 0.100 "
        "together (95 % interval 0.100 to 0.100). What can be dropped may have a stand-in among "
        "the others."
    )
