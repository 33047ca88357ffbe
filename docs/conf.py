"""How the documentation is built."""

import firstlight

project = "Firstlight"
author = "The Firstlight developers"
copyright = "the Firstlight developers, BSD-3-Clause"
version = release = firstlight.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# The packages of extras are never needed to build the reference.
autodoc_mock_imports = ["astra", "dask", "fabio", "xarray"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

# A private function in an annotation, such as unit("mm"), is looked for by its bare name and found in several classes.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = "Firstlight"
html_static_path = ["_static"]
html_theme_options = {"navigation_with_keys": True}
