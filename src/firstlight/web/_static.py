"""The built pages: the one document below every page's address, and files that never change under their names."""

from __future__ import annotations

import mimetypes
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

PAGES = Path(__file__).with_name("static")
FOREVER = "public, max-age=31536000, immutable"
_BASE = '<base href="/" />'
_MISSING = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Firstlight</title></head><body><main>
<h1>The pages are not built.</h1>
<p>Firstlight runs, and its data are served below <code>api/</code>, but this installation has no pages.
Install it again with a network, or in a checkout run <code>./run demo</code>.</p></main></body></html>"""

# Not those of the machine, which may be missing or wrong.
for _kind, _ending in (("text/javascript", ".js"), ("text/css", ".css"), ("image/svg+xml", ".svg")):
    mimetypes.add_type(_kind, _ending)


class Assets(StaticFiles):
    """Files with a digest in their names."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """With leave to keep it for ever."""
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["cache-control"] = FOREVER
        return answer


def assets(folder: Path = PAGES) -> Assets:
    """The route of all files with hashed names."""
    return Assets(directory=folder / "assets", check_dir=False)


def page(request: Request, prefix: str, folder: Path = PAGES) -> Response:
    """The document, or one of the few files beside it."""
    name = request.path_params.get("path", "")
    beside = folder / name
    if name and "/" not in name and name != "index.html" and "." in name:
        # Only what is there under exactly this name, in this folder.
        if name in {file.name for file in folder.iterdir() if file.is_file()} if folder.is_dir() else False:
            return FileResponse(beside, headers={"cache-control": "max-age=3600"})
        return Response("There is no such file.", 404, media_type="text/plain")
    try:
        text = (folder / "index.html").read_text()
    except OSError:
        return HTMLResponse(_MISSING, 503)
    return HTMLResponse(
        text.replace(_BASE, f'<base href="{escape(prefix)}/" />', 1), headers={"cache-control": "no-cache"}
    )
