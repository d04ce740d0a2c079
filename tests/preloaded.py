"""Processes forked from one that has imported the libraries, which takes seconds."""

import multiprocessing
import os
import sys
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

import pytest


@cache
def preloaded() -> ForkServerContext:
    """The context of such processes.

    They have the environment of the moment in which the first of them was started.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torture.libraries"])
    with pytest.MonkeyPatch.context() as patch:
        # The server looks for what it imports nowhere else, and says nothing of what it misses.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    return context
