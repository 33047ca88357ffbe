"""``$name`` refers to a device, ``${VARIABLE}`` takes a text from the environment, ``$$`` is a dollar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firstlight.configuration._problem import Problems, Where, nearest
from firstlight.configuration._yaml import Items, Node, Scalar, Table

_DOLLAR = re.compile(r"\$\$|\$\{([^{}]*)(\}?)|\$([A-Za-z_][A-Za-z0-9_]*)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(slots=True)
class Dollars:
    """Replaces what a dollar stands for, in all texts of a tree.

    :param environ: variables by name.
    :param names: what may be referred to, and the device that it is; None where nothing may be.
    :param heir: the device whose settings these are, for problems with inherited values.
    """

    environ: Mapping[str, str]
    names: Mapping[str, str] | None
    problems: Problems
    heir: str = ""
    references: dict[str, None] = field(default_factory=dict)
    """Names of the devices that were referred to, in order."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Text from the environment to how it was written."""
    unknown: set[Where] = field(default_factory=set)
    """Places where something could not be found, which was told."""

    def plain(self, node: Node, key: str = "", heir: str = "") -> tuple[Any, Any]:
        """Plain values: with everything replaced, and as they may be shown, with variables as they are written.

        :param key: what the tree is called in problems.
        """
        if isinstance(node, Table):
            value: dict[str, Any] = {}
            shown: dict[str, Any] = {}
            for name, entry in node.entries.items():
                inner = f"{key}.{name}" if key else name
                heirs = self.heir if entry.home else heir
                at = entry.home or inner
                new = self._text(name, Scalar(name, entry.where), at, heirs)[0] if name.startswith("$") else name
                value[new], shown[name] = self.plain(entry.node, at, heirs)
            return value, shown
        if isinstance(node, Items):
            pairs = [self.plain(item, key, heir) for item in node.items]
            return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if not isinstance(node.value, str) or "$" not in node.value:
            return node.value, node.value
        return self._text(node.value, node, key, heir)

    def mask(self, text: str) -> str:
        """A message without the values of variables."""
        for secret, written in sorted(self.secrets.items(), key=lambda pair: -len(pair[0])):
            for form in (secret, repr(secret)[1:-1]):
                text = text.replace(form, written) if form else text
        return text

    def _text(self, text: str, node: Scalar, key: str, heir: str) -> tuple[str, str]:
        problems, where = self.problems, node.where

        def replaced(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            if found[3] is not None:
                return self.refer(found[3], where, key, heir)
            variable = _VARIABLE.fullmatch(found[1])
            if variable is None or not found[2]:
                hint = "Write ${NAME} or ${NAME:-default}, and $$ for a dollar."
                problems.add(where, key, f"{found[0]} is no variable.", hint, heir=heir)
                self.unknown.add(where)
                return ""
            name, default = variable[1], variable[2]
            value = self.environ.get(name)
            if default is not None and not value:
                return str(default)
            if value is None:
                near = nearest(name, (known for known in self.environ if not known.startswith("_")))
                near = near if near.startswith("Did you mean") else f"Set it before starting: export {name}=..."
                problems.add(where, key, f"The environment variable {name} is not set.", near, heir=heir)
                self.unknown.add(where)
                return ""
            self.secrets[value] = found[0]
            return value

        return _DOLLAR.sub(replaced, text), text

    def refer(self, name: str, where: Where, key: str, heir: str = "") -> str:
        """Note a reference; ``slits.gap`` is one to ``slits``.

        :returns: the name of the device, for an alias; the name as it is where there is none, which is told.
        """
        found = self.mention(name, where, key, heir)
        if self.names is not None and name.partition(".")[0] in self.names:
            self.references[found.partition(".")[0]] = None
        return found

    def mention(self, name: str, where: Where, key: str, heir: str = "") -> str:
        """The same for a device that need not be built before."""
        base, dot, part = name.partition(".")
        if self.names is None:
            message = f"${name} refers to a device, which may not be here."
            self.problems.add(where, key, message, "Write $$ for a dollar.")
        elif base in self.names:
            return f"{self.names[base]}{dot}{part}"
        elif not self.problems.broken:
            self.problems.add(where, key, f"There is no device {base!r}.", nearest(base, self.names), heir=heir)
            self.unknown.add(where)
        return name
