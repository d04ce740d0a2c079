"""Every sentence that states a result, for terminal, page and files; names are as in tables."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from titanic_nn.analysis.contributions import mean_sizes, predicted_class, value_text
from titanic_nn.analysis.diagnosis import Diagnosis
from titanic_nn.competitions.competition import Competition
from titanic_nn.config import ENSEMBLE_RIVALS, RIVALS
from titanic_nn.evaluation.comparison import DECISIVE, ROPES
from titanic_nn.evaluation.predictions import most_probable, probabilities
from titanic_nn.kaggle.submission import parse_accuracy, sampling_margin
from titanic_nn.nets.config import NetConfig
from titanic_nn.tables.schema import TableSchema

if TYPE_CHECKING:  # they load torch
    from titanic_nn.analysis.ablation import Ablation
    from titanic_nn.analysis.dependence import Dependence
    from titanic_nn.analysis.learning_curve import LearningCurve
    from titanic_nn.analysis.learning_rate import Suggestion
    from titanic_nn.analysis.run_comparison import RunComparison
    from titanic_nn.tuning.results import Rescored

MATTERS = ROPES["log_loss"]
CONTRIBUTES = 0.05  # log-odds; what contributes less is no reason of a row's prediction


def findings(
    summary: Mapping[str, Any], oof: pd.DataFrame, history: pd.DataFrame, competition: Competition
) -> list[str]:
    """The findings of a run, the most important first, a paragraph each.

    Args:
        summary, oof, history: the run's files of these names.
        competition: whose tables it was made from.
    """
    model, rows = summary["recommended"], len(oof) // oof["repeat"].nunique()
    error = 100 * summary["models"][model]["calibration_error"]
    paragraphs = [
        " ".join(conclusion(summary, competition)),
        *_comparison(summary["comparison"], f"{rows} {competition.schema.row_names}"),
        _chance(model, summary["models"], rows, competition),
        _mistakes(model, oof, competition),
        f"The expected calibration error of {model} is {error:.1f} points: its predicted "
        f"{_calibrated(competition)} differ by this much on average.",
    ]
    curves = history[history["model"] == model]  # an ensemble has none
    return [*paragraphs, _gap(model, curves)] if len(curves) else paragraphs


def conclusion(summary: Mapping[str, Any], competition: Competition) -> list[str]:
    """The sentences with which a run's results begin: the recommended model, the best one, rivals.

    Args:
        summary: the run's summary.json.
        competition: whose tables it was made from.
    """
    model, (best, *others) = summary["recommended"], summary["comparison"]["models"]
    scores = summary["models"][model]
    mean, low, high = (percent(scores["accuracy"][name], 1) for name in ("mean", "low", "high"))
    recommended = (
        f"{model} is recommended: on held-out {competition.schema.row_names} its accuracy is "
        f"{mean} (95 % interval {low} to {high}), its log loss {scores['log_loss']['mean']:.3f}."
    )
    if not others:
        return [recommended, f"{best} was compared with no other model."]
    kind = "the rival " if best in RIVALS else "the baseline "
    name = best if best in (model, ENSEMBLE_RIVALS) else f"{kind}{best}"
    p_best = percent(summary["comparison"]["models"][best]["p_best"])
    text = f"By log loss {name} is the best of all models with probability {p_best}."
    return [recommended, text, *_rivals(summary)]


def _rivals(summary: Mapping[str, Any]) -> list[str]:
    """Which rivals are better than the recommended model, a sentence each; the others in one."""
    model, found = summary["recommended"], summary.get("rivals", {})  # older runs have none
    sentences, worse, not_better, unsure = [], [], [], []
    for name, row in found.items():
        better = percent(row["p_better"])
        if row["p_better"] >= DECISIVE:
            what = ": it is a rival, not saved and not submitted" if name in RIVALS else ""
            by = f"{-row['difference']:.3f} of log loss (posterior {better})"
            sentences.append(f"{name} is better than {model} by {by}{what}.")
        elif name in RIVALS and row["p_worse"] >= DECISIVE:
            worse.append(name)
        elif name in RIVALS and row["p_better"] <= 1 - DECISIVE:
            not_better.append(name)
        elif name in RIVALS:
            unsure.append(f"{name} (posterior {better})")
    others = [f"{model} is better than {_listed(worse)}"] if worse else []
    if not_better:
        at_most = f"(posterior at most {percent(1 - DECISIVE)})"
        others.append(f"{_listed(not_better)} {_are(not_better)} not better than {model} {at_most}")
    if unsure:
        others.append(f"it is not known whether {_listed(unsure, 'or')} is better than {model}")
    if others:
        sentences.append(f"Of the rivals: {'; '.join(others)}.")
    if weights := summary.get("rival_weights"):
        heaviest = sorted(weights.items(), key=lambda item: -item[1])
        weighed = ", ".join(f"{name} {weight:.2f}" for name, weight in heaviest)
        sentences.append(
            f"{ENSEMBLE_RIVALS} averages nets and rivals ({weighed}). It predicts the test table "
            "and has a submission, but is not saved, as no model of another library is."
        )
    return sentences


def headline(summary: Mapping[str, Any], competition: Competition) -> str:
    """What a run achieved, in one sentence."""
    model, models, rule = summary["recommended"], summary["models"], competition.rule
    of_model = percent(models[model]["accuracy"]["mean"], 1)
    text = f"{model} predicts {of_model} of held-out {competition.schema.row_names} correctly"
    if rule.name not in models:
        return text
    of_rule = percent(models[rule.name]["accuracy"]["mean"], 1)
    return f'{text}, the rule "{rule.description}" {of_rule}'


def board_forecast(accuracy: float, rows: int, competition: Competition) -> str:
    """What to expect on the public board; empty where no result's scores are known there.

    Args:
        accuracy: the model's, cross-validated on the competition's own table.
        rows: how many the board scores.
        competition: whose board.
    """
    if not competition.board_pairs:
        return ""
    score, margin = _on_board(accuracy, rows, competition)
    pairs = [f"{whose} ({cv} and {public})" for cv, public, whose in competition.board_pairs]
    known = "1 result" if len(pairs) == 1 else f"{len(pairs)} results"
    return (
        f"Expect a public score of about {score:.3f}, not the cross-validated {accuracy:.3f}: the "
        f"rows of Kaggle's board are {'harder' if score < accuracy else 'easier'} than the "
        f"labelled ones. A rough forecast, from {known} known by cross-validation and on the "
        f"board: {_listed(pairs)}; the sampling of {rows} {competition.schema.row_names} alone "
        f"adds ± {margin:.3f} (95 %)."
    )


def board_outcome(score: str, accuracy: float, rows: int, competition: Competition) -> str:
    """How a score as Kaggle writes it compares with its forecast; empty where there was none."""
    value = parse_accuracy(score)
    if value is None or not competition.board_pairs:
        return ""
    expected, margin = _on_board(accuracy, rows, competition)
    where = "above" if value > expected else "below"
    return (
        f"The forecast from the cross-validated {accuracy:.3f} was {expected:.3f} ± {margin:.3f}: "
        f"the score is {'within' if abs(value - expected) <= margin else where} it."
    )


def importance(scores: pd.DataFrame, model: str) -> str:
    """Which features a net uses most; `scores` are importance.csv."""
    of_model = scores[scores["model"] == model]
    increase = of_model.groupby("feature")["log_loss_increase"].mean().sort_values(ascending=False)
    most = [f"{name} ({by:.3f})" for name, by in increase.head(3).items()]
    return (
        f"Which features does {model} use? Permuting one of {len(increase)} features raises the "
        f"held-out log loss most for {_listed(most)}, and by more than {MATTERS:g} for "
        f"{(increase > MATTERS).sum()}."
    )


def learning_curve(result: "LearningCurve") -> str:
    """Would more training rows lower the held-out loss of the best net?"""
    net, law = result.best, result.extrapolation[result.best]
    question = "Do I have enough data?"
    if not law.fits:
        of_best = result.summary[result.summary["model"] == net]
        (rows, loss), (all_rows, end) = of_best[["rows", "held_out_loss"]].to_numpy()[-2:]
        return (
            f"{question} Unknown: the power law misses the held-out log loss of {net}, the "
            f"best net, by up to {law.misfit:.3f}, more than {MATTERS:g}. From {rows:.0f} training "
            f"rows to {all_rows:.0f} the loss went from {loss:.3f} to {end:.3f}."
        )
    unsure = f"{law.rows:.0f} training rows are too few to tell (posterior of a gain that matters: "
    answers = {"yes": "Yes.", "no": "No.", "unknown": f"{unsure}{percent(law.p_matters)})."}
    return (
        f"{question} {answers[law.enough]} With {2 * law.rows:.0f} training rows instead of "
        f"{law.rows:.0f}, the held-out log loss of {net}, the best net, would be lower by about "
        f"{law.gain:.3f} (95 % interval {law.low:.3f} to {law.high:.3f}; more than {MATTERS:g} "
        "matters)."
    )


def ablation(result: "Ablation", model: str) -> str:
    """Which features improve a net, as far as the intervals allow to say."""
    dropped, added = result.variants(model, "drop"), result.variants(model, "add")
    text = f"Which features improve {model} by more than {MATTERS:g} of log loss? Dropped one by "
    text += f"one: {_sorted_out(dropped)}."
    if len(added):
        together = result.variants(model, "plain").iloc[0]
        text += (
            f" Added one by one: {_sorted_out(added)}. Dropping all features of the group "
            f"{result.group} changes the log loss by {together['change']:+.3f} (95 % "
            f"interval {together['low']:+.3f} to {together['high']:+.3f})."
        )
    return f"{text} A feature that can be dropped may be redundant rather than useless."


def diagnosis(case: Diagnosis, config: NetConfig) -> str:
    """What the learning curves of a net show, and which of its settings to change."""
    restrain, release = _advice(config)
    text = {
        "rise": f"The held-out loss rose by {case.rose:.3f} since its minimum at epoch "
        f"{case.lowest_epoch}. Try {restrain}, or fewer epochs. Evaluate them with another --seed: "
        "the minimum was found on these folds.",
        "fall": f"The held-out loss still fell by {case.fell:.3f} in the last quarter of the "
        "epochs. Try more epochs, or a larger learning_rate.",
        "high training loss": f"The training loss is {case.training_loss:.3f}, while "
        f"{case.best_other} has a held-out loss of {case.best_other_loss or 0:.3f}. Try {release}.",
        "wide gap": f"The gap to the training loss is {percent(case.gap / case.held_out_loss)} of "
        f"the held-out loss, which does not rise yet. Try {restrain}, or more rows "
        "(`titanic-nn learning_curve` estimates their effect).",
        "none": "The held-out loss is level at the end, and its gap to the training loss is small. "
        "Other features or more rows may help more than other settings.",
    }
    return f"{case.model}: {case.verdict}. {text[case.cause]}"


def misclassified(
    found: pd.DataFrame, models: Sequence[str], rows: int, competition: Competition
) -> str:
    """How many of `rows` labelled rows all models misclassify."""
    of_all = f"{len(found)} of {rows} {competition.schema.row_names}"
    return f"All {len(models)} models misclassify {of_all}: {_listed(models)}."


def shared_outcome(found: pd.DataFrame, related: pd.DataFrame, competition: Competition) -> str:
    """How often labelled rows of a group share the class of a misclassified one."""
    names, known = competition.schema.row_names, related.dropna(subset="label")
    if known.empty:
        return f"None of them is in a group with other labelled {names}."
    own = known["of"].map(found.set_index(competition.schema.id.name)["label"])
    return (
        f"{known['of'].nunique()} of them are in a group with other labelled {names}: "
        f"{percent((own == known['label']).mean())} of the {len(known)} others have the same class."
    )


def tuning(result: "Rescored") -> str:
    """What a search gained, on its own folds and on fresh ones."""
    fresh = result.differences["shipped"]
    searched = result.search_folds["shipped"] - result.search_folds["best"]
    if fresh.low > 0:
        verdict = "the best settings are better"
    elif fresh.high < 0:
        verdict = "the shipped settings are better"
    else:
        verdict = "the interval holds 0, so it is not known which are better"
    optimism = f"overestimate the gain by {result.optimism:.4f}"
    return (
        f"On the folds of the search, the log loss of the best settings is {lower(searched)} than "
        f"that of the shipped ones; on fresh folds {lower(fresh.mean)} (95 % interval "
        f"{fresh.low:.4f} to {fresh.high:.4f}): {verdict}. The folds of the search "
        f"{optimism if result.optimism > 0 else 'do not overestimate the gain'}."
    )


def run_comparison(result: "RunComparison", rows: str) -> list[str]:
    """Which differences are more than luck, and which cannot be told; `rows`: how many of what."""
    found = []
    for table in result.comparisons:
        best = str(table.index[0])
        for other, row in table.iloc[1:].iterrows():
            if row["p_worse"] >= DECISIVE:
                verdict = f"{best} is better, by more than luck (posterior "
                verdict += f"{percent(row['p_worse'])})."
            elif row["p_equivalent"] >= DECISIVE:
                verdict = "they are practically equivalent (difference of at most "
                verdict += f"{ROPES['log_loss']:g}; posterior {percent(row['p_equivalent'])})."
            else:
                verdict = f"{rows} are too few to tell whether {best} is better, or lucky "
                verdict += f"(posterior {percent(row['p_worse'])})."
            found.append(f"{best} and {other} have the same folds: {verdict}")
        if len(table) > 2:
            p_best = percent(table["p_best"].iloc[0])
            found.append(f"{best} is the best of these {len(table)} with probability {p_best}.")
    first = result.leaderboard["run"].iloc[0]
    for reasons in dict.fromkeys(map(tuple, result.unpaired.values())):
        others = [run for run, why in result.unpaired.items() if tuple(why) == reasons]
        found.append(
            f"Whether {first} is better than {' or '.join(others)} cannot be told from these runs: "
            f"their folds differ ({', '.join(reasons)}). Train on the same tables, with the same "
            "folds, repeats and seed."
        )
    return found


def learning_rate(model: str, one: "Suggestion") -> str:
    """What a sweep of learning rates suggests for a net."""
    if one.suggested is None:
        return (
            f"{model}: no suggestion. The loss is lowest at {one.lowest_at:.2g}, an end of the "
            "sweep; choose another --lowest or --highest."
        )
    return (
        f"{model}: try {one.suggested:.2g}. Now its learning_rate is {one.now:.2g}, "
        f"{one.now / one.suggested:.2g} times that."
    )


def explanation(lines: pd.DataFrame, competition: Competition) -> str:
    """A row's probability, and the features that contribute most to it.

    lines: of one row in an explanation.csv.
    """
    schema = competition.schema
    label = predicted_class(lines)
    of_class = lines[lines["class"] == label]
    model, id, base = of_class[["model", schema.id.name, "base"]].iloc[0]
    difference = float(of_class["contribution"].sum())
    text = (
        f"{model} gives {schema.row_name} {id} a probability of {_of_log_odds(base + difference)} "
        f"for class {schema.meanings[label]}; an average {schema.row_name} has "
        f"{_of_log_odds(base)}."
    )
    named = of_class[of_class["contribution"].abs() >= CONTRIBUTES]
    towards = named[named["contribution"] * difference > 0].head(3)
    against = named[named["contribution"] * difference < 0].head(2)
    if len(towards):
        how = "higher" if difference > 0 else "lower"
        text += f" It is {how} because of {_reasons(towards)}."
    if len(against):
        text += f" Against that: {_reasons(against)}."
    return text


def reasons_of_final(model: str, schema: TableSchema) -> str:
    """What the reasons of misclassified rows are."""
    of = f"of class {schema.class_names[1]}" if len(schema.labels) == 2 else "of the class named"
    return (
        f"The largest contributions to the log-odds {of}, by {model}, which was trained on these "
        f"{schema.row_names} too:"
    )


def reasons(lines: pd.DataFrame, name: str, schema: TableSchema) -> str:
    """The features that contribute most to a misclassified row; `name` is the row's."""
    of = f", {schema.meanings[str(lines['class'].iloc[0])]}" if len(schema.labels) > 2 else ""
    return f"{name}{of}: {_reasons(lines)}."


