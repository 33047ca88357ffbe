"""Data over HTTP: the same for a run that is live, being saved, and in its file; and nothing but what may be read."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

import firstlight
from firstlight.data import Run
from firstlight.model import FirstlightError, NotFound
from firstlight.session import Session
from firstlight.web._payload import unpack
from firstlight.web._runs import Runs, file_id
from tests.web.conftest import Site, Socket, talk


@pytest.fixture(scope="module")
def scan(beamline: Session) -> Run:
    beamline.fshut.open()
    run: Run = beamline.ascan("sx", -0.6, 0.6, 40, 0.005, "diode", "ring", "cam")
    return run


@pytest.fixture(scope="module")
def mesh(beamline: Session) -> Run:
    run: Run = beamline.amesh("sx", -0.4, 0.4, 4, "sz", 0.0, 1.0, 2, 0.002, "diode")
    return run


@pytest.fixture
def client(site: Site, beamline: Session, wait_for: Callable[..., None]) -> httpx.Client:
    viewer = site.viewer()
    wait_for(lambda: viewer.get("api/status").json()["sessions"], 20.0)
    return viewer


def payload(client: httpx.Client, path: str, **query: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    from firstlight.web._payload import unpack

    answer = client.get(f"api/runs/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return unpack(answer.content)


def saved(run: Run) -> str:
    """The id of the same run as one that was never in a buffer here: in its file."""
    assert run.path is not None
    return file_id(run.path, f"{run.number}.1")


@pytest.fixture(params=["buffer", "file"])
def where(request: pytest.FixtureRequest) -> Callable[[Run], str]:
    return saved if request.param == "file" else lambda run: run.key


def test_a_run_tells_what_a_page_needs(client: httpx.Client, scan: Run, where: Callable[[Run], str]) -> None:
    found = client.get(f"api/runs/{where(scan)}").json()
    assert found["title"] == "ascan sx -0.6 0.6 40 0.005 diode ring cam"
    assert (found["state"], found["end"]["reason"]) == ("CLOSED", "SUCCESS")
    assert (found["npoints"], found["total"], found["number"]) == (41, 41, scan.number)
    assert (found["proposal"], found["sample"], found["dataset"]) == ("hc1234", "tooth", "pages")
    assert found["axes"] == ["sx"]
    assert found["plots"][0]["x"] == "sx"
    roles = {name: channel["role"] for name, channel in found["channels"].items()}
    assert (roles["sx"], roles["diode"], roles["cam"]) == ("axis", "counter", "frame")
    assert found["channels"]["cam"]["shape"] == [48, 64]
    assert found["channels"]["diode"]["count"] == 41


def test_curves_are_the_values(client: httpx.Client, scan: Run, where: Callable[[Run], str]) -> None:
    header, arrays = payload(client, f"{where(scan)}/curve", x="sx", y="diode,ring")
    assert not header["reduced"]
    assert header["x"] == {"name": "sx", "unit": "mm", "kind": "number"}
    np.testing.assert_array_equal(arrays["x"], scan["sx"][:])
    np.testing.assert_array_equal(arrays["y0"], scan["diode"][:])
    np.testing.assert_array_equal(arrays["y1"], scan["ring"][:])
    _, normed = payload(client, f"{where(scan)}/curve", x="sx", y="diode", norm="ring")
    np.testing.assert_allclose(normed["y0"], scan["diode"][:] / scan["ring"][:])
    _, slope = payload(client, f"{where(scan)}/curve", x="sx", y="diode", derivative="true")
    np.testing.assert_allclose(slope["y0"], np.gradient(scan["diode"][:].astype(float), scan["sx"][:]))
    few, thin = payload(client, f"{where(scan)}/curve", x="sx", y="diode", px=8)
    assert few["reduced"]
    assert thin["y0"].max() == scan["diode"][:].max()
    part, seen = payload(client, f"{where(scan)}/curve", x="sx", y="diode", view="-0.1,0.1")
    assert part["view"] == [-0.1, 0.1]
    assert 5 < len(seen["x"]) < 12
    assert seen["x"].min() < -0.1 < 0.1 < seen["x"].max()


def test_frames_are_true_values_binned_to_the_view(
    client: httpx.Client, scan: Run, where: Callable[[Run], str]
) -> None:
    true = scan["cam"][7]
    header, arrays = payload(client, f"{where(scan)}/frame/cam/7")
    np.testing.assert_array_equal(arrays["image"], true)
    assert (header["index"], header["count"], header["full"], header["reduced"]) == (7, 41, [48, 64], False)
    assert header["quantiles"]["1"] == true[true < 65535].max()
    half, binned = payload(client, f"{where(scan)}/frame/cam/7", px="32,24")
    assert half["bin"] == [2, 2]
    np.testing.assert_array_equal(binned["image"], true.reshape(24, 2, 32, 2).max(axis=(1, 3)))
    _, mean = payload(client, f"{where(scan)}/frame/cam/7", px="32,24", reduce="mean")
    np.testing.assert_allclose(mean["image"], true.reshape(24, 2, 32, 2).mean(axis=(1, 3)), rtol=1e-6)
    part, zoomed = payload(client, f"{where(scan)}/frame/cam/7", view="10.2,5.9,20.1,9")
    assert part["view"] == [10, 5, 21, 9]
    np.testing.assert_array_equal(zoomed["image"], true[5:9, 10:21])
    newest, last = payload(client, f"{where(scan)}/frame/cam/-1")
    assert newest["index"] == 40
    np.testing.assert_array_equal(last["image"], scan["cam"][40])
    _, grey = payload(client, f"{where(scan)}/frame/cam/7", type="u8", low=0, high=65535)
    assert grey["image"].dtype == np.uint8
    _, picture = payload(client, f"{where(scan)}/frame/cam/7", type="jpeg")
    assert picture["jpeg"][:2].tobytes() == b"\xff\xd8"


def test_a_frame_that_was_kept_is_not_sent_again(client: httpx.Client, scan: Run, where: Callable[[Run], str]) -> None:
    first = client.get(f"api/runs/{where(scan)}/frame/cam/3")
    # A run's key is never another's; a file may be replaced, so that the browser asks whether it was.
    kept = "immutable" if where(scan) == scan.key else "no-cache"
    assert kept in first.headers["cache-control"]
    again = client.get(f"api/runs/{where(scan)}/frame/cam/3", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    other = client.get(f"api/runs/{where(scan)}/frame/cam/4", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    for path in ("frame/cam/-1", "frame/cam/400", "curve?y=diode"):
        assert client.get(f"api/runs/{where(scan)}/{path}").headers["cache-control"] == "no-store"


def test_a_frame_of_a_live_run_is_the_same_by_the_same_address_and_kept(
    site: Site, client: httpx.Client, beamline: Session
) -> None:
    async def story(page: Socket) -> None:
        await page.until(lambda: page.of("session"))
        job = beamline.engine.launch(beamline.loopscan.scan(200, 0.05, "cam"))
        await page.until(lambda: any(e["run"]["title"].startswith("loopscan 200") for e in page.of("run")))
        run = next(e["run"] for e in page.of("run") if e["run"]["title"].startswith("loopscan 200"))
        await page.say(op="sub", sub=1, what="frame", run=run["id"], channel="cam", rate=50)
        await page.until(lambda: page.of("frame"))
        index = page.of("frame")[0]["index"]
        path = f"api/runs/{run['id']}/frame/cam/{index}"
        live = await asyncio.to_thread(client.get, path)
        described = await asyncio.to_thread(client.get, f"api/runs/{run['id']}")
        assert described.json()["state"] == "RUNNING"
        assert "immutable" in live.headers["cache-control"]
        job.abort()
        with suppress(FirstlightError):
            await asyncio.to_thread(job.result)
        later = await asyncio.to_thread(client.get, path)
        (_, seen), (_, kept) = unpack(live.content), unpack(later.content)
        np.testing.assert_array_equal(seen["image"], kept["image"])

    talk(site, story, site.view)


def test_maps_are_upright(client: httpx.Client, mesh: Run, where: Callable[[Run], str]) -> None:
    header, arrays = payload(client, f"{where(mesh)}/map", z="diode")
    assert header["regular"]
    np.testing.assert_array_equal(arrays["image"], mesh["diode"][:].astype(np.float32).reshape(3, 5))
    assert (header["x"]["name"], header["x"]["start"], header["x"]["stop"]) == ("sx", -0.4, 0.4)
    assert (header["y"]["name"], header["y"]["start"], header["y"]["stop"]) == ("sz", 0.0, 1.0)
    turned, other = payload(client, f"{where(mesh)}/map", z="diode", x="sz", y="sx")
    assert turned["regular"]
    np.testing.assert_array_equal(other["image"], arrays["image"].T)
    points, cloud = payload(client, f"{where(mesh)}/map", z="diode", x="elapsed_time", y="sx")
    assert not points["regular"]
    np.testing.assert_allclose(cloud["y"], mesh["sx"][:], rtol=1e-6)
    np.testing.assert_allclose(cloud["z"], mesh["diode"][:], rtol=1e-6)


def test_regions_and_profiles_are_of_all_pixels(client: httpx.Client, scan: Run, where: Callable[[Run], str]) -> None:
    true = scan["cam"][7].astype(float)
    found = client.get(
        f"api/runs/{where(scan)}/roi/cam/7", params={"kind": "rectangle", "x": 5, "y": 6, "width": 7, "height": 8}
    ).json()
    part = true[6:14, 5:12]
    assert (found["sum"], found["max"], found["min"]) == (part.sum(), part.max(), part.min())
    assert found["mean"] == pytest.approx(part.mean())
    assert found["std"] == pytest.approx(part.std())
    ring = client.get(
        f"api/runs/{where(scan)}/roi/cam/7",
        params={"kind": "arc", "cx": 30, "cy": 20, "r1": 3, "r2": 8, "a1": 0, "a2": 360},
    ).json()
    y, x = np.mgrid[:48, :64]
    inside = (np.hypot(x - 30, y - 20) >= 3) & (np.hypot(x - 30, y - 20) < 8)
    assert (ring["sum"], ring["count"]) == (true[inside].sum(), inside.sum())
    _, line = payload(client, f"{where(scan)}/profile/cam/7", x0=0, y0=10, x1=63, y1=10, width=3)
    np.testing.assert_allclose(line["value"], true[9:12].mean(axis=0))
    np.testing.assert_allclose(line["distance"], np.arange(64))


def test_features_say_what_the_shell_says(client: httpx.Client, scan: Run, where: Callable[[Run], str]) -> None:
    for kind in ("cen", "com", "peak", "fwhm"):
        found = client.get(f"api/runs/{where(scan)}/features", params={"x": "sx", "y": "diode", "kind": kind}).json()
        assert found["x"] == pytest.approx(float(getattr(scan, kind)("diode")))
        assert found["unit"] == "mm"
    flat = client.get(f"api/runs/{where(scan)}/features", params={"x": "sx", "y": "ring", "kind": "fwhm"})
    assert flat.status_code == 404
    assert flat.json()["error"]["kind"] == "NoPeak"


def test_the_list_has_each_run_once_newest_first(client: httpx.Client, scan: Run, mesh: Run) -> None:
    runs = client.get("api/runs").json()["runs"]
    ids = [run["id"] for run in runs]
    assert len(ids) == len(set(ids))
    assert ids.index(mesh.key) < ids.index(scan.key)
    assert [run["start"] for run in runs] == sorted((run["start"] for run in runs), reverse=True)
    (found,) = client.get("api/runs", params={"text": "ascan"}).json()["runs"]
    assert found["id"] == scan.key
    page = client.get("api/runs", params={"limit": 1}).json()
    assert (len(page["runs"]), page["more"]) == (1, True)
    rest = client.get("api/runs", params={"before": page["runs"][0]["start"]}).json()
    assert page["runs"][0]["id"] not in [run["id"] for run in rest["runs"]]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nothing", 404),
        ("{run}/frame/diode/0", 404),
        ("{run}/frame/cam/41", 404),
        ("{run}/frame/cam/-2", 422),
        ("{run}/frame/cam/x", 422),
        ("{run}/frame/cam/0?view=1,2,3", 422),
        ("{run}/frame/cam/0?view=5,5,5,5", 422),
        ("{run}/frame/cam/0?view=a,b,c,d", 422),
        ("{run}/frame/cam/0?px=0,0", 422),
        ("{run}/frame/cam/0?px=99999,1", 422),
        ("{run}/frame/cam/0?low=nan", 422),
        ("{run}/curve?y=cam", 404),
        ("{run}/curve?y=", 422),
        ("{run}/curve?y=diod", 404),
        ("{run}/curve?y=diode&view=2,1", 422),
        ("{run}/curve?y=diode&px=0", 422),
        ("{run}/map?z=diode", 404),
        ("{run}/roi/cam/0?x=1", 422),
        ("{run}/roi/cam/0?x=1&y=1&width=1000&height=2", 422),
        ("{run}/roi/cam/0?x=inf&y=1&width=1&height=2", 422),
        ("{run}/roi/diode/0?x=1&y=1&width=1&height=2", 404),
        ("{run}/profile/cam/0?x0=0&y0=0&x1=1e9&y1=0", 422),
        ("{run}/values/cam", 422),
        ("{run}/features?y=diode&kind=middle", 422),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(client: httpx.Client, scan: Run, path: str, status: int) -> None:
    answer = client.get("api/runs/" + path.replace("{run}", scan.key))
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["what"].endswith(".")
    assert "Traceback" not in answer.text


def test_nothing_outside_the_data_folders_is_read(
    client: httpx.Client, scan: Run, tmp_path: Path, beamline: Session
) -> None:
    assert scan.path is not None
    outside = tmp_path / "copy.h5"
    outside.write_bytes(scan.path.read_bytes())
    link = beamline.data / "link.h5"
    link.symlink_to(outside)
    dotted = scan.path.parent / ".." / ".." / ".." / ".." / ".." / ".." / ".." / ".." / ".." / str(outside).lstrip("/")
    texts = [f"{p}#1.1" for p in (outside, link, dotted, "/etc/passwd", "/dev/zero", beamline.data)]
    ids = ["f~" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in texts]
    for identity in (*ids, "f~", "f~!!", "f~AA", "f~" + "A" * 3000):
        answer = client.get(f"api/runs/{identity}")
        assert answer.status_code == 404, identity
        assert "root:" not in answer.text
    link.unlink()


def _copy(scan: Run, name: str, folder: Path) -> Path:
    """A run's file as somebody may have put it among the data."""
    assert scan.path is not None
    file = folder / name
    file.write_bytes(scan.path.read_bytes())
    return file


