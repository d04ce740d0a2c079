"""Which learning rate? The training loss after a few epochs, over a sweep of learning rates."""

from argparse import Namespace
from dataclasses import asdict, replace
from typing import Any

from titanic_nn.cli.options import check_size
from titanic_nn.cli.question import Answer, ask, question_parser

PARSER = question_parser("lr_find", __doc__, folds=5, repeats=1, n_seeds=1)
add = PARSER.add_argument
add("--lowest", type=float, metavar="RATE", help="lowest rate (1e-5)")
add("--highest", type=float, metavar="RATE", help="highest rate (10)")
add("--epochs", type=int, help="that each net trains (5)")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.learning_rate import EPOCHS, HIGHEST, LOWEST, sweep
    from titanic_nn.config import check_config
    from titanic_nn.nets.config import NetConfig

    for name, default in (("lowest", LOWEST), ("highest", HIGHEST), ("epochs", EPOCHS)):
        if getattr(args, name) is None:
            setattr(args, name, default)
    args.rates = sweep(args.lowest, args.highest)
    check_config(NetConfig, {"epochs": args.epochs, "learning_rate": args.highest})
    ask(args, "lr_find", f" x {len(args.rates)} learning rates", _answer)


def _answer(args: Namespace, data: Any, **training: Any) -> Answer:
    from titanic_nn.analysis.learning_rate import learning_rates
    from titanic_nn.plots.learning_rate import learning_rate_sweep
    from titanic_nn.plots.style import as_png
    from titanic_nn.report import sentences, tables
    from titanic_nn.runs.folder import to_csv, to_json

    config = training["config"]
    nets = [(m, replace(config.nets[m], epochs=args.epochs)) for m in config.models]
    check_size(args, data, config, trials=[(m, net, len(args.rates)) for m, net in nets])
    result = learning_rates(data, rates=args.rates, epochs=args.epochs, **training)
    found = {
        "epochs": args.epochs,
        "models": {model: asdict(one) for model, one in result.suggestions.items()},
    }
    figure = learning_rate_sweep(
        result.losses,
        {model: one.suggested for model, one in result.suggestions.items()},
        {model: one.now for model, one in result.suggestions.items()},
    )
    files: dict[str, str | bytes] = {
        "lr_find.csv": to_csv(result.losses),
        "lr_find.json": to_json(found),
        "lr_find.png": as_png(figure),
    }
    advice = [sentences.learning_rate(model, one) for model, one in result.suggestions.items()]
    advice.append(
        "A suggestion is a tenth of the rate with the lowest loss, and right to a factor of a few: "
        "it assumes that the first epochs are a guide to the others, and sees no held-out rows. "
        "`titanic-nn tune` searches the rate together with weight decay and epochs."
    )
    return Answer(result.device, files, [tables.learning_rates(result)], advice, found)
