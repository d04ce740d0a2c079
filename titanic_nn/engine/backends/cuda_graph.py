"""CUDA graphs: work on a GPU that is recorded once and replayed without the host."""

from collections.abc import Callable

import torch


def repeated(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """`work`, for repeated calls on the same tensors; it must change them in place only.

    On a GPU the first call runs it and the second records it as a CUDA graph, which that call and
    all later ones replay: hundreds of small kernels in one launch. Elsewhere it is `work`.
    """
    return _Recorded(work) if device.type == "cuda" else work


class _Recorded:
    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._graph: torch.cuda.CUDAGraph | None = None
        self._warm = False

    def __call__(self) -> None:
        if not self._warm:
            # On a separate stream, as recording requires: libraries initialize themselves here.
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self._work()
            torch.cuda.current_stream().wait_stream(stream)
            self._warm = True
            return
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._work()
        self._graph.replay()
