"""Features dropped and added: nets that never had a feature's columns, retrained by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from titanic_tables import bundled

from titanic_nn.analysis.ablation import (
    Ablation,
    Variant,
    ablation,
    choices_of_features,
    variant_probabilities,
)
from titanic_nn.competitions.titanic.competition import TITANIC
from titanic_nn.competitions.titanic.features import FEATURES
from titanic_nn.config import Config
from titanic_nn.engine.members import Members
from titanic_nn.engine.train import SplitData, train_nets
from titanic_nn.evaluation.comparison import ROPES, compare
from titanic_nn.evaluation.experiment import Experiment, no_progress
from titanic_nn.evaluation.metrics import log_loss
from titanic_nn.tables.encode import EncodedSplits, SplitEncoders
from titanic_nn.tables.sources import Tables
from titanic_nn.tables.splits import repeated_stratified_splits

COLUMNS = ["model", "kind", "feature", "repeat", "fold", "log_loss"]
SMALL: dict[str, Any] = {"models": ["linear", "relu"], "folds": 3, "repeats": 2, "n_seeds": 1}
CPU = torch.device("cpu")
IN_GROUP = [feature.name for feature in FEATURES if feature.group == "companions"]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return bundled()


@pytest.fixture(scope="module")
def found(tables: Tables) -> Ablation:
    return ablation(tables, **SMALL)


@pytest.fixture(scope="module")
def encoders(tables: Tables) -> SplitEncoders:
    """The encoders of the folds of `found`, made anew."""
    splits = repeated_stratified_splits(tables.y, 3, 2, Config().seed)
    rows = TITANIC.features.columns(tables.train)
    return SplitEncoders(rows, tables.y, splits, TITANIC.features, Config().features)


def mean_losses(
    run: Experiment, encoded: EncodedSplits, columns: dict[str, list[int]], variants: list[Variant]
) -> list[float]:
    """Each variant's mean held-out log loss of the linear net."""
    means = []
    for variant in variants:
        p = variant_probabilities(run, "linear", encoded, variant, columns, part=1)
        y = run.tables.y
        means.append(float(np.mean([log_loss(y[s.held_out], p[s]) for s in encoded.splits])))
    return means


def losses_of(found: Ablation, model: str, kind: str, feature: str = "") -> NDArray[np.float64]:
    """The held-out losses of a variant, (folds,)."""
    s = found.scores
    chosen = s[(s["model"] == model) & (s["kind"] == kind) & (s["feature"] == feature)]
    return chosen["log_loss"].to_numpy()


def test_every_feature_is_dropped_and_every_one_of_the_group_added() -> None:
    assert choices_of_features(["sex", "age", "men"], in_group=["men"]) == [
        Variant("all", "", ("sex", "age", "men")),
        Variant("plain", "", ("sex", "age")),
        Variant("drop", "sex", ("age", "men")),
        Variant("drop", "age", ("sex", "men")),
        Variant("drop", "men", ("sex", "age")),
        Variant("add", "men", ("sex", "age", "men")),
    ]


def test_without_a_group_features_are_dropped_only() -> None:
    kinds = [variant.kind for variant in choices_of_features(["sex", "age"], in_group=[])]
    assert kinds == ["all", "drop", "drop"]


def test_a_row_for_every_net_variant_repeat_and_fold(
    found: Ablation, encoders: SplitEncoders
) -> None:
    assert found.group == "companions"
    assert list(found.scores) == COLUMNS
    assert not found.scores[COLUMNS[:-1]].duplicated().any()
    assert np.isfinite(found.scores["log_loss"]).all()
    # A feature that is constant, like "fare missing" where every fare is known, has no column.
    encoded = set(encoders.columns_of_features)
    assert len(encoded) > 20
    for model in ("linear", "relu"):
        assert set(found.variants(model, "drop")["feature"]) == encoded
        assert set(found.variants(model, "add")["feature"]) == set(IN_GROUP)
        assert len(losses_of(found, model, "drop", "title")) == 3 * 2


