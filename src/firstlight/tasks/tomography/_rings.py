"""Ring removal: stripes of a sinogram, through algotom.

N. T. Vo, R. C. Atwood, M. Drakopoulos, "Superior techniques for eliminating ring artifacts in X-ray
micro-tomography", Optics Express 26, 28396 (2018); the names below are those of its algorithms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.kernels import each
from firstlight.model import InvalidInput

Floats = NDArray[np.float32]


def _sorting(sinogram: Floats, size: int) -> Any:
    from algotom.prep.removal import remove_stripe_based_sorting

    return remove_stripe_based_sorting(sinogram, size=size)


def _filtering(sinogram: Floats, size: int) -> Any:
    from algotom.prep.removal import remove_stripe_based_filtering

    return remove_stripe_based_filtering(sinogram, sigma=3, size=size)


def _large(sinogram: Floats, size: int) -> Any:
    from algotom.prep.removal import remove_large_stripe

    return remove_large_stripe(sinogram, snr=3.0, size=max(size, 51))


def _all(sinogram: Floats, size: int) -> Any:
    from algotom.prep.removal import remove_all_stripe

    return remove_all_stripe(sinogram, snr=3.0, la_size=max(2 * size + 9, 51), sm_size=size)


_METHODS: Mapping[str, Callable[[Floats, int], Any]] = MappingProxyType(
    {"sorting": _sorting, "filtering": _filtering, "large": _large, "all": _all}
)

RING_METHODS = ("none", *_METHODS)
"""``sorting`` removes partial and full rings of small and medium width; ``filtering`` does with less change of weak
features; ``large`` takes wide ones; ``all`` also dead and fluctuating pixels, at three times the cost."""


def remove_rings(
    sinograms: NDArray[Any], method: str = "sorting", *, size: int = 21, workers: int | None = None
) -> Floats:
    """Sinograms without their stripes.

    :param sinograms: (angles, columns) or (slices, angles, columns), sorted in angle as they were taken.
    :param method: one of ``RING_METHODS``.
    :param size: width (pixels) of the median filter: wider than the stripes, narrower than features of the sample.
    :raises InvalidInput: for an unknown method or an impossible size.
    """
    if method not in RING_METHODS:
        raise InvalidInput(f"There is no ring removal {method!r}.", hint=f"Choose one of {', '.join(RING_METHODS)}.")
    stack = np.asarray(sinograms, dtype=np.float32)
    if method == "none":
        return stack
    if not 1 < size < stack.shape[-1]:
        raise InvalidInput(f"A median over {size} of {stack.shape[-1]} columns removes no rings.")
    remove = _METHODS[method]
    if stack.ndim == 2:
        return np.asarray(remove(stack, size), dtype=np.float32)
    out = np.empty_like(stack)

    def clean(index: int) -> None:
        out[index] = remove(stack[index], size)

    each(clean, range(len(stack)), workers)
    return out