def _bytes_of(secret: Path, file: Path, scan: Run) -> None:
    """Let the diode's values be those of any file."""
    with h5py.File(file, "r+") as h5:
        name = f"{scan.number}.1/instrument/diode/data"
        kept = dict(h5[name].attrs)
        del h5[name]
        count = secret.stat().st_size // 8
        made = h5.create_dataset(name, (count,), "f8", external=[(str(secret), 0, 8 * count)])
        made.attrs.update(kept)


@pytest.mark.parametrize("way", ["link", "entry", "bytes"])
def test_no_file_of_a_run_leads_out_of_the_data_folders(
    client: httpx.Client, scan: Run, tmp_path: Path, beamline: Session, way: str
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"nobody may read this here" * 20)
    elsewhere = _copy(scan, "elsewhere.h5", tmp_path)
    file = _copy(scan, "planted.h5", beamline.data)
    entry = f"{scan.number}.1"
    try:
        identity = file_id(file, entry)
        if way == "bytes":
            _bytes_of(secret, file, scan)
        else:
            name = entry if way == "entry" else f"{entry}/instrument/diode/data"
            with h5py.File(file, "r+") as h5:
                del h5[name]
                h5[name] = h5py.ExternalLink(str(elsewhere), f"/{name}")
        for path in ("", "/values/diode", "/curve?y=diode", "/frame/cam/0", "/features?y=diode&kind=peak"):
            answer = client.get(f"api/runs/{identity}{path}")
            assert answer.status_code == 404, path
            assert b"nobody" not in answer.content
        assert "--data" in answer.json()["error"]["hint"]
    finally:
        file.unlink()


