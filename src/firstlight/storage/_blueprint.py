"""The tree that a run has, or would have, in its file: for reading a live run like one."""

from __future__ import annotations

import io
from collections.abc import Sequence

import h5py

from firstlight.model import ChannelSpec, RunEnd, RunInfo, Saving
from firstlight.storage._entry import SUCCEEDED, finish_entry
from firstlight.storage._runfile import RunFile


def blueprint(
    info: RunInfo, key: str, specs: Sequence[ChannelSpec], end: RunEnd | None = None
) -> tuple[io.BytesIO, dict[str, str]]:
    """An HDF5 file in memory with the entry of a run: everything but the items of its channels, which are empty.

    :param key: of the run in the buffer.
    :param specs: its channels, in the order in which they appeared.
    :return: the content of the file, and the path of each channel's dataset in its entry.
    """
    saving = info.saving or Saving(
        proposal="",
        beamline="",
        session="",
        sample="",
        dataset="",
        number=1,
        dataset_file="blueprint.h5",
        file="blueprint.h5",
    )
    with h5py.File("blueprint", "w", driver="core", backing_store=False) as file:
        run = RunFile(saving, info, key, file=file)
        paths = {spec.name: run.add(spec).place.path for spec in specs}
        run.running()
        if end is not None:
            finish_entry(run.entry, end, {}, status=SUCCEEDED)
        run.flush()
        image: bytes = file.id.get_file_image()
    return io.BytesIO(image), paths
