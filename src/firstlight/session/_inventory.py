"""The devices of a session: built in the order of their references, in parallel, each failing for itself."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from firstlight.buffer import Buffer, RunMember
from firstlight.detectors import Camera
from firstlight.devices import Surroundings, build, configuration, is_source
from firstlight.devices.sim import SharedBoard
from firstlight.model import Clock, DeviceError, FirstlightError, InvalidInput, NotFound, Scan
from firstlight.process import Supervisor
from firstlight.scanning import Devices
from firstlight.session._failed import Failed, as_failure, unavailable
from firstlight.session._late import LateCamera

CONNECTING = 10.0
"""Seconds that a device may take before the session goes on without it; it joins when it is there."""
THREADS = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One device as it is configured.

    :param config: its name, its kind and the settings of that.
    :param references: names of the devices that it needs.
    """

    config: Mapping[str, Any]
    references: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the device."""
        return str(self.config["name"])

    @property
    def kind(self) -> str:
        """Of the device."""
        return str(self.config["kind"])


class Inventory:
    """All devices of a session, those that failed too.

    :param states: run in which devices publish.
    :param changed: called when a device joined or failed later than its building; any thread.
    :param strict: a wrong setting is an error of :meth:`build`; otherwise it is one of the device, as all others are.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        buffer: Buffer,
        states: RunMember,
        clock: Clock,
        changed: Callable[[], None],
        *,
        strict: bool = False,
    ) -> None:
        self._supervisor = supervisor
        self._buffer = buffer
        self._states = states.key
        self._changed = changed
        self._strict = strict
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._made: dict[str, Any] = {}
        self._all: dict[str, Any] | None = None
        self._surroundings = Surroundings(clock, SharedBoard(states, buffer.root), _Made(self))

    @property
    def all(self) -> dict[str, Any]:
        """Every device by its name, in the order of the configuration; :class:`Failed` for those that failed."""
        with self._lock:
            # The same object as long as nothing has changed: it is asked for at every look at a device.
            if self._all is None:
                self._all = {name: self._made[name] for name in self._entries if name in self._made}
            return self._all

    @property
    def failed(self) -> dict[str, Failed]:
        """Those that failed."""
        return {name: device for name, device in self.all.items() if isinstance(device, Failed)}

    @property
    def kinds(self) -> dict[str, str]:
        """Kind of each device by its name; empty for one that was added."""
        return {name: entry.kind for name, entry in self._entries.items()}

    def sorted(self) -> Devices:
        """The devices as the engine wants them."""
        everything = self.all
        cameras: dict[str, Any] = {
            name: device for name, device in everything.items() if isinstance(device, LateCamera)
        }
        failed = {name: device.error for name, device in everything.items() if isinstance(device, Failed)}
        others = [d for name, d in everything.items() if name not in cameras and name not in failed]
        return replace(Devices.of(others), cameras=cameras, failed=failed)

    def build(self, entries: Iterable[Entry]) -> None:
        """Build devices, those that others need first; one that fails keeps nobody else from being built.

        :raises InvalidInput: a device without a name or a kind, a circle; with ``strict`` also a wrong setting.
        """
        wanted = list(entries)
        self._check(wanted)
        with self._lock:
            self._entries |= {entry.name: entry for entry in wanted}
            self._all = None
        for level in _levels(wanted):
            for entry in [entry for entry in level if is_source(entry.kind)]:
                self._settle(entry.name, self._camera(entry))
            rest = [entry for entry in level if not is_source(entry.kind)]
            self._build_level(rest)

    def add(self, device: Any) -> None:
        """Take in a device that was made elsewhere; it stays until the session ends, whatever is configured.

        :raises InvalidInput: when it is no device, or its name is taken.
        """
        Devices.of([device])
        with self._lock:
            if device.name in self._entries:
                raise InvalidInput(f"There is a device {device.name} already.", hint="Give it another name.")
            self._entries[device.name] = Entry({"name": device.name, "kind": ""})
            self._made[device.name] = device
            self._all = None

    def order(self, names: Iterable[str]) -> None:
        """List the devices in this order from now on; those that were added come last."""
        with self._lock:
            known = {name: self._entries[name] for name in names if name in self._entries}
            self._entries = known | self._entries
            self._all = None

    def drop(self, names: Iterable[str]) -> None:
        """Let go of devices: their processes end."""
        for name in names:
            with self._lock:
                device = self._made.pop(name, None)
                self._entries.pop(name, None)
                self._all = None
            _release(device)

    def retry(self, name: str) -> Any:
        """Build a device again that failed, and those that failed for want of it.

        :raises FirstlightError: why it failed again.
        """
        if name not in self._entries:
            raise NotFound(f"There is no device {name}.", hint=f"There are: {', '.join(self._entries)}.")
        if isinstance(self._made.get(name), Failed):
            again = [entry for entry in self._entries.values() if entry.name == name or self._wants(entry, name)]
            order = list(self._entries)
            for entry in again:
                self._made.pop(entry.name, None)
            self.build(again)
            with self._lock:
                self._entries = {known: self._entries[known] for known in order}
                self._all = None
        device = self._made[name]
        if isinstance(device, LateCamera):
            device.camera  # noqa: B018 - waits until it is ready, or raises why it is not
        if isinstance(device, Failed):
            raise device.error
        return device

    def wait(self, cameras: Iterable[str]) -> None:
        """Return when the processes of these cameras are ready.

        :raises FirstlightError: why one could not be started.
        """
        for name in cameras:
            device = self._made.get(name)
            if isinstance(device, LateCamera):
                try:
                    device.camera  # noqa: B018 - as above
                except FirstlightError as error:
                    kind = self._entries[name].kind
                    raise unavailable(Failed(name, kind, error)) from error

    # -- inside

    def _check(self, entries: Sequence[Entry]) -> None:
        names: set[str] = set()
        for entry in entries:
            name, kind = entry.config.get("name"), entry.config.get("kind")
            if not isinstance(name, str) or not name:
                raise InvalidInput("A device has no name.", hint="Give each its own name.")
            if name in names:
                raise InvalidInput(f"Two devices are called {name}.", hint="Give each its own name.")
            names.add(name)
            if not isinstance(kind, str):
                raise InvalidInput(f"{name} has no kind.", hint="For instance kind: sim.axis.")

    def _build_level(self, entries: Sequence[Entry]) -> None:
        if self._strict:
            # A plain list says nothing of references: each is built upon those before it.
            for entry in entries:
                self._build_one(entry)
            return
        if not entries:
            return
        # A driver may wait for its hardware for long: these threads must not keep the interpreter, nor each other.
        pool = ThreadPoolExecutor(min(THREADS, len(entries)), thread_name_prefix="device")
        waiting = [(entry, pool.submit(self._build_one, entry)) for entry in entries]
        for entry, future in waiting:
            try:
                future.result(CONNECTING)
            except TimeoutError as error:
                if isinstance(error, FirstlightError) or future.done():
                    continue
                late = DeviceError(entry.name, f"has not answered within {CONNECTING:g} s; it joins when it does.")
                self._settle(entry.name, Failed(entry.name, entry.kind, late))
                future.add_done_callback(self._late)
        pool.shutdown(wait=False)

    def _build_one(self, entry: Entry) -> None:
        device: Any
        try:
            device = build(entry.config, self._surroundings)
        except Exception as error:
            if self._strict and isinstance(error, InvalidInput):
                raise
            device = Failed(entry.name, entry.kind, as_failure(entry.name, error))
        with self._lock:
            if entry.name in self._entries:
                self._made[entry.name] = device
                self._all = None

    def _late(self, future: Future[None]) -> None:
        self._changed()

    def _camera(self, entry: Entry) -> LateCamera:
        def start() -> Camera:
            source = self._own_states(entry)
            return Camera.spawn(self._supervisor, entry.name, source, self._buffer.root, session=self._supervisor.name)

        made: list[LateCamera] = []

        def ended(error: FirstlightError | None) -> None:
            with self._lock:
                current = bool(made) and self._made.get(entry.name) is made[0]
                if error is not None and current:
                    self._made[entry.name] = Failed(entry.name, entry.kind, error)
                    self._all = None
            if current:
                self._changed()

        with self._lock:
            camera = LateCamera(entry.name, start, ended, READY)
            made.append(camera)
            self._made[entry.name] = camera
            self._all = None
        return camera

    def _own_states(self, entry: Entry) -> dict[str, Any]:
        """The configuration of a source that looks at devices: at those of this session, whoever shares the buffer."""
        config = dict(entry.config)
        if ":" not in entry.kind and "run" in configuration(entry.kind).model_fields and not config.get("run"):
            config["run"] = self._states
        return config

    def _settle(self, name: str, device: Any) -> None:
        with self._lock:
            self._made.setdefault(name, device)
            self._all = None

    def _wants(self, entry: Entry, name: str) -> bool:
        failed = isinstance(self._made.get(entry.name), Failed)
        return failed and name in entry.references


