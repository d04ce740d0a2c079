"""A run's model in a browser: one row, with its explanation, or a CSV file."""

from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

from titanic_nn.cli.console import Parser, if_interrupted, say
from titanic_nn.cli.options import add_run_argument
from titanic_nn.errors import ConfigError

PARSER = Parser(prog="titanic-nn app", description=__doc__)
add = PARSER.add_argument
add_run_argument(PARSER)
add("--model", metavar="NAME", help="one of its models; the recommended by default")
add("--data", type=Path, metavar="DIR", help="its tables, if they have moved")
add("--port", type=int, metavar="N", help="of this machine (7860); 0: any that is free")
space = "write a folder for Hugging Face Spaces instead: app, model and model card"
add("--space", type=Path, metavar="DIR", help=space)


@PARSER.command
def main(args: Namespace) -> None:
    if args.space is not None and args.port is not None:
        raise ConfigError("--port: has no effect with --space; leave one of them out")
    if not find_spec("gradio"):
        raise ConfigError("gradio is not installed: pip install 'titanic_nn[app]'")

    from titanic_nn.app.run import app_model

    if args.space is not None:
        from titanic_nn.app.space import write_space

        write_space(args.run, args.model, args.data, args.space)
        say(f"Written: {args.space}")
        return

    from titanic_nn.app.server import open_port, serve

    with open_port(args.port) as listening:
        model = app_model(args.run, args.model, args.data)
        port = listening.getsockname()[1]
        say(f"Open http://127.0.0.1:{port} in a browser; Ctrl-C ends the app.")
        with if_interrupted(lambda: "the app has ended"):
            serve(model, listening)