def test_a_file_that_is_changed_while_it_is_looked_at_leads_nowhere_else(
    scan: Run, tmp_path: Path, beamline: Session
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"nobody may read this here" * 20)
    file = _copy(scan, "changed.h5", beamline.data)
    runs = Runs(tmp_path / "no buffer", lambda: [beamline.data], again=0.0)
    try:
        identity = file_id(file, f"{scan.number}.1")
        run = runs.open(identity)
        assert runs.open(identity) is run
        np.testing.assert_array_equal(run["diode"][:], scan["diode"][:])
        with h5py.File(file, "r+") as h5:
            h5[f"{scan.number}.1/note"] = "an honest change"
        assert runs.open(identity) is run
        _bytes_of(secret, file, scan)
        with pytest.raises(NotFound, match="outside the folders"):
            runs.open(identity)
    finally:
        file.unlink()
        runs.close()


def test_a_file_that_is_gone_is_not_replaced_by_another(scan: Run, tmp_path: Path, beamline: Session) -> None:
    file = _copy(scan, "gone.h5", beamline.data)
    runs = Runs(tmp_path / "no buffer", lambda: [beamline.data])
    try:
        identity = file_id(file, f"{scan.number}.1")
        runs.open(identity)
        file.unlink()
        # Without waiting until all files are looked at again.
        with pytest.raises(NotFound):
            runs.open(identity)
    finally:
        runs.close()


