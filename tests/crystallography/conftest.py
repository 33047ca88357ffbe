from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.crystallography import Lattice

TRICLINIC = Lattice(4.1, 5.2, 6.3, 80, 95, 110)


def random_rotation(seed: int) -> NDArray[np.float64]:
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q if np.linalg.det(q) > 0 else -q)


@pytest.fixture
def triclinic() -> Lattice:
    return TRICLINIC


@pytest.fixture
def ub() -> NDArray[np.float64]:
    return np.asarray(random_rotation(3) @ TRICLINIC.B)
