"""Which features matter? Permutation importance on held-out rows, and the linear net's weights."""

from argparse import Namespace
from typing import Any

from titanic_nn.cli.question import Answer, ask, question_parser

PARSER = question_parser("importance", __doc__)
PERMUTED = "how often each feature is permuted (%(default)s)"
PARSER.add_argument("--permutations", type=int, default=5, help=PERMUTED)


@PARSER.command
def main(args: Namespace) -> None:
    ask(args, "importance", f" x {args.permutations} permutations", _answer)


def _answer(args: Namespace, data: Any, **training: Any) -> Answer:
    from titanic_nn.analysis.importance import importance
    from titanic_nn.report import tables
    from titanic_nn.runs.folder import to_csv

    result = importance(data, permutations=args.permutations, **training)
    files, shown = {"importance.csv": to_csv(result.scores)}, [tables.importance(result)]
    if len(result.coefficients):
        files["coefficients.csv"] = to_csv(result.coefficients)
        shown.append(tables.coefficients(result))
    found = {"importance": result.summary.to_dict("records")}
    return Answer(result.device, files, shown, [], found)