def test_a_file_that_says_it_belongs_elsewhere_is_not_looked_for_there(
    client: httpx.Client, scan: Run, tmp_path: Path, beamline: Session
) -> None:
    file = _copy(scan, "lost.h5", beamline.data)
    _copy(scan, "elsewhere.h5", tmp_path)
    try:
        with h5py.File(file, "r+") as h5:
            (where,) = [name for name in _names(h5) if name.startswith(f"{scan.number}.1/") and name.endswith("/info")]
            told = scan.info.model_dump(mode="json")
            told["saving"] |= {"file": str(file), "dataset_file": str(tmp_path / "elsewhere.h5")}
            del h5[where]
            h5[where] = json.dumps(told)
        answer = client.get(f"api/runs/{file_id(file, f'{scan.number}.1')}")
        assert answer.status_code == 404
        assert answer.json()["error"]["hint"] == "The folder of its dataset is not served here."
    finally:
        file.unlink()


def _names(h5: Any) -> list[str]:
    found: list[str] = []
    h5.visit(found.append)
    return found


def test_paths_of_any_length_are_ids(client: httpx.Client, scan: Run, beamline: Session) -> None:
    assert scan.path is not None
    for length in range(1, 9):
        link = beamline.data / ("x" * length + ".h5")
        link.symlink_to(scan.path)
        answer = client.get(f"api/runs/{file_id(link, f'{scan.number}.1')}")
        assert answer.json()["title"] == scan.title
        link.unlink()


