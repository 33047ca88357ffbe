"""The names of a shell: commands, devices, and the session."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from firstlight.shell import (
    _aligning,
    _elog,
    _errors,
    _help,
    _listing,
    _logs,
    _looking,
    _moving,
    _policy,
    _scans,
    _session,
    _steering,
)
from firstlight.shell._command import Command
from firstlight.shell._desk import Desk
from firstlight.shell._scans import ScanCommand

TOPICS: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "move": (
        *(_moving.mv, _moving.mvr, _moving.mvd, _moving.mvdr),
        *(_moving.umv, _moving.umvr, _moving.umvd, _moving.umvdr),
        *(_moving.move, _moving.stop),
        *(_steering.pause, _steering.resume, _steering.stop_scan, _steering.skip),
    ),
    "look": (
        *(_looking.wa, _looking.wu, _looking.wm, _looking.sta, _looking.stm),
        *(_listing.lsmot, _listing.lscnt, _listing.lsmg, _listing.lsobj, _listing.lsconfig),
        *(_listing.info, _listing.prdef, _listing.wid),
    ),
    "align": (
        *(_aligning.cen, _aligning.com, _aligning.peak, _aligning.trough, _aligning.fwhm),
        *(_aligning.goto_cen, _aligning.goto_com, _aligning.goto_peak, _aligning.goto_min),
        *(_aligning.goto_custom, _aligning.find_position, _aligning.lineup, _aligning.where),
    ),
    "plot": (_scans.plotselect, _scans.replot, _scans.plot, _scans.display, _scans.last),
    "data": (
        *(_policy.newproposal, _policy.newsample, _policy.newdataset),
        *(_policy.enddataset, _policy.endproposal),
    ),
    "log": (
        *(_elog.elog_print, _elog.elog_add, _elog.elog_plot, _elog.elog_prdef, _elog.elog_show, _elog.elog_export),
        *(_logs.debugon, _logs.debugoff, _logs.lslog, _logs.showlog),
    ),
    "session": (
        *(_session.lslock, _session.lock, _session.unlock),
        *(_session.retry, _session.reload, _session.script),
    ),
    "help": (_help.help, _errors.last_error),
}
"""All commands but those of the session, in the order in which help lists them."""

VERBATIM = frozenset({"elog_print"})
"""Commands that take the rest of the line as one text."""


class Namespace:
    """Fills a user's namespace and keeps it up to date with the devices of the session.

    :param desk: where the commands work.
    :param names: the namespace; what the user puts there is left alone.
    """

    def __init__(self, desk: Desk, names: MutableMapping[str, Any]) -> None:
        self._desk = desk
        self._names = names
        self.commands: dict[str, Any] = {}
        """Commands by name."""
        for name, command in desk.session.commands.items():
            self.commands[name] = ScanCommand(desk, name, command)
        for topic, functions in TOPICS.items():
            for function in functions:
                self.commands[function.__name__] = Command(
                    desk, function, topic=topic, verbatim=function.__name__ in VERBATIM
                )
        self._given: dict[str, Any] = {}
        self._taken: set[str] = set()
        self.refresh()

    def refresh(self) -> list[str]:
        """Bring new devices, and take away those that are gone; what the user named otherwise stays.

        :return: names that the user gave another meaning since the last time.
        """
        session = self._desk.session
        wanted: dict[str, Any] = dict(self.commands)
        wanted |= {"session": session, "groups": session.groups, "current": session.current}
        for word in ("setups", "aliases", "setup"):
            if hasattr(session, word):
                wanted[word] = getattr(session, word)
        aliases = getattr(session, "aliases", {})
        devices = dict(session.devices.items())
        named = {alias: devices[name] for alias, name in dict(aliases).items() if name in devices}
        groups = {name: session.groups[name] for name in session.groups}
        for name, thing in [*groups.items(), *devices.items(), *named.items()]:
            if not name.isidentifier() or keyword.iskeyword(name):
                continue
            if name in wanted and name in self.commands:
                # Both are found: where a command is given for a device, its name is taken.
                continue
            wanted[name] = thing
        for name, old in self._given.items():
            if name not in wanted and self._names.get(name) is old:
                del self._names[name]
        for name, new in wanted.items():
            before = self._given.get(name)
            if name not in self._names or (before is not None and self._names[name] is before):
                self._names[name] = new
        taken = {name for name, thing in wanted.items() if self._names[name] is not thing}
        news = sorted(taken - self._taken)
        self._given, self._taken = wanted, taken
        self._desk.names = wanted
        return news