def explanations(found: pd.DataFrame, competition: Competition) -> str:
    """The features with the largest mean contributions.

    found: an explanations.csv.
    """
    sizes = mean_sizes(found).mean(axis=1).sort_values(ascending=False, kind="stable")
    names = [f"{feature} ({size:.2f})" for feature, size in sizes.head(3).items()]
    labels = competition.schema.labels
    rows = len(found) // (1 if len(labels) == 2 else len(labels))
    return (
        f"Over {rows} {competition.schema.row_names}, the log-odds are moved most by "
        f"{_listed(names)}: the mean size of the contributions, whatever their sign."
    )


def trained_on(model: str, row_name: str) -> str:
    """What to know about the explanation of a training row."""
    return (
        f"{model} was trained on this {row_name}: its probability is no test, oof.csv has "
        "out-of-fold ones. The row's own label is in none of its features."
    )


def dependence(result: "Dependence", competition: Competition) -> str:
    """Where the mean prediction is lowest and highest, and how far nets differ."""
    table, name, texts = result.table, result.feature.name, []
    for label, of_class in table[table["net"] == "mean"].groupby("class", sort=False):
        p, values = of_class["probability"].to_numpy(), of_class["value"].tolist()
        low, high = int(p.argmin()), int(p.argmax())
        texts.append(
            f"The mean probability of class {competition.schema.meanings[str(label)]} is lowest, "
            f"{percent(p[low])}, at {name} = {value_text(values[low])}, and highest, "
            f"{percent(p[high])}, at {name} = {value_text(values[high])}."
        )
    nets = table[table["net"] != "mean"].groupby(["class", "value"])["probability"]
    texts.append(f"Nets differ by up to {percent(float((nets.max() - nets.min()).max()), 1)}.")
    return " ".join(texts)


