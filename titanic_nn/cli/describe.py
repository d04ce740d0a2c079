"""Describe your own table in TOML: a guess from its train.csv, with reasons, to be edited."""

import os
import shlex
from argparse import Namespace
from pathlib import Path

from titanic_nn.cli.console import Parser, say
from titanic_nn.cli.streams import write_result
from titanic_nn.errors import ConfigError

PARSER = Parser(prog="titanic-nn describe", description=__doc__)
add = PARSER.add_argument
add("file", type=Path, metavar="FILE", help="a CSV file with labels; a test.csv beside it is read")
add("--target", metavar="NAME", help="the column to predict; guessed by default")
add("--out", type=Path, metavar="FILE", help="the TOML to write; printed by default")


@PARSER.command
def main(args: Namespace) -> None:
    if args.out is not None and os.path.lexists(args.out):
        raise ConfigError(f"--out {args.out}: is there already; choose another name")
    if args.out is not None and args.out.suffix.lower() != ".toml":
        raise ConfigError(f"--out {args.out}: choose a name that ends in .toml")

    from titanic_nn.competitions.own_table.guess import guess_description
    from titanic_nn.files import read_bytes, write_text
    from titanic_nn.tables.schema import column_names
    from titanic_nn.tables.sources import LARGEST, TEST

    content, test = read_bytes(args.file, LARGEST), args.file.with_name(TEST)
    in_test: list[str] = []
    if test.name != args.file.name and test.is_file():
        in_test = column_names(read_bytes(test, LARGEST), file=str(test))
    text = guess_description(content, file=str(args.file), target=args.target, test_columns=in_test)
    if args.out is None:
        write_result(text)
        return
    write_text(args.out, text)
    toml, data = (shlex.quote(str(path)) for path in (args.out, args.file.parent))
    next = f"titanic-nn train --competition {toml} --data {data}"
    say(f"Written: {args.out}. Correct it, then `{next}`")
