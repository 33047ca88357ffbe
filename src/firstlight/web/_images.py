"""What is drawn over images: the regions in which a camera counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from firstlight.web._state import Parts, Viewer

router = APIRouter()

_Name = Annotated[str, Query(max_length=200)]


@router.get("/rois")
async def rois(parts: Parts, user: Viewer, camera: _Name, session: _Name = "") -> dict[str, Any]:
    """The regions in which a camera counts from the next scan on."""
    known = await parts.sessions.get(session).view.call("regions", device=camera)
    # Regions of spectra are no regions of images.
    return {"rois": {name: found for name, region in known.items() if (found := _selection(region)) is not None}}


def _selection(region: Mapping[str, Any]) -> dict[str, Any] | None:
    """A region as pages and files of runs write it."""
    if "outer" in region:
        words = {"cx": "x", "cy": "y", "r1": "inner", "r2": "outer", "a1": "start", "a2": "stop"}
        return {"kind": "arc", **{name: region[word] for name, word in words.items()}}
    if "width" in region:
        return {"kind": "rectangle", **{name: region[name] for name in ("x", "y", "width", "height")}}
    return None
