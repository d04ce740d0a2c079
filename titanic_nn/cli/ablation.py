"""Does each feature improve the nets? Train without it, or with it alone of its group."""

from argparse import Namespace
from typing import Any

from titanic_nn.cli.question import Answer, ask, question_parser

# Every net trains some thirty times over: one answers the question.
PARSER = question_parser("ablation", __doc__, models=("relu",))


@PARSER.command
def main(args: Namespace) -> None:
    ask(args, "ablation", " for each choice of features", _answer)


def _answer(args: Namespace, data: Any, **training: Any) -> Answer:
    from titanic_nn.analysis.ablation import ablation
    from titanic_nn.evaluation.comparison import ROPES
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.folder import to_csv, to_json

    result = ablation(data, **training)
    answers = {model: sentences.ablation(result, model) for model in training["config"].models}
    variants = result.summary.to_dict(orient="records")
    found = {"rope": ROPES["log_loss"], "answers": answers, "variants": variants}
    files = {"ablation.csv": to_csv(result.scores), "ablation.json": to_json(found)}
    shown = [table for model in answers for table in tables.ablation(result, model)]
    return Answer(result.device, files, shown, list(answers.values()), found)
