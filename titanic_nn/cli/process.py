"""The process of a command, which starts and ends without needless work."""

import atexit
import gc
import os
import sys
from collections.abc import Callable

# New objects after which Python searches for unreachable cycles. With its default, 700, a report
# takes a fifth longer: imported modules are searched again and again.
GC_THRESHOLD = 50_000


def run(command: Callable[[], None]) -> None:
    """Run a command as the only task of this process, and end the process with its exit code.

    It ends without freeing each object, which takes half a second where torch is loaded. Before
    that threads have ended, all functions registered with `atexit` were called, and the standard
    streams are flushed. An exception other than SystemExit ends Python as usual.
    """
    gc.set_threshold(GC_THRESHOLD)
    exit_code: int | None = None

    def end() -> None:
        if exit_code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):  # closed or full, which Python then reports
            return
        os._exit(exit_code)

    atexit.register(end)  # called last, since it is registered first
    try:
        command()
        exit_code = 0
    except SystemExit as stop:
        if isinstance(stop.code, int):
            exit_code = stop.code
        raise
