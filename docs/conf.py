"""Settings of the documentation: `python -m sphinx -W --keep-going -b html docs build/docs`, without network."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

warnings.filterwarnings("ignore", category=DeprecationWarning)  # of the toolboxes, which autodoc imports

from mmdetpre.version import __version__  # noqa: E402

project = "mmdetpre"
copyright = "the authors of mmdetpre"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["build", "Thumbs.db", ".DS_Store"]
highlight_language = "text"  # of literal blocks in docstrings; pages name the language of theirs
default_role = "code"

myst_heading_anchors = 3

html_theme = "furo"
html_title = f"mmdetpre {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0072b2"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
}
pygments_style, pygments_dark_style = "friendly", "github-dark"

autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Returns", "Yields"]  # plain text: ours name shapes before a colon, not types


def one_source(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Make a ``Source: ...`` that runs over several lines one paragraph."""
    inside = False
    for i, line in enumerate(lines):
        if line.startswith("Source: "):
            inside, lines[i] = True, line.replace("Source:", "**Source:**", 1)
        elif inside and line.startswith("    "):
            lines[i] = line.strip()
        else:
            inside = False


def skip_noise(_app: Sphinx, _what: str, _name: str, obj: object, skip: bool, _options: object) -> bool | None:
    """Leave out the fields of named tuples, which their class describes."""
    return True if re.match("Alias for field number", getattr(obj, "__doc__", None) or "") else None


def own_sources(module: str, parse: Callable[[str], ModuleAnalyzer] = ModuleAnalyzer.for_module) -> ModuleAnalyzer:
    """Parse our sources only, not those of the toolboxes and of torch, which autodoc parses for each base class."""
    if module.split(".")[0] == "mmdetpre":
        return parse(module)
    raise PycodeError(f"{module} is not of this project")


def setup(app: Sphinx) -> None:
    ModuleAnalyzer.for_module = staticmethod(own_sources)  # saves a sixth of the time
    app.connect("autodoc-process-docstring", one_source, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", skip_noise)
