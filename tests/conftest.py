"""What every test starts from: the same random state, whichever tests ran before it."""

import os
import random

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # GPU kernels run in Triton's interpreter
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime from 1.29 on sends usage data


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
