"""What a configuration holds beside devices; the texts here are those of the schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from firstlight.configuration._tree import DATA
from firstlight.devices import Configuration, unit
from firstlight.storage import Roots

Word = Annotated[str, Field(min_length=1)]
Broker = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+:[0-9]{1,5}$")]
Words = tuple[Word, ...]


class StorageSettings(Configuration):
    """Where data are saved, and how."""

    data: str = ""
    """One folder for everything, relative to this file; the other folders are below it unless they are given."""
    visitor: str = ""
    """Folder of the proposals of users; {beamline} stands for the name of the beamline."""
    inhouse: str = ""
    """Folder of the proposals whose name begins with that of the beamline."""
    tmp: str = ""
    """Folder of the proposals whose name begins with test, tmp or temp."""
    compression: Literal["none", "bitshuffle-lz4"] = "none"
    """Of frames."""
    merge: bool = True
    """Whether the runs of a dataset are merged into one file when it ends."""

    def roots(self, base: Path) -> Roots:
        """Where proposals of each sort live.

        :param base: the folder that relative paths begin at.
        """

        def place(text: str) -> str:
            return str(base / Path(text).expanduser())

        if not self.data and self.visitor and self.inhouse and self.tmp:
            under = Roots()
        else:
            under = Roots.under(Path(place(self.data or DATA)))
        return Roots(
            visitor=place(self.visitor) if self.visitor else under.visitor,
            inhouse=place(self.inhouse) if self.inhouse else under.inhouse,
            tmp=place(self.tmp) if self.tmp else under.tmp,
        )


class IcatSettings(Configuration):
    """The catalogue of ICAT: records of datasets are always written, and sent when there is a broker."""

    brokers: tuple[Broker, ...] = ()
    """Message brokers, host:port; several when one stands in for another."""
    spool: str = ""
    """Folder for what has not been sent yet; icat in the folder of the user's state when not given."""


class SessionSettings(Configuration):
    """A part of the beamline: what a session of this name sees."""

    devices: Words = ()
    """Names or patterns such as s*; all when not given. What they refer to comes with them."""
    groups: Words = ()
    """Names or patterns of measurement groups; those that can be measured when not given."""
    scripts: Words = ()
    """Names or patterns of user scripts, by the name of the file; all when not given."""
    default: str = ""
    """The group that is measured when a scan names nothing; that of the beamline when not given."""


class SuspendSettings(Configuration):
    """A condition during which scans pause."""

    when: Word
    """Pause when this holds: ring.current < 5 mA."""
    resume: str = ""
    """Go on when this holds; the contrary of when by default."""
    wait: Annotated[float, unit("s")] = Field(default=0.0, ge=0)
    """How long it must hold before scans go on, s."""


class Layout(Configuration):
    """The configuration of a beamline for Firstlight; a file may hold any part of it."""

    beamline: str = ""
    """Name of the beamline, as in the paths of the data; in one file only."""
    include: Word | Words = ()
    """Files or folders to read as well, relative to this one."""
    templates: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    """Settings that devices take with like: and the name of a template."""
    devices: tuple[dict[str, JsonValue], ...] = ()
    """The devices, each with its name, its kind and the settings of that kind."""
    groups: dict[str, Words] = Field(default_factory=dict)
    """What is measured together: names or patterns of counters, cameras and other groups."""
    default: str = ""
    """The group that is measured when a scan names nothing."""
    aliases: dict[str, Word] = Field(default_factory=dict)
    """Other names of devices."""
    setups: dict[str, dict[str, dict[str, JsonValue]]] = Field(default_factory=dict)
    """Named sets of parameters: for each device, attributes and their values."""
    scripts: Word | Words = ()
    """Files of Python with functions for the users, relative to this one."""
    sessions: dict[str, SessionSettings] = Field(default_factory=dict)
    """Parts of the beamline, by the name of the session."""
    storage: StorageSettings = StorageSettings()
    icat: IcatSettings | None = None
    suspend: dict[str, SuspendSettings] = Field(default_factory=dict)
    """Conditions during which scans pause, by name."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: Any) -> Any:
        # "groups:" with all its lines commented out is no error.
        return (
            {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else values
        )
