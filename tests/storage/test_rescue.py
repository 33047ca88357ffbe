"""Runs that are in files and journals only, as after a power cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import Conflict, EndReason, NotFound
from firstlight.storage import DatasetFolder, list_entries, open_scan, recover, rescue, unfinished
from tests.storage.conftest import QUICK, Producer, frame, saving

Make = Callable[..., Producer]


@pytest.fixture(params=["none", "bitshuffle-lz4"])
def cut(
    buffer: Buffer,
    dataset: DatasetFolder,
    producer: Make,
    request: pytest.FixtureRequest,
    wait_for: Callable[..., None],
) -> Producer:
    """A run of which 30 items are on the disk; what is in the buffer is not looked at."""
    run = producer(dataset.saving(frames_per_file=20, compression=request.param))
    run.start()
    with saving(buffer):
        run.produce(30)

        def there() -> bool:
            if not dataset.scan_file(1).exists():
                return False
            with open_scan(dataset.scan_file(1)) as scan:
                return len(scan.channels) == 7 and all(c.count == 30 for c in scan.channels.values())

        wait_for(there)
    return run


def test_what_had_reached_the_disk_is_put_together(dataset: DatasetFolder, cut: Producer) -> None:
    assert unfinished(dataset.experiment.raw) == [dataset.scan_folder(1)]
    result = rescue(dataset.scan_folder(1))

    assert set(result.counts.values()) == {30}
    with open_scan(dataset.scan_file(1)) as scan:
        cut.check(scan)
        assert scan.end is not None
        assert scan.end.reason is EndReason.LOST
        assert scan.info.title == "ascan rot 0 90 180 0.01"
    assert list_entries(dataset.experiment.master) == ["tooth_one_1.1"]
    assert unfinished(dataset.experiment.raw) == []
    assert not [p for p in dataset.scan_folder(1).iterdir() if p.suffix == ".journal" or p.name.startswith(".")]


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_frames_are_rescued_without_the_file_of_their_run(dataset: DatasetFolder, cut: Producer, damage: str) -> None:
    if damage == "missing":
        dataset.scan_file(1).unlink()
    else:
        dataset.scan_file(1).write_bytes(b"\0" * 10_000)
    assert rescue(dataset.scan_folder(1)).counts == {"cam": 30}
    with open_scan(dataset.scan_file(1)) as scan:
        frames = scan.channels["cam"].read(0, 30)
        assert "its description is lost" in scan.info.title
        assert scan.info.saving is None
    for k in range(30):
        np.testing.assert_array_equal(frames[k], frame(k))


def test_rescuing_again_changes_nothing(dataset: DatasetFolder, cut: Producer) -> None:
    rescue(dataset.scan_folder(1))
    before = dataset.scan_file(1).stat().st_ino
    assert rescue(dataset.scan_folder(1)).counts["diode"] == 30
    assert dataset.scan_file(1).stat().st_ino == before


def test_a_rescue_that_came_too_early_takes_nothing_from_the_buffer(
    buffer: Buffer, dataset: DatasetFolder, cut: Producer
) -> None:
    rescue(dataset.scan_folder(1))
    cut.produce(10)
    cut.stop()
    assert [r.outcome for r in recover(buffer, QUICK)] == ["saved"]
    with open_scan(dataset.scan_file(1)) as scan:
        cut.check(scan)
        assert scan.end is not None
        assert scan.end.reason is EndReason.SUCCESS


def test_a_run_that_is_being_written_is_left_alone(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, wait_for: Callable[..., None]
) -> None:
    with saving(buffer):
        run = producer()
        run.start()
        run.produce(3)
        wait_for(dataset.scan_file(1).exists)
        with pytest.raises(Conflict, match="is being written"):
            rescue(dataset.scan_folder(1))
        run.stop()


def test_an_empty_folder_holds_nothing_to_rescue(dataset: DatasetFolder) -> None:
    dataset.reserve()
    with pytest.raises(NotFound, match="holds nothing of a run"):
        rescue(dataset.scan_folder(1))
    assert unfinished(dataset.folder) == []
