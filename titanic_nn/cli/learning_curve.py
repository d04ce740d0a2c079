"""Is there enough data? Train every net on growing fractions of the rows, and extrapolate."""

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from titanic_nn.cli.question import Answer, ask, question_parser

PARSER = question_parser("learning_curve", __doc__, repeats=5)
FRACTIONS = "of the training rows, above 0 and up to 1 (0.1 0.2 … 1)"
PARSER.add_argument("--train-fractions", nargs="+", type=float, help=FRACTIONS)


@PARSER.command
def main(args: Namespace) -> None:
    ask(args, "learning_curve", " for each train fraction", _answer)


def _answer(args: Namespace, data: Any, **training: Any) -> Answer:
    from titanic_nn.analysis.learning_curve import TRAIN_FRACTIONS, learning_curve
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.folder import to_csv, to_json

    fractions = args.train_fractions or TRAIN_FRACTIONS
    result = learning_curve(data, train_fractions=fractions, **training)
    sentence = sentences.learning_curve(result)
    models = {
        model: {**asdict(law), "fits": law.fits, "enough": law.enough}
        for model, law in result.extrapolation.items()
    }
    found = {"law": "held_out_loss = a + b * rows^-c", "answer": sentence, "models": models}
    files = {"learning_curve.csv": to_csv(result.scores), "learning_curve.json": to_json(found)}
    shown = [tables.learning_curve(result), tables.extrapolation(result)]
    return Answer(result.device, files, shown, [sentence], found)
