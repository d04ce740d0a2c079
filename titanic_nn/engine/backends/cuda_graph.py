"""What only a GPU has: work that is recorded once and repeated without the host."""

from collections.abc import Callable

import torch


def repeated(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """`work`, for calling again and again on the same tensors; it must only change them in place.

    On a GPU the first call runs it, the second records it as a CUDA graph, and that one and all
    later ones replay the graph: hundreds of small kernels for one launch. Elsewhere it is `work`.
    """
    return _Recorded(work) if device.type == "cuda" else work


class _Recorded:
    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._graph: torch.cuda.CUDAGraph | None = None
        self._warm = False

    def __call__(self) -> None:
        if not self._warm:
            # On a stream of its own, as recording asks for: libraries set themselves up here.
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
