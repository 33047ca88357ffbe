"""Running what a page says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_spec = importlib.util.spec_from_file_location("_check_readme", ROOT / "docs" / "_check_readme.py")
assert _spec is not None
assert _spec.loader is not None
pages = importlib.util.module_from_spec(_spec)
sys.modules["_check_readme"] = pages
_spec.loader.exec_module(pages)

PAGE = """# A page

```console
$ echo hello > greeting
hello is what it prints
$ test -x ./run
```

```python
from pathlib import Path
assert Path("greeting").read_text() == "hello\\n"
```

<!-- not run -->
```console
$ false
```

```yaml
this: is not run
```
"""


def test_blocks_are_found_with_their_lines() -> None:
    found = list(pages.blocks(PAGE))
    assert [(block.language, block.line) for block in found] == [("console", 3), ("python", 9)]


def test_a_page_that_works_has_no_complaint(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert pages.check(page) == []


@pytest.mark.parametrize(
    "block",
    [
        "```console\n$ false\n$ true\n```\n",
        "```python\nraise SystemExit(3)\n```\n",
        "```python\nimport warnings; warnings.warn('old')\n```\n",
    ],
)
def test_a_page_that_does_not_work_is_complained_about(tmp_path: Path, block: str) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n" + block)
    (complaint,) = pages.check(page)
    assert complaint.startswith("page.md:3 ")