@pytest.mark.parametrize("model", ["linear", "relu"])
@pytest.mark.parametrize(
    ("kind", "feature"),
    [("all", ""), ("plain", ""), ("drop", "title"), ("drop", "age"), ("add", "men_lost")],
)
def test_the_losses_are_those_of_a_run_without_the_columns(
    found: Ablation,
    encoders: SplitEncoders,
    tables: Tables,
    model: str,
    kind: str,
    feature: str,
) -> None:
    (encoded,) = encoders.batches()
    gone = {f.replace("_", " ") for f in IN_GROUP} if kind in ("plain", "add") else set()
    gone ^= {feature.replace("_", " ")}  # drop removes it, add puts it back
    labels = [name.split("=")[0] for name in encoders.feature_names]
    x = np.delete(encoded.x, [i for i, label in enumerate(labels) if label in gone], axis=2)
    assert (x.shape[2] < encoded.x.shape[2]) == (kind != "all")
    config, y, splits = TITANIC.config(), tables.y, encoders.splits
    data, members = SplitData(x, y, splits), Members([config.nets[model]], 1)
    part = 1 / (found.summary["model"] == model).sum()
    nets = train_nets(data, members, seed=config.seed, device=CPU, part=part)
    p = nets.probability[:, 0].numpy()
    expected = [log_loss(y[s.held_out], p[i, s.held_out]) for i, s in enumerate(splits)]
    assert losses_of(found, model, kind, feature) == pytest.approx(expected, abs=1e-6)


def test_changes_and_intervals_are_those_of_compare(found: Ablation) -> None:
    for row in found.summary.to_dict(orient="records"):
        loss = losses_of(found, row["model"], row["kind"], row["feature"])
        reference = losses_of(found, row["model"], "plain" if row["kind"] == "add" else "all")
        rope = ROPES["log_loss"]
        lower = compare(loss, reference, test_fraction=1 / 3, rope=rope, lower_is_better=True)
        assert row["log_loss"] == pytest.approx(loss.mean())
        assert (row["change"], row["low"], row["high"]) == (lower.mean, lower.low, lower.high)
        assert row["p_helps"] == (lower.p_better if row["kind"] == "add" else lower.p_worse)
    of_all = found.summary[found.summary["kind"] == "all"]
    assert (of_all[["change", "low", "high", "p_helps"]] == 0).all().all()


def test_the_largest_effects_come_first(found: Ablation) -> None:
    for model in ("linear", "relu"):
        assert found.variants(model, "drop")["change"].is_monotonic_decreasing
        assert found.variants(model, "add")["change"].is_monotonic_increasing
    kinds = found.summary.groupby("model", sort=False)["kind"].unique()
    assert kinds.index.tolist() == ["linear", "relu"]
    assert all(list(of_model) == ["all", "plain", "drop", "add"] for of_model in kinds)


def test_dropping_noise_or_one_of_two_twins_costs_nothing_and_dropping_both_twins_much(
    tables: Tables,
) -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(2, 400))
    y = np.asarray(rng.random(400) < 1 / (1 + np.exp(-3 * signal)), np.int64)
    labelled = replace(tables, train=tables.train[:400].assign(Survived=y))
    plain = {"learning_rate": 0.1, "optimizer": "adam", "schedule": "constant"}
    config = TITANIC.config(folds=4, repeats=1, n_seeds=2, device="cpu", linear=plain)
    run = Experiment.start(labelled, config, {}, no_progress)
    matrix = np.stack([signal, signal, noise], axis=1).astype(np.float32)  # (rows, features)
    variants = [
        Variant("all", "", ("signal", "twin", "noise")),
        Variant("drop", "signal", ("twin", "noise")),
        Variant("drop", "noise", ("signal", "twin")),
        Variant("drop", "both", ("noise",)),
    ]
    everything, no_signal, no_noise, neither = mean_losses(
        run,
        EncodedSplits(run.folds, np.repeat(matrix[None], 4, axis=0)),
        {"signal": [0], "twin": [1], "noise": [2]},
        variants,
    )
    assert no_signal == pytest.approx(everything, abs=0.01)
    assert no_noise == pytest.approx(everything, abs=0.01)
    # Nothing is left but the fractions of the classes: log(2) for two equal ones.
    assert neither == pytest.approx(np.log(2), abs=0.02)
    assert neither > everything + 0.2


def test_dropping_sex_and_title_together_costs_more_than_dropping_each(tables: Tables) -> None:
    config = TITANIC.config(folds=3, repeats=2, n_seeds=1, device="cpu")
    run = Experiment.start(tables, config, {}, no_progress)
    encoders = run.encoders(run.folds)
    (encoded,) = encoders.batches()
    columns = encoders.columns_of_features
    plain = [feature for feature in columns if feature not in IN_GROUP]
    variants = [
        Variant("drop", " and ".join(gone), tuple(f for f in plain if f not in gone))
        for gone in ([], ["sex"], ["title"], ["sex", "title"])
    ]
    everything, no_sex, no_title, neither = mean_losses(run, encoded, columns, variants)
    assert neither - everything > 0.1
    assert neither - everything > 2 * (no_sex - everything + no_title - everything)