def lower(gain: float) -> str:
    """0.002 as 0.0020 lower, -0.002 as 0.0020 higher."""
    return f"{abs(gain):.4f} {'lower' if gain >= 0 else 'higher'}"


def percent(fraction: float, digits: int = 0) -> str:
    """0.79 as 79 %."""
    return f"{100 * fraction:.{digits}f} %"


def _on_board(accuracy: float, rows: int, competition: Competition) -> tuple[float, float]:
    """The public score to expect, and its sampling error.

    The loss of accuracy on the board is interpolated between the known pairs, and outside of them
    it is that of the nearest.
    """
    cv, public = np.array([pair[:2] for pair in sorted(competition.board_pairs)]).T
    score = float(np.clip(accuracy - np.interp(accuracy, cv, cv - public), 0, 1))
    return score, sampling_margin(score, rows)


def _chance(model: str, models: Mapping[str, Any], rows: int, competition: Competition) -> str:
    """The rule's accuracy, and how far chance moves one."""
    accuracy, rule, text = models[model]["accuracy"], competition.rule, ""
    if rule.name in models:
        of_rule = percent(models[rule.name]["accuracy"]["mean"], 1)
        text = f'The accuracy of the rule "{rule.description}" is {of_rule}. '
    error = 100 * sampling_margin(accuracy["mean"], rows)
    return (
        f"{text}With {rows} {competition.schema.row_names}, chance alone moves an accuracy by "
        f"± {error:.1f} points."
    )


