"""The figures of a run, from the files in its folder, and a figure as SVG for a page."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from titanic_nn import plots
from titanic_nn.analysis.contributions import predicted_class
from titanic_nn.competitions.competition import Competition
from titanic_nn.evaluation.predictions import models_of
from titanic_nn.plots.style import INK, NOTE
from titanic_nn.report.answers import read_variants


@dataclass(frozen=True)
class Picture:
    """An SVG element, its title, the note on how to read it, and the answer that it illustrates."""

    title: str
    note: str
    svg: str
    answer: Sequence[str] = ()


def answer_figures(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    answers: Mapping[str, Sequence[str]],
    competition: Competition,
) -> Iterator[tuple[Figure, Sequence[str]]]:
    """A figure with each answer that was asked of a run; see `figures` and `answers`."""
    yield plots.learning_curves(tables["history.csv"]), answers["diagnose"]
    if "learning_curve.csv" in tables:
        curve = plots.rows_curve(tables["learning_curve.csv"])
        yield curve, answers.get("learning_curve", ())
    if "ablation" in answers:
        variants = read_variants(folder)
        grouped = (f.group for f in competition.features.features if f.group)
        group = next(grouped, "")
        for model, answer in zip(variants["model"].unique(), answers["ablation"], strict=False):
            yield plots.ablation(variants, model, group), [answer]
    if "importance" in answers:
        yield plots.importance(tables["importance.csv"]), answers["importance"]
    meanings = competition.schema.meanings
    if "explain" in answers:
        row_names = competition.schema.row_names
        figure = plots.contributions(tables["explanations.csv"], meanings, row_names)
        yield figure, answers["explain"]
    if "misclassified" in answers:
        wrong, names = tables["misclassified.csv"], competition.display_columns
        class_names = competition.schema.class_names
        models = models_of(tables["oof.csv"])
        figure = plots.misclassified(wrong, models, names, class_names)
        yield figure, answers["misclassified"]
    if "explanation" in answers:
        lines = tables["explanation.csv"]
        label = predicted_class(lines)
        model, id = lines[["model", competition.schema.id.name]].iloc[0]
        title = f"{model}: {competition.schema.row_name} {id}"
        figure = plots.waterfall(lines[lines["class"] == label], title, meanings[label])
        yield figure, answers["explanation"]


def figures(
    tables: Mapping[str, pd.DataFrame],
    comparison: pd.DataFrame,
    model: str,
    competition: Competition,
) -> Iterator[Figure]:
    """The figures that every run's folder allows, of all models or the one named.

    `tables` holds its CSV files by name.
    """
    metrics, oof = tables["metrics.csv"], tables["oof.csv"]
    class_names = competition.schema.class_names
    others = [str(other) for other in comparison.index if other != model]
    yield plots.fold_scores(metrics)
    yield plots.fold_scores(metrics, "accuracy")
    if others:
        yield plots.differences(comparison)
    yield plots.confusion_matrix(oof, model, class_names)
    yield plots.roc(oof)
    yield plots.precision_recall(oof)
    yield plots.calibration(oof, [model, *others[:1]])
    if len(class_names) == 2:  # of more, no threshold is a decision
        yield plots.threshold(oof, model)
    if "hidden_units.csv" in tables:
        table = tables["hidden_units.csv"]
        units = table["unit"].nunique()
        sides = [table[table["side"] == side] for side in ("in", "out")]
        w1, w2 = (side["weight"].to_numpy().reshape(-1, units) for side in sides)
        yield plots.hidden_units(w1, w2.T, [*sides[0]["name"][::units]], class_names)
    if "coefficients.csv" in tables:
        yield plots.coefficients(tables["coefficients.csv"], class_names)


def as_svg(figure: Figure, answer: Sequence[str] = ()) -> Picture:
    """A figure as an SVG element whose text and axes take the page's colours.

    Title and note are left to the page: on a phone the picture shrinks, and they must not.
    """
    title, note = figure.get_suptitle(), figure.get_supxlabel().replace("\n", " ")
    figure.suptitle("")
    figure.supxlabel("")
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_facecolor("none")  # the page's own is seen
    text = io.StringIO()
    config: Any = {"svg.fonttype": "none", "svg.hashsalt": "titanic_nn"}
    with mpl.rc_context(config), warnings.catch_warnings():
        # A character that matplotlib's font lacks: the browser has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # Not savefig, which draws twice.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(text, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # not unique in the page, and never referred to
    svg = svg.replace(INK, "var(--ink)").replace(NOTE, "var(--note)")
    return Picture(title, note, svg, answer)
