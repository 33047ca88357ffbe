"""Virtual datasets over the files of frames."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from firstlight.model import ChannelKind, ChannelSpec, missing_value
from firstlight.storage._frames import Part


def link_frames(group: h5py.Group, name: str, spec: ChannelSpec, parts: Sequence[Part], *, final: bool) -> h5py.Dataset:
    """Make (or replace) the dataset that shows the frames of several files as one.

    Each file is named. Frames whose file is missing read as the fill value.

    :param final: whether the files of the parts have their final length. Then each is mapped as a whole, which readers
        that look through the mapping (nxtomomill) need. Before, the last file is mapped without an end: HDF5 takes the
        length of the dataset from that of the file, so that the mapping stands until there is another file.
    """
    shape, dtype = spec.shape, np.dtype(spec.dtype)
    if spec.kind is ChannelKind.REFERENCE:
        shape, dtype = tuple(spec.info["shape"]), np.dtype(spec.info["dtype"])
    grows = not final and spec.kind is ChannelKind.RING and bool(parts)
    count = sum(p.count for p in (parts[:-1] if grows else parts))
    longest = (h5py.h5s.UNLIMITED if grows else count, *shape)
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_fill_value(np.array(missing_value(dtype), dtype=dtype))
    at, zeros, ones = 0, (0,) * len(shape), (1,) * len(shape)
    for index, part in enumerate(parts):
        here = h5py.h5s.create_simple((count, *shape), longest)
        if grows and index == len(parts) - 1:
            there = h5py.h5s.create_simple((0, *shape), (h5py.h5s.UNLIMITED, *shape))
            for space, start in ((here, at), (there, part.first)):
                space.select_hyperslab((start, *zeros), (h5py.h5s.UNLIMITED, *ones), block=(1, *shape))
        else:
            here.select_hyperslab((at, *zeros), (part.count, *shape))
            there = h5py.h5s.create_simple((part.first + part.count, *shape))
            if not final or part.first or spec.kind is ChannelKind.REFERENCE:
                there.select_hyperslab((part.first, *zeros), (part.count, *shape))
        plan.set_virtual(here, part.file.encode(), part.dataset.encode(), there)
        at += part.count
    if name in group:
        del group[name]
    space = h5py.h5s.create_simple((count, *shape), longest)
    made = h5py.h5d.create(group.id, name.encode(), h5py.h5t.py_create(dtype, logical=True), space, plan)
    return h5py.Dataset(made)