def test_values_are_plain(client: httpx.Client, scan: Run) -> None:
    header, arrays = payload(client, f"{scan.key}/values/diode", start=5, stop=9)
    assert header["count"] == 41
    np.testing.assert_array_equal(arrays["values"], scan["diode"][5:9])


def test_a_page_follows_a_scan_and_misses_none_of_its_points(
    site: Site, client: httpx.Client, beamline: Session
) -> None:
    async def story(page: Socket) -> None:
        await page.until(lambda: page.of("session"))
        job = beamline.engine.launch(beamline.loopscan.scan(30, 0.02, "diode", "cam"))
        await page.until(lambda: any(e["run"]["title"].startswith("loopscan 30") for e in page.of("run")))
        run = next(e["run"] for e in page.of("run") if e["run"]["title"].startswith("loopscan 30"))
        await page.say(op="sub", sub=1, what="curve", run=run["id"], x="elapsed_time", y=["diode"])
        await page.say(op="sub", sub=2, what="frame", run=run["id"], channel="cam", rate=50)
        await page.until(lambda: any(header["sealed"] for header, _ in page.payloads))
        await page.until(lambda: any(e["index"] == 29 for e in page.of("frame")))
        header, arrays = page.payloads[-1]
        assert (header["sub"], header["count"], len(arrays["x"])) == (1, 30, 30)
        counts = [header["count"] for header, _ in page.payloads]
        assert counts == sorted(counts)
        assert len(counts) > 3
        await page.until(lambda: any(e["point"] for e in page.of("progress")))
        outcome = await asyncio.to_thread(job.result)
        stored = beamline.open(outcome)
        np.testing.assert_array_equal(arrays["y0"], stored["diode"][:])

    talk(site, story, site.view)