READY = 60.0
"""Seconds that the process of a camera may take to start."""


class _Made(Mapping[str, Any]):
    """What builders of devices see of the others: those that are there; one that failed says why."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def __getitem__(self, name: str) -> Any:
        device = self._inventory.all[name]
        if isinstance(device, Failed):
            failed = unavailable(device)
            raise DeviceError(name, failed.message.removeprefix(f"{name}: "), hint=failed.hint)
        return device

    def __iter__(self) -> Iterator[str]:
        return iter(self._inventory.all)

    def __len__(self) -> int:
        return len(self._inventory.all)


def cameras_of(scan: Scan, devices: Devices) -> set[str]:
    """The cameras that a scan may use, as far as can be told before they are ready."""
    wanted = {name.removeprefix("-") for name, _ in devices.spread(scan.counters or devices.default)}
    if any(name in devices.derived or set("*?[") & set(name) for name in wanted):
        return set(devices.cameras)
    return {name.partition(":")[0] for name in wanted} & set(devices.cameras)


def _levels(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Those that need none of the others, then those that need the former only, and so on."""
    left = {entry.name: entry for entry in entries}
    found: list[list[Entry]] = []
    while left:
        level = [entry for entry in left.values() if not any(name in left for name in entry.references)]
        if not level:
            raise InvalidInput(
                f"{', '.join(left)} need each other, so that none can be built first.", hint="Break the circle."
            )
        found.append(level)
        for entry in level:
            del left[entry.name]
    return found


def _release(device: Any) -> None:
    if isinstance(device, LateCamera):
        with contextlib.suppress(FirstlightError):
            if device.child is not None:
                device.child.stop()
        return
    # A driver that holds a connection gives it back; nothing is moved or closed that the beam meets.
    disconnect = getattr(getattr(device, "driver", device), "disconnect", None)
    if callable(disconnect) and not isinstance(device, Failed):
        with contextlib.suppress(Exception):
            disconnect()
