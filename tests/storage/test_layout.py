"""The tree of a run in its file: groups, classes, names, links, units, plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, PlotHint, RunInfo
from firstlight.storage import DatasetFolder, RunSaver, blueprint
from firstlight.storage._places import Places
from tests.storage.conftest import QUICK, Producer, describe

Make = Callable[..., Producer]


@contextmanager
def entry_of(buffer: Buffer, dataset: DatasetFolder, run: Producer) -> Iterator[h5py.Group]:
    run.stop()
    RunSaver(buffer, buffer.run(run.key), QUICK).save()
    with h5py.File(dataset.scan_file(1), "r") as file:
        yield file["1.1"]


@pytest.fixture
def filled(producer: Make) -> Producer:
    run = producer(npoints=6)
    run.start(slots=10)
    run.produce(6)
    return run


def text(item: h5py.Dataset) -> str:
    found: str = item[()].decode()
    return found


def test_groups_have_the_classes_that_bliss_gives_them(
    buffer: Buffer, dataset: DatasetFolder, filled: Producer
) -> None:
    classes = {
        ".": "NXentry",
        "instrument": "NXinstrument",
        "instrument/cam": "NXdetector",
        "instrument/diode": "NXdetector",
        "instrument/mca": "NXdetector",
        "instrument/rot": "NXpositioner",
        "instrument/positioners": "NXcollection",
        "instrument/positioners_start": "NXcollection",
        "instrument/positioners_end": "NXcollection",
        "measurement": "NXcollection",
        "plotselect": "NXdata",
        "sample": "NXsample",
        "scan_parameters": "NXparameters",
        "technique": "NXcollection",
        "writer": "NXnote",
    }
    with entry_of(buffer, dataset, filled) as entry:
        assert {name: entry[name].attrs["NX_class"] for name in classes} == classes
        root = entry.file.attrs
        assert (root["NX_class"], root["default"], root["creator"]) == ("NXroot", "1.1", "Firstlight")


def test_what_was_measured_is_linked_flat_in_measurement(
    buffer: Buffer, dataset: DatasetFolder, filled: Producer
) -> None:
    places = {
        "rot": "instrument/rot/value",
        "elapsed_time": "instrument/elapsed_time/value",
        "diode": "instrument/diode/data",
        "mca_spectrum": "instrument/mca/spectrum",
        "cam": "instrument/cam/data",
        "cam_status": "instrument/cam/status",
        "cam_peaks": "instrument/cam/peaks",
        "cam_peaks_offsets": "instrument/cam/peaks_offsets",
    }
    with entry_of(buffer, dataset, filled) as entry:
        assert set(entry["measurement"]) == set(places)
        for name, path in places.items():
            assert entry["measurement"][name] == entry[path], name


@pytest.mark.parametrize(
    ("name", "unit", "found"), [("ring", "mA", True), ("srcurrent", "A", True), ("ring", "count", False)]
)
def test_the_current_of_the_ring_is_where_bliss_has_it(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, name: str, unit: str, found: bool
) -> None:
    run = producer(devices={"machine": {"mode": "uniform"}})
    run.run.create_log(ChannelSpec(name, unit=unit, role=ChannelRole.COUNTER)).append(np.array([199.5, 199.4]))
    run.run.running()
    with entry_of(buffer, dataset, run) as entry:
        assert ("current" in entry["instrument/machine"]) is found
        assert text(entry["instrument/machine/mode"]) == "uniform"
        if found:
            assert entry["instrument/machine/current"] == entry[f"instrument/{name}/data"]
            assert entry["instrument/machine/current"].attrs["units"] == unit


def test_positions_at_start_and_end_are_kept_and_a_moving_axis_is_its_data(
    buffer: Buffer, dataset: DatasetFolder, filled: Producer
) -> None:
    with entry_of(buffer, dataset, filled) as entry:
        instrument = entry["instrument"]
        assert instrument["positioners/rot"] == instrument["rot/value"]
        assert instrument["positioners/sz"][()] == 1.5
        assert instrument["positioners_start/rot"][()] == 0.0
        assert instrument["positioners_end/rot"][()] == 90.0
        assert instrument["positioners_start/sz"].attrs["units"] == "mm"
        assert instrument["rot/value"].attrs["units"] == "deg"


def test_the_default_plot_leads_from_the_root_to_the_signal(
    buffer: Buffer, dataset: DatasetFolder, filled: Producer
) -> None:
    with entry_of(buffer, dataset, filled) as entry:
        assert entry.attrs["default"] == "plotselect"
        plot = entry["plotselect"]
        assert (plot.attrs["signal"], list(plot.attrs["axes"])) == ("diode", ["rot"])
        np.testing.assert_array_equal(plot["diode"][()], np.arange(6) ** 0.5)


def test_a_complete_mesh_is_plotted_as_an_image_and_a_broken_one_as_points(
    buffer: Buffer, dataset: DatasetFolder, producer: Make
) -> None:
    for count in (6, 5):
        run = producer(
            axes=("slow", "fast"), shape=(2, 3), plots=(PlotHint(x="fast", y=("diode",)),), npoints=6, positioners={}
        )
        logs = [
            run.run.create_log(ChannelSpec(n, role=r))
            for n, r in (("slow", ChannelRole.AXIS), ("fast", ChannelRole.AXIS), ("diode", ChannelRole.COUNTER))
        ]
        run.run.running()
        for k in range(count):
            for log, value in zip(logs, (k // 3, k % 3, 10 * k), strict=True):
                log.append_one(value)
        run.stop()
        RunSaver(buffer, buffer.run(run.key), QUICK).save()
    with h5py.File(dataset.scan_file(1), "r") as file:
        plot = file["1.1/plotselect"]
        assert list(plot.attrs["axes"]) == ["slow", "fast"]
        np.testing.assert_array_equal(plot["diode"][()], [[0, 10, 20], [30, 40, 50]])
        np.testing.assert_array_equal(plot["slow"][()], [0, 1])
        np.testing.assert_array_equal(plot["fast"][()], [0, 1, 2])
    with h5py.File(dataset.scan_file(2), "r") as file:
        plot = file["2.1/plotselect"]
        assert list(plot.attrs["axes"]) == ["fast", "slow"]
        assert plot["diode"].shape == (5,)


def test_settings_of_devices_are_in_their_groups_with_units(
    buffer: Buffer, dataset: DatasetFolder, producer: Make
) -> None:
    run = producer(
        devices={
            "cam": {"gain": 2, "roi": {"x": 1}},
            "machine": {"@NX_class": "NXsource", "current": 199.5, "current@units": "mA", "name": "ESRF"},
        }
    )
    run.start()
    with entry_of(buffer, dataset, run) as entry:
        assert entry["instrument/cam/gain"][()] == 2
        assert entry["instrument/cam/roi/x"][()] == 1
        assert entry["instrument/cam/acq_parameters/acq_expo_time"][()] == 0.01
        assert entry["instrument/cam"].attrs["NX_class"] == "NXdetector"
        machine = entry["instrument/machine"]
        assert machine.attrs["NX_class"] == "NXsource"
        assert (machine["current"][()], machine["current"].attrs["units"]) == (199.5, "mA")


def test_titles_times_and_parameters_are_there(buffer: Buffer, dataset: DatasetFolder, filled: Producer) -> None:
    import datetime as dt

    with entry_of(buffer, dataset, filled) as entry:
        assert text(entry["title"]) == "ascan rot 0 90 180 0.01"
        start, end = (dt.datetime.fromisoformat(text(entry[n])) for n in ("start_time", "end_time"))
        assert start.tzinfo is not None
        assert dt.timedelta() <= end - start < dt.timedelta(minutes=5)
        assert entry["scan_parameters/count_time"].attrs["units"] == "s"
        assert entry["scan_parameters/stop"][()] == 90.0
        assert text(entry["sample/name"]) == "tooth"
        assert text(entry["sample/description"]) == "a tooth"
        assert entry["technique/image_key"][()] == 0
        assert text(entry["experiment_identifier"]) == "hc1234"


def test_the_end_time_is_written_last(
    buffer: Buffer, dataset: DatasetFolder, filled: Producer, monkeypatch: Any
) -> None:
    from firstlight.storage import _entry, _tree

    order: list[str] = []
    real = _tree.write_text

    def note(group: h5py.Group, name: str, words: str) -> h5py.Dataset:
        order.append(name)
        return real(group, name, words)

    monkeypatch.setattr(_entry, "write_text", note)
    with entry_of(buffer, dataset, filled):
        assert order[-1] == "end_time"


def test_metadata_can_not_take_the_place_of_what_is_ours(
    buffer: Buffer, dataset: DatasetFolder, producer: Make
) -> None:
    run = producer(metadata={"writer": {"status": "hacked"}, "title": "mine", "notes": {"a": 1}, "sample": "just text"})
    run.start()
    with entry_of(buffer, dataset, run) as entry:
        assert text(entry["writer/status"]) == "SUCCEEDED"
        assert text(entry["user_title"]) == "mine"
        assert text(entry["user_writer/status"]) == "hacked"
        assert entry["notes/a"][()] == 1


def test_names_that_look_alike_in_hdf5_get_places_of_their_own() -> None:
    places = Places(RunInfo(name="ct", title="ct", start_epoch=0.0, axes=("m.x",)))
    names = ["m.x", "m-x", "m_x", "m_x:a", "m-x:a", "positioners", "d:data", "d", "d:data_offsets"]
    specs = [ChannelSpec(n, kind=ChannelKind.RAGGED if n == "d" else ChannelKind.LOG) for n in names]
    found = [places.place(spec) for spec in specs]
    paths = [p.path for p in found]
    assert len(set(paths)) == len({p.link for p in found}) == len(names)
    assert found[0].positioner == "m_x"
    assert found[5].path == "instrument/positioners_device/data"


def test_the_tree_of_a_live_run_is_that_of_its_file(buffer: Buffer, dataset: DatasetFolder, filled: Producer) -> None:
    reader = buffer.run(filled.key)
    specs = [c.spec for c in reader.channels.values()]
    with entry_of(buffer, dataset, filled) as entry:
        content, paths = blueprint(reader.info, reader.key, specs, reader.end)
        with h5py.File(content, "r") as live:
            wanted: set[str] = set()
            entry.visit(wanted.add)
            there: set[str] = set()
            live["1.1"].visit(there.add)
            assert there == wanted
            for spec in specs:
                assert live["1.1"][paths[spec.name]].dtype == entry[paths[spec.name]].dtype


def test_a_run_that_is_not_saved_has_a_tree_too() -> None:
    content, paths = blueprint(describe(None), "key", [ChannelSpec("diode")])
    with h5py.File(content, "r") as file:
        assert file["1.1"][paths["diode"]].shape == (0,)


def test_what_is_counted_in_a_region_stands_in_a_group_with_its_selection() -> None:
    selection = {"kind": "rectangle", "x": 1, "y": 2, "width": 3, "height": 4}
    specs = [
        ChannelSpec(f"cam:spot_{part}", source="cam", info={"region": "spot", "part": part, "selection": selection})
        for part in ("sum", "mean")
    ]
    specs.append(ChannelSpec("mca:Fe_ka", "<i8", info={"region": "Fe_ka", "selection": {"low": 3, "high": 5}}))
    specs.append(ChannelSpec("cam", "<u2", (2, 2), source="cam", role=ChannelRole.FRAME, kind=ChannelKind.RING))
    image, paths = blueprint(RunInfo(name="ct", title="ct 1", start_epoch=1.0), "key", specs)
    assert paths["cam:spot_sum"] == "instrument/cam_spot/sum"
    assert paths["mca:Fe_ka"] == "instrument/mca_Fe_ka/data"
    assert paths["cam"] == "instrument/cam/data"
    with h5py.File(image, "r") as file:
        entry = file["1.1"]
        assert entry["instrument/cam_spot"].attrs["NX_class"] == "NXdetector"
        assert {name: entry[f"instrument/cam_spot/selection/{name}"][()] for name in ("x", "y", "width", "height")} == {
            "x": 1, "y": 2, "width": 3, "height": 4,
        }  # fmt: skip
        assert entry["instrument/mca_Fe_ka/selection/low"][()] == 3
        assert entry.get("measurement/cam_spot_sum", getlink=True).path == "/1.1/instrument/cam_spot/sum"
        assert "measurement/mca_Fe_ka" in entry