def test_a_viewer_that_does_not_draw_gets_no_more_and_loses_only_what_is_told(
    site: Site, client: httpx.Client, beamline: Session
) -> None:
    async def story(page: Socket) -> None:
        page.acknowledge = False
        await page.until(lambda: page.of("session"))
        job = beamline.engine.launch(beamline.loopscan.scan(40, 0.01, "cam"))
        await page.until(lambda: any(e["run"]["title"].startswith("loopscan 40") for e in page.of("run")))
        run = next(e["run"] for e in page.of("run") if e["run"]["title"].startswith("loopscan 40"))
        await page.say(op="sub", sub=1, what="frame", run=run["id"], channel="cam", rate=60)
        await page.until(lambda: len(page.of("frame")) == 2)
        await asyncio.to_thread(job.result)
        await page.until(lambda: len(page.of("beat")) >= 2)
        assert len(page.of("frame")) == 2
        await page.say(op="ack", sub=1, seq=2)
        await page.until(lambda: len(page.of("frame")) == 3)
        last = page.of("frame")[-1]
        assert last["index"] == 39
        first, second = page.of("frame")[0]["index"], page.of("frame")[1]["index"]
        assert last["lost"] == (second - first - 1) + (39 - second - 1)

    talk(site, story, site.view)
    newest = beamline.last
    assert newest is not None
    assert len(newest["cam"].missing(0, 40)) == 0


@pytest.mark.parametrize(
    "message",
    [
        "nonsense",
        "[]",
        '{"op": 3}',
        '{"op": "dance"}',
        '{"op": "sub"}',
        '{"op": "sub", "sub": 1}',
        '{"op": "sub", "sub": 1, "what": "curve", "run": "nothing", "y": ["a"]}',
        '{"op": "sub", "sub": 1, "what": "curve", "run": "x", "y": [], "px": -1}',
        '{"op": "sub", "sub": true, "what": "map", "run": "x", "z": "a"}',
        '{"op": "ack", "sub": 1, "seq": "x"}',
    ],
)
def test_wrong_messages_are_answered_and_the_connection_goes_on(site: Site, message: str) -> None:
    async def story(page: Socket) -> None:
        await page.connection.send(message)
        await page.until(lambda: page.of("error"))
        assert page.of("error")[0]["what"]
        beats = len(page.of("beat"))
        await page.until(lambda: len(page.of("beat")) > beats)

    talk(site, story, site.view)


def test_our_reader_opens_what_the_page_names(client: httpx.Client, scan: Run) -> None:
    path = client.get(f"api/runs/{scan.key}").json()["path"]
    with firstlight.open(path) as run:
        np.testing.assert_array_equal(run["diode"][:], scan["diode"][:])
