"""From configuration to the devices of a session: those that live here, and cameras in processes of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from firstlight.buffer import Buffer, RunMember
from firstlight.detectors import Camera
from firstlight.devices import Assembly, Axis, Surroundings, build, is_source
from firstlight.devices.sim import SharedBoard
from firstlight.model import Clock, CounterDriver, DerivedCounter, InvalidInput, MotionHook, Shutter, Trigger, Truthful
from firstlight.process import Supervisor
from firstlight.scanning import Devices

AnyDevice = Axis | Assembly | CounterDriver | DerivedCounter | MotionHook | Shutter | Trigger | Camera | Truthful


def build_devices(
    configurations: Iterable[Mapping[str, Any]],
    supervisor: Supervisor,
    buffer: Buffer,
    states: RunMember,
    clock: Clock,
) -> tuple[dict[str, AnyDevice], Devices]:
    """Build everything: first what publishes its state, then the cameras that look at it, all at once.

    :param states: run in which devices publish.
    :returns: the devices by name, and sorted for the engine.
    :raises InvalidInput: a device without a name or of unknown kind, or a wrong setting.
    """
    found: dict[str, AnyDevice] = {}
    surroundings = Surroundings(clock, SharedBoard(states, buffer.root), found)
    sources: list[dict[str, Any]] = []
    for configuration in configurations:
        name = configuration.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidInput("A device has no name.", hint="Give each its own name.")
        if name in found or any(name == source["name"] for source in sources):
            raise InvalidInput(f"Two devices are called {name}.", hint="Give each its own name.")
        if is_source(str(configuration.get("kind", ""))):
            sources.append(dict(configuration))
        else:
            found[name] = build(configuration, surroundings)

    def camera(source: Mapping[str, Any]) -> Camera:
        return Camera.spawn(supervisor, source["name"], source, buffer.root)

    with ThreadPoolExecutor(max(1, len(sources))) as pool:
        for made in pool.map(camera, sources):
            found[made.name] = made
    return found, Devices.of(found.values())