def _comparison(comparison: Mapping[str, Any], rows: str) -> list[str]:
    """Which models the best is better than, as a paragraph; none without other models."""
    found = comparison["models"]
    best, *others = found
    worse = [other for other in others if found[other]["p_worse"] >= DECISIVE]
    same = [other for other in others if found[other]["p_equivalent"] >= DECISIVE]
    unsure = [
        f"{other} (posterior {percent(found[other]['p_worse'])})"
        for other in others
        if other not in worse + same
    ]
    sentences = []
    if worse:
        sentences.append(
            f"{best} is better than {_listed(worse)} (posterior at least {percent(DECISIVE)})."
        )
    if same:
        sentences.append(
            f"{_listed(same)} {_are(same)} practically equivalent to {best} (difference of at most "
            f"{ROPES[comparison['metric']]:g})."
        )
    if unsure:
        sentences.append(
            f"{rows} are too few to tell whether {best} is better than {_listed(unsure, 'or')}."
        )
    return [" ".join(sentences)] if sentences else []


def _mistakes(model: str, oof: pd.DataFrame, competition: Competition) -> str:
    wrong = oof["label"] != most_probable(probabilities(oof, model))
    counts = []
    for label, name in enumerate(competition.schema.class_names):
        of_class = oof["label"] == label
        n_wrong, n = (of_class & wrong).sum(), of_class.sum()
        repeats = oof["repeat"].nunique()
        counts.append(f'{n_wrong / repeats:.0f} of {n / repeats:.0f} of class "{name}"')
    rows = competition.schema.row_names
    counts = counts[::-1] if len(counts) == 2 else counts
    return f"{model} misclassifies {_listed(counts)} ({rows}, mean over repeats)."


