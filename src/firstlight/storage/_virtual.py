"""Virtual datasets over the files of frames."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from firstlight.model import ChannelKind, ChannelSpec, missing_value
from firstlight.storage._frames import Part


def link_frames(
    group: h5py.Group, name: str, spec: ChannelSpec, parts: Sequence[Part], *, whole: bool, folder: str = ""
) -> h5py.Dataset:
    """Make (or replace) the dataset that shows the frames of several files as one.

    The mapping names each file, and no frame that is not there: its length is the number of frames. It is replaced as
    frames come; HDF5 uses the room of the old one again. Frames whose file is missing read as the fill value.

    :param whole: map each file as a whole. Readers that look through the mapping (nxtomomill) need that, and it is
        right only when the files have their final length.
    :param folder: put before the names of the files, with its slash.
    """
    shape, dtype = spec.shape, np.dtype(spec.dtype)
    if spec.kind is ChannelKind.REFERENCE:
        shape, dtype = tuple(spec.info["shape"]), np.dtype(spec.info["dtype"])
    count = sum(p.count for p in parts)
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_fill_value(np.array(missing_value(dtype), dtype=dtype))
    at = 0
    rest, zeros = shape, (0,) * len(shape)
    for part in parts:
        here = h5py.h5s.create_simple((count, *rest))
        here.select_hyperslab((at, *zeros), (part.count, *rest))
        there = h5py.h5s.create_simple((part.first + part.count, *rest))
        if whole and not part.first:
            there.select_all()
        else:
            there.select_hyperslab((part.first, *zeros), (part.count, *rest))
        plan.set_virtual(here, (folder + part.file).encode(), part.dataset.encode(), there)
        at += part.count
    if name in group:
        del group[name]
    space = h5py.h5s.create_simple((count, *shape))
    made = h5py.h5d.create(group.id, name.encode(), h5py.h5t.py_create(dtype, logical=True), space, plan)
    return h5py.Dataset(made)
