"""The shell's names in a real Jupyter kernel, as a notebook runs them."""

from __future__ import annotations

import base64
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

from firstlight.shell._picture import HEIGHT, WIDTH

FIRST = """
import firstlight
from pathlib import Path
from firstlight.session import Layout, simulated
from firstlight.shell import notebook
session = simulated(Path({data!r}), layout=Layout(shape=(8, 64)), buffer=Path({buffer!r}))
notebook(session)
"""

# Jupyter leaves sockets to the collector, which would complain in whatever test comes then: it runs by itself.
RUN = """
import sys, nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
path, folder = sys.argv[1:]
book = nbformat.read(path, 4)
manager = KernelManager()
# Whatever kernels this machine knows: this very Python.
manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
NotebookClient(book, km=manager, timeout=110, allow_errors=True, resources={"metadata": {"path": folder}}).execute()
nbformat.write(book, path)
"""


def said(cell: Any) -> str:
    """All that a cell printed or showed as text."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts.append(output.get("data", {}).get("text/plain", ""))
        parts.append("\n".join(output.get("traceback", [])))
    return "\n".join(parts)


def test_a_notebook_moves_measures_and_says_what_went_wrong_in_a_sentence(tmp_path: Path, buffer_root: Path) -> None:
    sources = [
        FIRST.format(data=str(tmp_path / "data"), buffer=str(buffer_root)),
        "mv rot 12.5",
        "rot.position",
        "ascan rot 0 10 5 0.01 diode",
        "lastscan = session.last\nprint(lastscan.title, len(lastscan['diode']))",
        "mv rot 1e9",
        "mv rott 1",
        "session.close()",
    ]
    books: Any = nbformat
    make = books.v4
    book = make.new_notebook(cells=[make.new_code_cell(source) for source in sources])
    file = tmp_path / "book.ipynb"
    books.write(book, file)
    subprocess.run([sys.executable, "-c", RUN, str(file), str(tmp_path)], check=True, capture_output=True)
    book = books.read(file, 4)
    _, moved, position, scan, last, far, wrong, closed = book.cells
    assert "Traceback" not in "".join(said(cell) for cell in book.cells)
    assert "rot" in said(moved)
    assert "12.5" in said(position)
    assert "diode" in said(scan)
    shown = [output.data for output in scan.outputs if output.output_type == "display_data"]
    # One line, that changed in place.
    assert [data["text/plain"] for data in shown if ": point " in data["text/plain"]] == [
        "ascan rot 0 10 5 0.01 diode: point 6 of 6"
    ]
    pictures = [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]
    assert [Image.open(BytesIO(data)).size for data in pictures] == [(WIDTH, HEIGHT)]
    assert "ascan rot 0 10 5 0.01 diode 6" in said(last)
    assert "its limits are -190 to 550 deg" in said(far)
    assert "rott" in said(wrong)
    assert "Did you mean rot?" in said(wrong)
    assert not [output for output in closed.outputs if output.output_type == "error"]