def _calibrated(competition: Competition) -> str:
    if len(competition.schema.labels) == 2:
        return "probabilities and the fractions of positives"
    return "classes' probabilities and the fractions of rows where they are right"


def _gap(model: str, curves: pd.DataFrame) -> str:
    mean = curves.groupby("epoch")[["training_loss", "held_out_loss"]].mean()
    training, held_out = mean.iloc[-1]
    lowest, epoch = mean["held_out_loss"].min(), mean["held_out_loss"].idxmin()
    text = (
        f"A single {model} net ends with a training loss of {training:.3f} and a held-out loss of "
        f"{held_out:.3f}: a generalization gap of {held_out - training:.3f}."
    )
    if lowest >= held_out - MATTERS:
        return text
    return f"{text} The held-out loss was lowest after {epoch} epochs ({lowest:.3f}): it overfits."


def _sorted_out(variants: pd.DataFrame) -> str:
    """Which features matter, how many do not, and for how many neither is decided."""
    p = variants["p_helps"]
    matter = list(variants["feature"][p >= DECISIVE])
    do_not = int((p <= 1 - DECISIVE).sum())
    do = "does" if len(matter) == 1 else "do"
    return (
        f"{_listed(matter or ['none'])} {do} (posterior at least {percent(DECISIVE)}); {do_not} of "
        f"{len(p)} do not; for {len(p) - len(matter) - do_not} there are too few rows to tell"
    )


