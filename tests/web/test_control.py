"""What pages do to a session: refused to observers, one at a time, through the gate, and noted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from firstlight.model import RunAborted
from firstlight.session import Session, session_address
from firstlight.storage import state_folder
from firstlight.wire import Client, Role
from tests.web.conftest import Site, Socket, talk


@pytest.fixture
def session(beamline: Session, site: Site, wait_for: Callable[..., None]) -> Session:
    """The beamline, known to the server."""
    client = site.viewer()
    wait_for(lambda: client.get("api/status").json()["sessions"], 20.0)
    return beamline


@pytest.fixture(autouse=True)
def free(site: Site, session: Session) -> Any:
    yield
    # Whoever has control lets go of it, so that the next test finds it free.
    for client in site.clients:
        if client.cookies:
            client.post("api/lease", json={"action": "release"})


def act(client: httpx.Client, path: str, **body: Any) -> Any:
    answer = client.post(f"api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: httpx.Client, path: str, **body: Any) -> tuple[int, str]:
    answer = client.post(f"api/{path}", json=body)
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json()["error"]["what"]


def test_an_observer_sees_all_and_moves_nothing(site: Site, session: Session) -> None:
    viewer = site.viewer()
    before = session["rot"].position
    status = viewer.get("api/status").json()
    (seen,) = [one for one in status["sessions"] if one["alive"]]
    assert seen["name"] == session.name
    assert seen["axes"]["rot"]["unit"] == "deg"
    assert seen["proposal"] == "hc1234"
    assert seen["beam"]["unit"] == "mA"
    assert seen["shutters"] == [{"name": "fshut", "state": "closed"}]
    region = {"kind": "rectangle", "x": 0, "y": 0, "width": 2, "height": 2}
    for path, body in (
        ("move", {"targets": {"rot": 5.0}}),
        ("rois", {"camera": "cam", "rois": {"a": region}}),
        ("lease", {"action": "take"}),
    ):
        code, what = refused(viewer, path, **body)
        assert (code, what) == (403, "You may look, but not operate.")
    assert session["rot"].position == before
    assert dict(session["cam"].rois) == {}


def test_a_move_goes_through_the_gate(site: Site, session: Session, wait_for: Callable[..., None]) -> None:
    client = site.operator()
    told = act(client, "move", targets={"rot": 3.5})
    assert told["command"] == "umv rot 3.5"
    wait_for(lambda: session["rot"].position == pytest.approx(3.5) and not session["rot"].moving)
    act(client, "move", targets={"rot": -1.5}, relative=True)
    wait_for(lambda: session["rot"].position == pytest.approx(2.0) and not session["rot"].moving)
    code, what = refused(client, "move", targets={"rot": 1e6})
    assert code == 409
    assert what == "rot: cannot go to 1e+06 deg: its limits are -190 to 550 deg."
    code, what = refused(client, "move", targets={"rott": 1.0})
    assert code == 404
    assert "rott" in what
    assert session["rot"].position == pytest.approx(2.0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"targets": {}},
        {"targets": {"rot": "x"}},
        {"targets": {"rot": None}},
        {"targets": 3},
        {"targets": {"rot": 1}, "more": 1},
        {"targets": {"a" * 200: 1}},
        {"session": 5, "targets": {"rot": 1}},
    ],
)
def test_what_is_no_move_is_refused_in_words(site: Site, body: dict[str, Any]) -> None:
    code, what = refused(site.operator(), "move", **body)
    assert code == 422
    assert what.endswith(".")


def test_a_session_that_is_not_there_is_named(site: Site) -> None:
    code, what = refused(site.operator(), "move", session="id99", targets={"rot": 1.0})
    assert (code, what) == (404, "Session id99 does not run.")


def test_one_person_operates_at_a_time(site: Site, session: Session) -> None:
    anna, boris = site.operator(), site.operator()
    lease = act(anna, "lease", action="take", name="Anna")
    assert lease["mine"]
    assert anna.get("api/me").json()["name"] == "Anna"
    code, what = refused(boris, "move", targets={"rot": 1.0})
    assert (code, what) == (409, "Anna has control.")
    assert act(boris, "lease", action="request", name="Boris")["requests"][0]["name"] == "Boris"
    assert act(anna, "lease", action="grant") == {**boris.get("api/me").json()["lease"], "mine": False}
    code, what = refused(anna, "move", targets={"rot": 1.0})
    assert what == "Boris has control."


def test_everybody_may_stop(site: Site, session: Session, wait_for: Callable[..., None]) -> None:
    operator, viewer = site.operator(), site.viewer()
    act(operator, "move", targets={"sz": 4.0})
    # The page no longer waits for the end, and the move goes on.
    wait_for(lambda: session["sz"].position > 1.5)
    assert session["sz"].moving
    act(viewer, "stop")
    wait_for(lambda: not session["sz"].moving)
    assert session["sz"].position < 4.0


def test_a_stop_is_one_request_and_leaves_time_to_clean_up(site: Site, session: Session) -> None:
    job = session.engine.launch(session.loopscan.scan(10_000, 0.01, "diode"))
    act(site.viewer(), "stop")
    assert isinstance(job.result(30.0).error, RunAborted)
    # Asked for twice, it makes haste.
    assert job.interrupt.times == 1


def test_acts_at_once_share_one_connection(site: Site, session: Session) -> None:
    viewer = site.viewer()
    name = f"page of {viewer.get('api/me').json()['name']}"

    async def hurry() -> list[int]:
        async with httpx.AsyncClient(
            base_url=site.base, cookies=dict(viewer.cookies), headers=viewer.headers, timeout=30.0
        ) as many:
            return [a.status_code for a in await asyncio.gather(*(many.post("api/abort", json={}) for _ in range(6)))]

    assert asyncio.run(hurry()) == [200] * 6
    with Client(session_address(session.name, session.buffer.root), role=Role.VIEW) as looking:
        labels = [client.label for client in looking.call("status").clients]
    assert labels.count(name) == 1


def test_a_region_becomes_a_counter_of_the_next_scan(site: Site, session: Session) -> None:
    client = site.operator()
    region: dict[str, str | int] = {"kind": "rectangle", "x": 3, "y": 4, "width": 10, "height": 6}
    told = act(client, "rois", camera="cam", rois={"spot": region})
    assert told["command"] == "cam.rois['spot'] = [3, 4, 10, 6]"
    run = session.loopscan(2, 0.01, "cam")
    frame = run["cam"][1]
    assert run["cam:spot_sum"][1] == frame[4:10, 3:13].sum()
    answer = client.get(f"api/runs/{run.key}/roi/cam/1", params=region).json()
    assert answer["sum"] == int(frame[4:10, 3:13].sum())
    assert answer["max"] == int(frame[4:10, 3:13].max())
    code, what = refused(client, "rois", camera="cam", rois={"far": {**region, "x": 5000}})
    assert code == 422
    assert "leave the frame" in what
    code, _ = refused(client, "rois", camera="cam", rois={"none": None})
    assert code == 404
    code, what = refused(client, "rois", camera="diode", rois={"a": region})
    assert (code, what) == (422, "diode has no regions.")
    assert act(client, "rois", camera="cam", rois={"spot": None})["rois"] == {}
    assert "cam:spot_sum" not in session.loopscan(1, 0.01, "cam")


def test_every_act_is_noted_with_who_and_how_it_ended(site: Site, session: Session) -> None:
    client, other = site.operator(), site.operator()
    act(client, "lease", action="take", name="Carla")
    refused(client, "move", targets={"rot": 1e6})
    act(client, "stop")
    refused(other, "move", targets={"rot": 1.0})
    *lines, last = [json.loads(line) for line in (state_folder() / "audit.jsonl").read_text().splitlines()][-4:]
    assert [(line["user"], line["role"], line["what"]) for line in lines] == [
        ("Carla", "operate", "lease take"),
        ("Carla", "operate", "move"),
        ("Carla", "operate", "stop"),
    ]
    assert lines[1]["detail"]["targets"] == {"rot": 1e6}
    assert lines[1]["outcome"].startswith("refused (409): rot: cannot go to")
    assert lines[2]["outcome"] == "done"
    assert (last["what"], last["outcome"]) == ("move", "refused (409): Carla has control.")
    assert lines[0]["address"].startswith("127.0.0.1:")


def test_the_console_tells_what_was_done_and_what_went_wrong(site: Site, session: Session) -> None:
    async def story(page: Socket) -> None:
        await page.until(lambda: page.of("log"))
        site_client = site.operator()
        refused(site_client, "move", targets={"rot": 1e6})

        def lines() -> list[dict[str, Any]]:
            return [line for event in page.of("log") for line in event["lines"]]

        await page.until(lambda: any(line["level"] == "error" for line in lines()))
        command = [line for line in lines() if line["level"] == "command" and "1e+06" in line["text"]][-1]
        assert command["name"].startswith("page of")

    talk(site, story)


def test_pages_see_axes_move_and_control_change_hands(site: Site, session: Session) -> None:
    async def story(page: Socket) -> None:
        await page.until(lambda: page.of("session"))
        client = site.operator()
        act(client, "lease", action="take", name="Dora")
        act(client, "move", targets={"rot": 30.0})
        await page.until(
            lambda: any(e["axes"].get("rot", {}).get("position") == pytest.approx(30.0) for e in page.of("axes"))
        )
        assert any(e["axes"].get("rot", {}).get("moving") for e in page.of("axes"))
        assert any(e["lease"] and e["lease"]["name"] == "Dora" and not e["lease"]["mine"] for e in page.of("lease"))

    talk(site, story, site.view)
