"""The page on reading data says what works: its blocks run one after the other."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import (
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    EndReason,
    PlotHint,
    Quantity,
    RunEnd,
    RunInfo,
)
from firstlight.storage import DataPolicy, DatasetFolder, Roots, RunSaver, SaverOptions

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "read-data.md"


def make(buffer: Buffer, dataset: DatasetFolder, name: str, **info: Any) -> None:
    """A saved run of twenty points with a peak in the diode and small frames."""
    x = np.linspace(-5, 5, 20)
    description = RunInfo(
        name=name,
        title=f"{name} rot -5 5 19 0.1",
        start_epoch=1_763_000_000.0 + len(dataset.numbers()),
        saving=dataset.saving(),
        axes=("rot",),
        npoints=20,
        plots=(PlotHint(x="rot", y=("diode",)),),
        positioners={"rot": Quantity(value=0.0, unit="deg")},
        **info,
    )
    writer = buffer.create_run(description, readers=("saver",))
    rot = writer.create_log(ChannelSpec("rot", unit="deg", role=ChannelRole.AXIS))
    diode = writer.create_log(ChannelSpec("diode", unit="A", role=ChannelRole.COUNTER))
    cam = writer.create_ring(
        ChannelSpec("cam", dtype="<u2", shape=(16, 24), kind=ChannelKind.RING, role=ChannelRole.FRAME), 32
    )
    writer.prepared()
    writer.running()
    saver = threading.Thread(target=RunSaver(buffer, buffer.run(writer.key), SaverOptions()).save)
    saver.start()
    rot.append(x)
    diode.append(np.exp(-0.5 * (x - 0.7) ** 2))
    cam.append(np.arange(20 * 16 * 24, dtype="<u2").reshape(20, 16, 24))
    writer.stop(RunEnd(reason=EndReason.SUCCESS, epoch=1_763_000_100.0))
    saver.join()
    writer.close()


def test_every_block_of_the_page_runs(
    buffer_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("xarray")
    pytest.importorskip("dask")
    buffer = Buffer(buffer_root, spill=tmp_path / "spill")
    experiment = DataPolicy("id00", Roots.under(tmp_path)).experiment("hc1234", "20251113")
    for _ in range(2):
        make(buffer, experiment.dataset("tooth", "overview"), "ascan")
    make(buffer, experiment.dataset("tooth", "tomo"), "tomo:projections", parameters={"image_key": 0})
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(buffer_root))
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 12
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["center"] == pytest.approx(0.7, abs=0.05)
    assert names["total"] == pytest.approx(names["diode"][:].sum())
    assert names["done"].points == 20
    printed = capsys.readouterr().out
    assert "the run ended before" in printed
    assert "nxtomo .nx" in printed
    assert "hc1234 tooth overview (1, 2)" in printed
