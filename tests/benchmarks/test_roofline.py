"""The roofline's arithmetic, done on paper."""

import torch

from benchmarks.roofline import Rates, Work, measure_rates, work_of_a_net


def test_the_work_of_a_linear_model() -> None:
    # 3 features, 1 output: a row takes 3 products forward and 3 to the weights, each a
    # multiplication and an addition: 12. 10 rows x 2 epochs: 240. Each row is read as 3 features,
    # a number and a label, 5 x 20 = 100 floats; 4 parameters go in and out, 8: 432 bytes.
    assert work_of_a_net([3, 1], rows=10, epochs=2) == Work(240, 432)


def test_the_work_of_a_hidden_layer() -> None:
    # 3 x 4 + 4 x 1 = 16 products forward, 16 to the weights, 4 to the hidden layer: 72 a row.
    # 5 floats read; 16 + 5 = 21 parameters, in and out.
    assert work_of_a_net([3, 4, 1], rows=1, epochs=1) == Work(72, 4 * (5 + 42))


def test_the_roofline_is_the_lower_of_two_limits() -> None:
    rates = Rates(operations=1000, bytes=500)
    assert rates.nets_per_second(Work(operations=100, bytes=10)) == 10
    assert rates.nets_per_second(Work(operations=10, bytes=100)) == 5


def test_rates_are_measured() -> None:
    rates = measure_rates(torch.device("cpu"))
    # Any machine that can hold torch computes between 1 GFLOP/s and 100 TFLOP/s, and copies
    # between 0.1 GB/s and 10 TB/s.
    assert 1e9 < rates.operations < 1e14
    assert 1e8 < rates.bytes < 1e13
