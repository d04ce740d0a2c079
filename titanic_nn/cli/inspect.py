"""Show the parameters of a trained net: its layers as a tree, with shapes and the first values."""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from titanic_nn.cli.console import Parser, console, print_table
from titanic_nn.cli.options import add_run_argument
from titanic_nn.errors import ConfigError, did_you_mean
from titanic_nn.nets.registry import NETS

if TYPE_CHECKING:
    from rich.tree import Tree

    from titanic_nn.analysis.net_summary import NetSummary

FIRST = 4  # values of a parameter that the tree shows

PARSER = Parser(prog="titanic-nn inspect", description=__doc__)
add = PARSER.add_argument
add_run_argument(PARSER)
add("name", nargs="?", metavar="NAME", help="relu, relu.layer1 or relu.w1; all by default")
add("--net", type=int, default=1, help="which of the nets that a model averages (1)")


@PARSER.command
def main(args: Namespace) -> None:
    from titanic_nn.analysis.net_summary import summarize_net
    from titanic_nn.runs.find import PLAY_PAGE, find_run

    try:
        folder = find_run(args.run)
    except ConfigError as error:
        if args.name is None and (args.run or "").partition(".")[0] in NETS:
            how = f"`titanic-nn inspect RUN {args.run}`"
            raise ConfigError(f"{error}; name a run before {args.run}: {how}") from None
        raise
    models = {path.parent.name: path.parent for path in folder.glob("models/*/model.safetensors")}
    if not models:
        raise ConfigError(f"{folder}: holds no saved models; train again")
    model, _, part = (args.name or "").partition(".")
    if model and model not in models:
        known = f"choose from {', '.join(sorted(models))}{did_you_mean(model, models)}"
        raise ConfigError(f"{model}: no such model; {known}")
    for name in [model] if model else sorted(models):
        _show(summarize_net(models[name], args.net), part)
    page = folder / PLAY_PAGE
    if not args.name and page.is_file():
        console().print(f"\nDrawn, for a row of your choice: {page}", soft_wrap=True)


def _show(net: "NetSummary", part: str) -> None:
    """Print the layer or parameter of this name, or all layers."""
    from titanic_nn.report.tables import parameter

    if not part or part in net.layers:
        console().print(_tree(net, [part] if part else list(net.layers)))
        return
    layers = {name: layer for layer, tensors in net.layers.items() for name in tensors}
    if part not in layers:
        known = [*net.layers, *layers]
        near = did_you_mean(part, known)
        raise ConfigError(f"{net.model}.{part}: no such part; choose from {', '.join(known)}{near}")
    print_table(console(), parameter(net, layers[part], part))


def _tree(net: "NetSummary", layers: Sequence[str]) -> "Tree":
    """A branch per layer, a leaf per parameter."""
    from rich.tree import Tree

    size = sum(values.size for tensors in net.layers.values() for values in tensors.values())
    tree = Tree(
        f"{net.model}: {size:,} parameters, one of {net.n_seeds} nets that are averaged; "
        f"reads {len(net.features)} columns"
    )
    for layer in layers:
        weights = [w.shape for name, w in net.layers[layer].items() if name.startswith("w")]
        units = [f"{weights[0][0]} → {weights[-1][1]}"] if weights else []
        if layer == "layer0":  # an embedding: each feature becomes as many numbers
            features = len(net.features)
            units = [f"{features} → {features * weights[0][1]}"]
        branch = tree.add(f"{layer}: {', '.join(filter(None, [*units, net.notes[layer]]))}")
        for name, values in net.layers[layer].items():
            shape = " x ".join(map(str, values.shape))
            shown = " ".join(f"{value:.3f}" for value in values.ravel()[:FIRST])
            branch.add(f"{name} ({shape}): {shown}{' …' if values.size > FIRST else ''}")
    return tree
