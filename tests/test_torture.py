"""A short form of `make torture`."""

import pytest
from torture.__main__ import PARTS, attacks, failure
from torture.attack import Attack

pytestmark = pytest.mark.slow
TRIES = 1  # of each part


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(attack, id=f"{part}-{attack.name}")
        for part in PARTS
        for attack in attacks(part, TRIES)
    ],
)
def test_an_attack_fails(attack: Attack) -> None:
    assert failure(attack) == ""
