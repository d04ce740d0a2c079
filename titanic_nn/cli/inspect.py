"""What is a trained net made of? Its layers as a tree, with shapes and the first numbers."""

from typing import TYPE_CHECKING

from titanic_nn.errors import ConfigError
from titanic_nn.cli.console import Parser, console, run, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.tree import Tree

    from titanic_nn.analysis.net_summary import NetParts

FIRST = 4  # numbers of a tensor that the tree shows
COLUMNS = 6  # of a tensor, that its table shows


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; see `--help`."""
    run(lambda: _inspect(arguments))


def _parser() -> Parser:
    parser = Parser(prog="titanic_nn.cli.inspect", description=__doc__)
    add = parser.add_argument
    add("run", nargs="?", metavar="RUN", help="a run's folder or name; the newest by default")
    add("name", nargs="?", metavar="NAME", help="a part: relu, relu.layer1 or relu.w1; all of them")
    add("--net", type=int, default=1, help="which of the nets that a model averages (1)")
    return parser


def _inspect(arguments: list[str] | None) -> None:
    args = _parser().parse_args(arguments)

    from titanic_nn.runs.find import find_run, newest_run
    from titanic_nn.analysis.net_summary import read_parts

    run_folder = find_run(args.run) if args.run else newest_run().folder
    folders = {
        path.parent.name: path.parent for path in run_folder.glob("models/*/model.safetensors")
    }
    if not folders:
        raise ConfigError(f"{run_folder}: holds no saved models; train again")
    model, _, part = (args.name or "").partition(".")
    if model and model not in folders:
        raise ConfigError(f"{model}: no such model; choose from {', '.join(sorted(folders))}")
    for name in [model] if model else sorted(folders):
        console().print(_shown(read_parts(folders[name], args.net), part))


def _shown(net: "NetParts", part: str) -> "Tree | Table":
    """The part of this name, as it is printed."""
    if not part:
        return _tree(net, list(net.layers))
    if part in net.layers:
        return _tree(net, [part])
    for layer, tensors in net.layers.items():
        if part in tensors:
            return _table(net, layer, part)
    known = [*net.layers, *(name for tensors in net.layers.values() for name in tensors)]
    raise ConfigError(f"{net.model}.{part}: no such part; choose from {', '.join(known)}")


def _tree(net: "NetParts", layers: "Sequence[str]") -> "Tree":
    """A branch per layer, a leaf per tensor."""
    from rich.tree import Tree

    numbers = sum(values.size for part in net.layers.values() for values in part.values())
    tree = Tree(
        f"{net.model}: {numbers:,} numbers, one of {net.nets} nets that are averaged; "
        f"reads {len(net.features)} columns"
    )
    for layer in layers:
        first, *_ = net.layers[layer].values()
        rows, columns = first.shape
        branch = tree.add(f"{layer}: {rows} → {columns}, {net.notes[layer]}")
        for name, values in net.layers[layer].items():
            shape = " x ".join(map(str, values.shape))
            shown = " ".join(f"{value:.3f}" for value in values.ravel()[:FIRST])
            branch.add(f"{name} ({shape}): {shown}{' …' if values.size > FIRST else ''}")
    return tree


def _table(net: "NetParts", layer: str, name: str) -> "Table":
    """A tensor's numbers: its rows by name, its first columns."""
    values = net.layers[layer][name]  # (rows, columns)
    first, last = next(iter(net.layers)), list(net.layers)[-1]
    if not name.startswith("w"):
        rows = [name]
    elif layer == first:
        rows = net.features
    else:
        rows = [f"unit {row}" for row in range(1, len(values) + 1)]
    columns = [f"unit {column}" for column in range(1, values.shape[1] + 1)][:COLUMNS]
    table = table_of("", *(columns if layer != last else ["log-odds"]))
    for row, numbers in zip(rows, values, strict=True):
        table.add_row(row, *(f"{value:.3f}" for value in numbers[:COLUMNS]))
    table.title = f"{net.model}.{name} ({values.shape[0]} x {values.shape[1]})"
    if values.shape[1] > COLUMNS:
        table.caption = f"the first {COLUMNS} of {values.shape[1]} columns"
    return table


if __name__ == "__main__":
    main()
