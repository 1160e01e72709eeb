"""Every op equals its slow reference on at least 200 random cases."""

import pytest
from ops_table import CHECKS

from detectors import ops


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_op_equals_its_slow_reference(name: str) -> None:
    CHECKS[name](getattr(ops, name), 1000 if name == "fit_two_gaussians" else 200)


def test_every_public_op_has_a_reference() -> None:
    assert sorted(ops.__all__) == sorted(CHECKS)