def _advice(config: NetConfig) -> tuple[str, str]:
    """What makes a net fit less closely, and what makes it fit more closely."""
    decay = "weight_decay" if config.optimizer == "adamw" else "l2"
    dropouts = [f.name for f in fields(config) if "dropout" in f.name]
    restrain = f"a larger {_listed([decay, *dropouts], 'or')}"
    held = [name for name in ("weight_decay", "l1", "l2", *dropouts) if getattr(config, name)]
    release = f"a smaller {_listed(held, 'or')}, or " if held else ""
    if not config.layer_widths:
        return restrain, f"{release}a net with hidden units"
    return f"{restrain}, or fewer hidden units", f"{release}more hidden units"


def _of_log_odds(log_odds: float) -> str:
    p = float(expit(log_odds))
    return percent(p, 0 if 0.01 <= p <= 0.99 else 1)


def _reasons(lines: pd.DataFrame) -> str:
    """sex = male (-1.20), class = 3 (-0.51) and age = 30 (-0.20)"""
    return _listed(
        [
            f"{row['feature']} = {row['value']} ({row['contribution']:+.2f})"
            for row in lines.to_dict("records")
        ]
    )


def _are(names: Sequence[Any]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[Any], last_word: str = "and") -> str:
    """a, b and c"""
    *first, last = names
    return f"{', '.join(first)} {last_word} {last}" if first else str(last)
