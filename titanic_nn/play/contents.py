"""What the page holds, as JSON values: the nets, the encoding, a form, and what is drawn.

Nets are recorded graphs (estimators/recording.py), the encoding is the encoder's fitted state
(`Encoder.definitions`), and the form's features are expressions (competitions/form.py). The page
computes all of them in JavaScript that knows no net, no table and no feature.
"""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from titanic_nn.analysis.explanation import BACKGROUND, background_sample
from titanic_nn.analysis.hidden_units import SmallNet, small_nets
from titanic_nn.competitions.competition import Competition
from titanic_nn.competitions.form import Form, evaluate, names_of, raw_values
from titanic_nn.config import Config
from titanic_nn.errors import ConfigError, DataError, DivergenceError
from titanic_nn.estimators.calibration import Ensemble
from titanic_nn.estimators.classifiers import NetClassifier
from titanic_nn.estimators.persistence import Model
from titanic_nn.estimators.recording import Graph, record
from titanic_nn.nets.config import ReLUConfig
from titanic_nn.runs.find import Run
from titanic_nn.tables.columns import Columns
from titanic_nn.tables.encode import Encoder
from titanic_nn.tables.sources import Tables

SEED = 0  # of the background rows, as in `explain`
# Background rows times features: a table of many features has fewer rows.
MOST_BACKGROUND, FEWEST_ROWS = 20_000, 10
MOST_UNITS = 64  # of a net that is drawn
# NumPy's types -> as the page calls its typed arrays.
TYPES = {"<f4": "float32", "<f8": "float64"}


@dataclass(frozen=True, eq=False)
class _Encoders:
    """The encoders of a page, each once."""

    definitions: list[list[dict[str, Any]]]

    def number(self, encoder: Encoder) -> int:
        """The position of an encoder, which is added if it is not there."""
        own = encoder.definitions()
        if own not in self.definitions:
            self.definitions.append(own)
        return self.definitions.index(own)


