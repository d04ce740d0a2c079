"""A competition of three classes goes through every command, as one of two does."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from scipy.special import expit
from toads import LABELS, LIKELY_TOADS, NAMES, TOADS, write_toads

import titanic_nn
from titanic_nn.cli import (
    ablation,
    dependence,
    diagnose,
    explain,
    explore,
    export,
    importance,
    inspect,
    learning_curve,
    lr_find,
    misclassified,
    predict,
    report,
    submit,
    train,
    tune,
)
from titanic_nn.competitions.registry import COMPETITIONS
from titanic_nn.evaluation.predictions import models_of, probabilities, scored_rows
from titanic_nn.runs.folder import read_table

SMALL = ["--folds", "3", "--repeats", "1", "--n-seeds", "1", "--device", "cpu"]
CONFIG = "[linear]\nepochs = 60\n[relu]\nepochs = 30\nhidden_size = 8\n"
MODELS = ["stripe_rule", "logistic_regression", "gradient_boosting", "linear", "relu", "ensemble"]


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both competitions' tables and a run of each."""
    folder = tmp_path_factory.mktemp("pond")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("small.toml").write_text(CONFIG)
        for toads, run, nets in (
            (TOADS, "first", "linear,relu"),
            (LIKELY_TOADS, "likely", "linear"),
        ):
            patch.setitem(COMPETITIONS, toads.slug, toads)
            write_toads(toads.folder)
            options = ["--competition", toads.slug, "--models", nets, "--config", "small.toml"]
            train.main([*options, *SMALL, "--out", f"runs/{run}", "--quiet"])
    return folder


