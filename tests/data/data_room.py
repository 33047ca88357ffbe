"""A buffer and datasets with small runs, for tests of finding and listing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firstlight.buffer import Buffer
from firstlight.model import ChannelSpec, EndReason, Quantity, RunEnd, RunInfo
from firstlight.storage import DataPolicy, DatasetFolder, Roots, RunSaver, SaverOptions, write_dataset_links

START = 1_763_000_000.0


class Room:
    """A buffer, and datasets with small runs."""

    def __init__(self, buffer: Buffer, data: Path) -> None:
        self.buffer = buffer
        self.data = data
        self.none = data / "no-buffer"

    def dataset(self, sample: str = "tooth", name: str = "0001", proposal: str = "hc1234") -> DatasetFolder:
        return DataPolicy("id00", Roots.under(self.data)).experiment(proposal, "20251113").dataset(sample, name)

    def record(
        self,
        dataset: DatasetFolder | None,
        value: float = 0.0,
        *,
        parent: str | None = None,
        save: bool = True,
        **more: Any,
    ) -> str:
        """One run whose diode tells which it is; returns its key.

        :param more: of its description, in place of the usual.
        """
        saving = dataset.saving() if dataset is not None else None
        usual: dict[str, Any] = {
            "name": "loopscan",
            "title": f"loopscan 3 {value:g}",
            "start_epoch": START + value,
            "npoints": 3,
            "positioners": {"rot": Quantity(value=value)},
        }
        info = RunInfo(**usual | {"saving": saving, "parent": parent} | more)
        writer = self.buffer.create_run(info, readers=("saver",) if saving else ())
        diode = writer.create_log(ChannelSpec("diode", unit="A"))
        writer.prepared()
        writer.running()
        diode.append(np.full(3, value))
        writer.stop(RunEnd(reason=EndReason.SUCCESS, epoch=info.start_epoch + 1))
        if saving is not None and save:
            RunSaver(self.buffer, self.buffer.run(writer.key), SaverOptions()).save()
            write_dataset_links(Path(saving.dataset_file))
        writer.close()
        return writer.key