def contents(
    run: Run,
    models: Mapping[str, Model],
    tables: Tables,
    config: Config,
    competition: Competition,
    *,
    room: int,
) -> dict[str, Any]:
    """The page's data, of at most `room` bytes as JSON.

    models: by name, with the training rows' labels (see `with_training_labels`).

    A net for which there is no room, or whose operations are not known, is left out, and with it an
    ensemble that needs it; `left_out` has the reasons.

    Raises ConfigError where there is no room for the rest, or the run has no net, DataError where
    its summary lacks a score.
    """
    pipelines: dict[str, Any] = {
        name: model for name, model in models.items() if isinstance(model, Pipeline)
    }
    if not pipelines:
        raise ConfigError("the run has no saved net")
    encoder: Encoder = next(iter(pipelines.values()))[0].encoder_
    rows = tables.columns(competition.features)
    form = competition.form(encoder, rows, tables.y)
    encoders = _Encoders([])
    schema, features = competition.schema, competition.features.features
    sample, orders = background_sample(
        len(rows),
        len(features),
        n_background=max(FEWEST_ROWS, min(BACKGROUND, MOST_BACKGROUND // len(features))),
        seed=SEED,
    )
    background = raw_values(encoder, rows.take(sample))
    found: dict[str, Any] = {
        "title": competition.title,
        "run": run.name,
        "row": schema.row_name,
        "rows": schema.row_names,
        "classes": list(schema.class_names),
        "recommended": run.recommended,
        "features": [
            {"name": f.name, "label": f.label, "formula": f.formula, "why": f.why} for f in features
        ],
        "form": _form(form),
        "alike": {"labels": list(form.alike), "counts": _alike(form, encoder, rows, tables)},
        "background": {
            "names": list(background[0]),
            "rows": [list(row.values()) for row in background],
            "orders": orders.tolist(),
        },
        "drawn": [
            *(_small(net, encoders) for net in _small_nets(tables, config)),
            *_drawn(run, pipelines, encoders),
        ],
    }
    nets, left_out = _nets(pipelines, encoders, rows.take(sample))
    found["encoders"] = encoders.definitions
    room -= size(found)
    if room < 0:
        raise ConfigError(
            f"{len(features)} features and their background rows do not fit into a page"
        )
    kept = []
    for net in sorted(nets, key=size):
        room -= size(net)
        if room >= 0:
            kept.append(net["name"])
        else:
            left_out[net["name"]] = "its numbers do not fit into a page of this size"
    found["nets"] = [net for net in nets if net["name"] in kept]
    found["ensembles"] = []
    for name, model in models.items():
        if isinstance(model, Ensemble):
            if lacking := [member for member in model.models if member not in kept]:
                left_out[name] = f"it averages {', '.join(lacking)} too"
            else:
                found["ensembles"].append({"name": name, "weights": dict(model.weights)})
    found["left_out"] = left_out
    return found


def size(value: Any) -> int:
    """The bytes of a value as JSON in the page."""
    return len(as_json(value).encode())


def as_json(value: Any) -> str:
    """A value as JSON that can stand in an HTML script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    # The parser looks for the element's end, and for a comment, before it looks for strings.
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _nets(
    models: Mapping[str, Pipeline], encoders: _Encoders, background: Columns
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every model of one kind of net; and why one is left out."""
    nets, left_out = [], {}
    for name, model in models.items():
        try:
            graph = record(model[-1], by_net=True)
        except ConfigError as error:
            left_out[name] = str(error)
            continue
        x = model[0].encoder_.transform(background).astype(np.float64)
        nets.append(
            {
                "name": name,
                "encoder": encoders.number(model[0].encoder_),
                "graph": _graph(graph),
                # The page computes these again when it is opened, and hides a net that differs.
                "check": model[-1].probabilities(x).astype(float).tolist(),
            }
        )
    return nets, left_out


def _form(form: Form) -> dict[str, Any]:
    return {
        "controls": [asdict(control) for control in form.controls],
        "derived": [list(item) for item in form.derived.items()],
        "alike": list(form.alike.values()),
        "tables": {name: dict(table) for name, table in form.tables.items()},
    }


def _alike(
    form: Form, encoder: Encoder, rows: Columns, tables: Tables
) -> list[dict[str, list[int]]]:
    """How many training rows of each class there are, and agree in the first one, two, ... of
    `alike`: by the values as JSON.
    """
    trees, classes = list(form.alike.values()), len(tables.schema.labels)
    names = sorted(set().union(*map(names_of, trees)))
    raw = raw_values(encoder, rows, names)
    counts: list[dict[str, list[int]]] = [{} for _ in range(len(trees) + 1)]
    # Equal rows once.
    equal = Counter(zip(map(tuple, map(dict.values, raw)), tables.y.tolist(), strict=True))
    for (values_of_row, label), rows_like_it in equal.items():
        row = dict(zip(names, values_of_row, strict=True))
        values = [evaluate(tree, row, form.tables) for tree in trees]
        for n, count in enumerate(counts):
            key = json.dumps(values[:n], ensure_ascii=False, separators=(",", ":"))
            count.setdefault(key, [0] * classes)[label] += rows_like_it
    return counts


def _graph(graph: Graph) -> dict[str, Any]:
    return {
        "nodes": [[n.operator, list(n.inputs), n.output, n.attributes] for n in graph.nodes],
        "constants": {name: _array(values) for name, values in graph.constants.items()},
        "outputs": graph.outputs,
    }


def _array(values: NDArray[Any]) -> dict[str, Any]:
    """An array: numbers that count something as they are, others as base64 of their bytes."""
    if values.dtype.kind == "i":
        return {"shape": list(values.shape), "values": values.ravel().tolist()}
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {
        "shape": list(values.shape),
        "type": TYPES[little.dtype.str],
        "base64": base64.b64encode(little.tobytes()).decode(),
    }


def _log_loss(run: Run, model: str) -> float:
    try:
        found = float(run.models[model]["log_loss"]["mean"])
    except (KeyError, TypeError, ValueError):
        found = float("nan")
    if not np.isfinite(found):
        raise DataError(f"{run.folder / 'summary.json'}: has no log loss of {model}; train again")
    return found


def _small_nets(tables: Tables, config: Config) -> list[SmallNet]:
    """Small nets; none where the table has too few rows for them."""
    try:
        return small_nets(tables, config)
    except (ConfigError, DivergenceError):
        return []


def _small(net: SmallNet, encoders: _Encoders) -> dict[str, Any]:
    return {
        "units": net.units,
        "encoder": encoders.number(net.encoder),
        "params": {name: _array(p) for name, p in net.params.items()},
        "log_loss": net.log_loss,
        "trained_on": net.rows,
        "model": None,
    }


def _drawn(run: Run, models: Mapping[str, Pipeline], encoders: _Encoders) -> list[dict[str, Any]]:
    """The first net of each model of a run that has one hidden layer and can be drawn."""
    found = []
    for name, model in models.items():
        classifier: NetClassifier = model[-1]
        config = classifier.config()
        if isinstance(config, ReLUConfig) and classifier.mean_ is None:
            if config.hidden_size > MOST_UNITS:
                continue
            found.append(
                {
                    "units": config.hidden_size,
                    "encoder": encoders.number(model[0].encoder_),
                    "params": {n: _array(p[0]) for n, p in classifier.params_.items()},
                    "log_loss": _log_loss(run, name),
                    "trained_on": None,
                    "model": name,
                }
            )
    return found
