"""Show the parameters of a trained net: its layers as a tree, with shapes and the first values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from titanic_nn.cli.console import Parser, console, run, table_of
from titanic_nn.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.tree import Tree

    from titanic_nn.analysis.net_summary import NetSummary

FIRST = 4  # values of a parameter that the tree shows
COLUMNS = 6  # of a parameter that its table shows


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _inspect(arguments))


def _inspect(arguments: list[str] | None) -> None:
    parser = Parser(prog="titanic-nn inspect", description=__doc__)
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="a run's folder or name; the newest by default")
    add("name", nargs="?", metavar="NAME", help="relu, relu.layer1 or relu.w1; all by default")
    add("--net", type=int, default=1, help="which of the nets that a model averages (1)")
    args = parser.parse_args(arguments)

    from titanic_nn.analysis.net_summary import summarize_net
    from titanic_nn.runs.find import find_run

    folder = find_run(args.run)
    models = {path.parent.name: path.parent for path in folder.glob("models/*/model.safetensors")}
    if not models:
        raise ConfigError(f"{folder}: holds no saved models; train again")
    model, _, part = (args.name or "").partition(".")
    if model and model not in models:
        raise ConfigError(f"{model}: no such model; choose from {', '.join(sorted(models))}")
    for name in [model] if model else sorted(models):
        console().print(_shown(summarize_net(models[name], args.net), part))


def _shown(net: "NetSummary", part: str) -> "Tree | Table":
    """The layer or parameter of this name, or all layers, ready to print."""
    if not part:
        return _tree(net, list(net.layers))
    if part in net.layers:
        return _tree(net, [part])
    for layer, tensors in net.layers.items():
        if part in tensors:
            return _table(net, layer, part)
    known = [*net.layers, *(name for tensors in net.layers.values() for name in tensors)]
    raise ConfigError(f"{net.model}.{part}: no such part; choose from {', '.join(known)}")


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
        branch = tree.add(f"{layer}: {', '.join([*units, net.notes[layer]])}")
        for name, values in net.layers[layer].items():
            shape = " x ".join(map(str, values.shape))
            shown = " ".join(f"{value:.3f}" for value in values.ravel()[:FIRST])
            branch.add(f"{name} ({shape}): {shown}{' …' if values.size > FIRST else ''}")
    return tree


def _table(net: "NetSummary", layer: str, name: str) -> "Table":
    """A parameter's values: all rows, the first columns."""
    values = net.layers[layer][name]  # (rows, columns)
    rows = [name]
    if len(values) > 1:
        reads_features = len(values) == len(net.features) and layer == next(iter(net.layers))
        units = [f"unit {row}" for row in range(1, len(values) + 1)]
        rows = net.features if reads_features else units
    columns = [f"unit {column}" for column in range(1, values.shape[1] + 1)][:COLUMNS]
    table = table_of("", *(columns if layer != list(net.layers)[-1] else ["log-odds"]))
    for row, numbers in zip(rows, values, strict=True):
        table.add_row(row, *(f"{value:.3f}" for value in numbers[:COLUMNS]))
    table.title = f"{net.model}.{name} ({values.shape[0]} x {values.shape[1]})"
    if values.shape[1] > COLUMNS:
        table.caption = f"the first {COLUMNS} of {values.shape[1]} columns"
    return table