@pytest.fixture(scope="module")
def asked(pond: Path) -> Path:
    """The first run, of which every question was asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pond)
        patch.setitem(COMPETITIONS, TOADS.slug, TOADS)
        learning_curve.main(["runs/first", "--train-fractions", "0.3", "0.5", "0.7", "1"])
        importance.main(["runs/first", "--permutations", "2"])
        ablation.main(["runs/first", "--models", "linear"])
        misclassified.main(["runs/first"])
        explain.main(["runs/first", "--model", "ensemble"])
        explain.main(["runs/first", "--model", "relu", "--id", "t-1007"])
    return pond / "runs/first"


@pytest.fixture(autouse=True)
def _at_the_pond(pond: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pond)
    for toads in (TOADS, LIKELY_TOADS):
        monkeypatch.setitem(COMPETITIONS, toads.slug, toads)


def test_a_run_has_a_column_for_each_model_and_label() -> None:
    oof = read_table(Path("runs/first"), "oof.csv", ["Code"], ["label", "repeat", "fold"])
    assert models_of(oof) == MODELS
    columns = [f"{model}={label}" for model in MODELS for label in LABELS]
    assert oof.columns.tolist() == ["Code", "label", "repeat", "fold", *columns]
    train = pd.read_csv(TOADS.folder / "train.csv").set_index("Code")
    assert [LABELS[code] for code in oof["label"]] == train.loc[oof["Code"], "Kind"].tolist()
    predictions = pd.read_csv("runs/first/test_predictions.csv")
    assert predictions.columns.tolist() == ["Code", *columns]
    for table in (oof, predictions):
        for model in MODELS:
            np.testing.assert_allclose(probabilities(table, model).sum(1), 1, atol=1e-6)


def test_its_scores_are_those_of_scikit_learn() -> None:
    oof, metrics = pd.read_csv("runs/first/oof.csv"), pd.read_csv("runs/first/metrics.csv")
    for model in MODELS:
        scores = metrics[metrics["model"] == model].set_index("fold")
        for fold, part in oof.groupby("fold"):
            y, p = part["label"], probabilities(part, model)
            p = p / p.sum(1, keepdims=True)  # scikit-learn warns of sums that float32 rounded
            predicted = p.argmax(1)
            row = scores.loc[fold]
            assert row["accuracy"] == pytest.approx(np.mean(predicted == y))
            assert row["log_loss"] == pytest.approx(sklearn.metrics.log_loss(y, p), abs=1e-6)
            auc = sklearn.metrics.roc_auc_score(y, p, multi_class="ovr", average="macro")
            assert row["roc_auc"] == pytest.approx(auc)
            f1 = sklearn.metrics.f1_score(y, predicted, average="macro")
            assert row["f1"] == pytest.approx(f1)
            brier = np.square(p - np.eye(3)[y]).sum(1).mean()
            assert row["brier"] == pytest.approx(brier, abs=1e-6)
    means = metrics.groupby("model")["accuracy"].mean()
    assert means["linear"] > 0.85 > means["stripe_rule"]


def test_each_net_is_calibrated_and_the_ensemble_is_their_average() -> None:
    summary = json.loads(Path("runs/first/summary.json").read_text())
    table = pd.DataFrame(summary["calibration"]).T
    assert (table["slope"] != 1).all()
    assert (table["intercept"] == 0).all()
    assert (table["log_loss_after"] < table["log_loss_before"]).all()  # too few epochs: too unsure
    assert table["weight"].sum() == pytest.approx(1)
    models = {name: titanic_nn.load(f"runs/first/models/{name}") for name in ("linear", "ensemble")}
    test = TOADS.load().test
    predictions = pd.read_csv("runs/first/test_predictions.csv")
    for name, model in models.items():
        p = model.predict_proba(test)
        np.testing.assert_allclose(p, probabilities(predictions, name), atol=1e-7)
        np.testing.assert_array_equal(model.predict(test), p.argmax(1))
        # The same bits, whatever other rows are predicted.
        for row in (0, 7, 39):
            np.testing.assert_array_equal(model.predict_proba(test.iloc[[row]]), p[[row]])


def test_submissions_hold_labels_or_probabilities_as_the_schema_says() -> None:
    test = pd.read_csv(TOADS.folder / "test.csv")
    for model in ("linear", "relu", "ensemble"):
        of_labels = pd.read_csv(f"submissions/first-{model}.csv")
        assert of_labels.columns.tolist() == ["Code", "Kind"]
        assert of_labels["Code"].tolist() == test["Code"].tolist()
        likeliest = probabilities(pd.read_csv("runs/first/test_predictions.csv"), model).argmax(1)
        assert of_labels["Kind"].tolist() == [LABELS[code] for code in likeliest]
    p = pd.read_csv("submissions/likely-linear.csv")
    assert p.columns.tolist() == ["Code", *LABELS]
    assert p["Code"].tolist() == test["Code"].tolist()
    predictions = pd.read_csv("runs/likely/test_predictions.csv")
    np.testing.assert_array_equal(p[[*LABELS]], probabilities(predictions, "linear"))


@pytest.mark.parametrize("run", ["first", "likely"])
def test_a_submission_is_checked_and_ready_to_be_sent(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    submit.main([f"runs/{run}", "--model", "linear", "--dry-run"])
    shown = capsys.readouterr().out
    counts = pd.read_csv("submissions/first-linear.csv")["Kind"].value_counts()
    told = [f"{counts[k]} predicted as {n}" for k, n in zip(LABELS, NAMES, strict=True)]
    assert f"40 toads, {', '.join(told)}\n" in shown


def test_predict_gives_each_class_s_probability_and_the_likeliest_label() -> None:
    arguments = ["runs/first", "--model", "ensemble", "--input", str(TOADS.folder / "test.csv")]
    predict.main([*arguments, "--output", "predicted.csv"])
    found = pd.read_csv("predicted.csv")
    assert found.columns.tolist() == ["Code", *(f"probability={k}" for k in LABELS), "Kind"]
    submitted = pd.read_csv("submissions/first-ensemble.csv")
    assert found["Kind"].tolist() == submitted["Kind"].tolist()
    predictions = pd.read_csv("runs/first/test_predictions.csv")
    expected = probabilities(predictions, "ensemble")
    np.testing.assert_allclose(probabilities(found, "probability"), expected, atol=1e-12)


def test_the_layers_are_those_of_three_classes(capsys: pytest.CaptureFixture[str]) -> None:
    inspect.main(["runs/first"])
    inspect.main(["runs/first", "linear.w"])
    shown = capsys.readouterr().out
    assert "5 → 3, logits of 3 classes" in shown
    assert re.search(r"linear\.w \(5 x 3\)\s+common\s+green natterjack", shown)
    diagnose.main(["runs/first"])
    assert "underfitting" in capsys.readouterr().out


def test_every_answer_is_in_the_report(asked: Path) -> None:
    report.main([str(asked)])
    page = (asked / "report.html").read_text(encoding="utf-8")
    for words in ("natterjack", "Confusion matrix", "each against all others", "Hidden units"):
        assert words in page
    assert "Not asked yet" not in page
    assert "Decision threshold" not in page  # there is none between three
    assert "positive class" not in page
    assert re.search(
        r'linear misclassifies \d+ of 7\d of class "common", \d+ of \d+ of class', unescape(page)
    )


def test_importance_is_that_of_the_folds_models(asked: Path) -> None:
    scores = pd.read_csv(asked / "importance.csv")
    increase = scores.groupby(["model", "feature"])["log_loss_increase"].mean()["linear"]
    assert (increase > 0.02).all()  # each of the three tells kinds apart
    weights = pd.read_csv(asked / "coefficients.csv").set_index("feature")["mean"]
    assert len(weights) == 5 * 3
    by_column = weights.groupby(weights.index.str.partition(" → ").get_level_values(0))
    np.testing.assert_allclose(by_column.sum(), 0, atol=1e-6)
    assert weights["back=striped → natterjack"] > weights["back=striped → common"]


def test_misclassified_rows_are_those_whose_class_no_model_finds_likeliest(asked: Path) -> None:
    oof, found = pd.read_csv(asked / "oof.csv"), pd.read_csv(asked / "misclassified.csv")
    wrong = np.all(
        [probabilities(oof, model).argmax(1) != oof["label"] for model in MODELS], axis=0
    )
    assert set(found["Code"]) == set(oof.loc[wrong, "Code"])
    assert (found["label"] != found["predicted"]).all()
    y, p = scored_rows(oof.set_index("Code").loc[found["Code"]], "relu")
    np.testing.assert_allclose(found["relu"], p[y == 1])
    assert found[MODELS].mean(axis=1).is_monotonic_increasing


def test_each_class_s_log_odds_are_explained(
    asked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = pd.read_csv(asked / "explanations.csv")
    assert found.columns.tolist() == [
        *("Code", "class", "base", "log_odds", "length", "warts", "back"),
    ]
    assert found["class"].tolist() == [*LABELS] * 40
    predictions = pd.read_csv(asked / "test_predictions.csv")
    p = probabilities(predictions, "ensemble")
    np.testing.assert_allclose(expit(found["log_odds"].to_numpy()).reshape(40, 3), p, atol=1e-6)
    total = found["base"] + found[["length", "warts", "back"]].sum(axis=1)
    np.testing.assert_allclose(total, found["log_odds"])

    lines = pd.read_csv(asked / "explanation.csv")
    assert lines.groupby("class").size().to_dict() == dict.fromkeys(LABELS, 3)
    page = (asked / "report.html").read_text(encoding="utf-8")
    row = predictions.set_index("Code").loc[["t-1007"]]
    likeliest = NAMES[int(probabilities(row, "relu").argmax())]
    assert "relu: toad t-1007" in page
    assert f"log-odds of class {likeliest}" in page
    reasons = pd.read_csv(asked / "misclassified_reasons.csv")
    assert set(reasons["Code"]) <= set(pd.read_csv(asked / "misclassified.csv")["Code"])

    dependence.main(["runs/first", "back", "--model", "linear"])
    shown = capsys.readouterr().out
    for name in NAMES:
        assert f"The mean probability of class {name} is lowest" in shown
    mean = pd.read_csv(asked / "dependence.csv").query("net == 'mean'")
    of_striped = mean[mean["value"] == "striped"].set_index("class")["probability"]
    assert of_striped.idxmax() == LABELS[2]
    assert of_striped.sum() == pytest.approx(1)


def test_a_first_look_has_each_class_s_rate(capsys: pytest.CaptureFixture[str]) -> None:
    explore.main(["--competition", "toads", "--out", "runs/look"])
    assert "Fractions of the classes: common: 46 %, green: 19 %" in capsys.readouterr().out
    rates = pd.read_csv("runs/look/explore.csv")
    train = pd.read_csv(TOADS.folder / "train.csv")
    striped = train.loc[train["Back"] == "striped", "Kind"]
    found = rates[rates["value"] == "striped"].set_index("class")["rate"]
    assert found["natterjack"] == pytest.approx((striped == LABELS[2]).mean())
    totals = rates.groupby(["column", "value"])["rate"].sum()
    np.testing.assert_allclose(totals, 1)


def test_its_nets_are_tuned_and_exported(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", "linear", "--competition", "toads", "--trials", "4", "--batch", "2"]
    tune.main([*options, *SMALL])
    lr_find.main(["--competition", "toads", "--models", "linear", "--epochs", "2", *SMALL])
    (best,) = Path("runs/studies").glob("*/best.toml")
    assert "epochs" in best.read_text()
    export.main(["runs/first", "--model", "relu", "--onnx", "relu.onnx"])
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator("relu.onnx")
    model: Any = titanic_nn.load("runs/first/models/relu")
    test = TOADS.load().test
    x = model[0].transform(test)
    (p,) = evaluator.run(["probabilities"], {"x": x})
    np.testing.assert_allclose(p, model.predict_proba(test), atol=1e-5)
