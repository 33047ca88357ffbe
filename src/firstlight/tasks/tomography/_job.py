"""A reconstruction in its own process, under the one supervisor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from firstlight.model import FirstlightError, InvalidInput
from firstlight.tasks.tomography._chain import Result, process
from firstlight.tasks.tomography._options import Options
from firstlight.tasks.tomography._preview import Preview
from firstlight.tasks.tomography._projections import Projections
from firstlight.tasks.tomography._sources import open_projections

if TYPE_CHECKING:
    from firstlight.process import ChildContext

_OFTEN = 0.1  # seconds between two reports of one stage


def main(
    context: ChildContext,
    *,
    source: str | Mapping[str, Any],
    volume: str,
    picture: str | None = None,
    options: Mapping[str, Any] | None = None,
    report: str | None = None,
    preview: Mapping[str, str] | None = None,
) -> None:
    """Target of a :class:`ProcessSpec`: reconstruct one scan and end.

    The information of the child is ``{"stage", "done", "total"}`` while it works, ``{"result": {...}}`` (see
    :meth:`Result.to_json`) when it ended well, and ``{"error", "hint"}`` when it did not; then it raises. The same, one
    JSON object a line with its ``time`` (UTC seconds), goes to the file ``report``.

    :param source: ``file`` or ``file::/entry``, or ``{"opener": "module:function", "arguments": {...}}``: a function
        that returns :class:`Projections`, or a context manager that gives them.
    :param volume: path of the new NeXus file.
    :param picture: path of the new PNG.
    :param options: fields of :class:`Options`.
    :param report: path of a file to which lines are appended.
    :param preview: shows slices while they are made: ``buffer`` (its root), ``parent`` (key of the run), ``title``.
    """
    reporter = _Reporter(context, Path(report) if report else None)
    try:
        result = _run(context, reporter, source, volume, picture, options or {}, preview)
    except FirstlightError as error:
        reporter.tell({"error": error.message, "hint": error.hint})
        raise
    context.log.info("Reconstructed %s: axis %s", volume, result.axis.text())
    for warning in result.warnings:
        context.log.warning("%s", warning)
    reporter.tell({"result": result.to_json()})


def _run(
    context: ChildContext,
    reporter: _Reporter,
    source: str | Mapping[str, Any],
    volume: str,
    picture: str | None,
    options: Mapping[str, Any],
    preview: Mapping[str, str] | None,
) -> Result:
    try:
        chosen = Options.model_validate_json(json.dumps(dict(options)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"Option {where}: {first['msg']}.") from error
    with open_source(source) as projections, ExitStack() as stack:
        made = None
        if preview is not None:
            shown = Preview(Path(preview["buffer"]), preview["parent"], preview["title"])
            made = stack.enter_context(shown).add
        return process(
            projections,
            volume,
            picture=picture,
            options=chosen,
            progress=reporter,
            stopping=context.stopping.is_set,
            made=made,
        )


@contextmanager
def open_source(source: str | Mapping[str, Any]) -> Iterator[Projections]:
    """The projections that a source names.

    :param source: as in :func:`main`.
    :raises InvalidInput: when the source is malformed, or its function is not there or returns something else.
    """
    if isinstance(source, str):
        with open_projections(source) as projections:
            yield projections
        return
    opener = source.get("opener")
    if not isinstance(opener, str) or ":" not in opener:
        raise InvalidInput("A source is a file or an opener of the form module:function.")
    module, _, name = opener.partition(":")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"There is no opener {opener}.") from error
    opened = function(**source.get("arguments", {}))
    if isinstance(opened, AbstractContextManager):
        with opened as projections:
            yield _checked(projections, opener)
    else:
        yield _checked(opened, opener)


def _checked(projections: Any, opener: str) -> Projections:
    if not isinstance(projections, Projections):
        raise InvalidInput(f"{opener} gave {type(projections).__name__}, not Projections.")
    return projections


class _Reporter:
    """Tells the parent and a file how far the work is; a progress callback."""

    def __init__(self, context: ChildContext, path: Path | None) -> None:
        self._context = context
        self._path = path
        self._last = ("", 0.0)

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage == self._last[0] and done < total and now - self._last[1] < _OFTEN:
            return
        self._last = (stage, now)
        self.tell({"stage": stage, "done": done, "total": total})

    def tell(self, news: dict[str, Any]) -> None:
        self._context.ready(**news)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps({"time": round(time.time(), 3), **news}) + "\n")
