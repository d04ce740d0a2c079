"""A GPU is used if it computes; one that is asked for and missing is one clear line."""

import pytest
import torch

from titanic_nn.engine.device import choose_device
from titanic_nn.errors import DeviceError

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")


def test_the_cpu_is_always_available() -> None:
    assert choose_device("cpu") == torch.device("cpu")


@needs_no_gpu
def test_auto_takes_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_device("auto") == torch.device("cpu")


@needs_no_gpu
def test_cuda_without_a_gpu_is_one_clear_line() -> None:
    message = r"^--device cuda: .+\. Use --device cpu, or auto\.$"
    with pytest.raises(DeviceError, match=message) as raised:
        choose_device("cuda")
    assert "\n" not in str(raised.value)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_gpu_that_computes_is_used(name: str) -> None:
    assert choose_device(name) == torch.device("cuda")


@pytest.fixture
def _old_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card that is listed and then refuses the first kernel: there is none to test with."""

    def refuse(*size: int, device: str) -> torch.Tensor:
        raise RuntimeError("CUDA error: no kernel image is available\nCompile with TORCH_USE_CUDA")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla P100-PCIE-16GB")
    monkeypatch.setattr(torch, "ones", refuse)


@pytest.mark.usefixtures("_old_card")
def test_a_card_that_does_not_compute_is_skipped_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"P100\S* fails at a first product.*CPU is used"):
        assert choose_device("auto") == torch.device("cpu")


@pytest.mark.usefixtures("_old_card")
def test_a_card_that_does_not_compute_is_named_when_asked_for() -> None:
    message = r"^--device cuda: Tesla P100\S* fails at a first product \(CUDA error: no kernel .*$"
    with pytest.raises(DeviceError, match=message) as raised:
        choose_device("cuda")
    assert "\n" not in str(raised.value)
