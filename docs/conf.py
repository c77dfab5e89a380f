"""Settings of the documentation site; `nox -s docs` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import sdmodel
from sdmodel.inference import read_errors

project = "sdmodel"
author = "the sdmodel authors"
version = release = sdmodel.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "command_pages",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
default_role = "code"
smartquotes = False  # options begin with two hyphens
suppress_warnings = ["myst.xref_missing"]  # files outside docs/ that included texts link to; tests check these links

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "auto"  # the notebooks are kept without outputs, so every build runs them
nb_execution_timeout = 300
nb_execution_raise_on_error = True
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc sections state the types in words
numpydoc_show_class_members = True
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"sdmodel {release}"
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
html_sidebars = {
    page: []
    for page in (
        "index",
        "tutorial",
        "commands",
        "model",
        "vensim-coverage",
        "reliability",
        "glossary",
        "contributing",
        "changelog",
    )
}


def _write_explorer(app: object, error: Exception | None) -> None:
    """Write the explorer of the model beside the pages, for the guide that embeds it."""
    if error is None and app.builder.format == "html":  # type: ignore[attr-defined]
        model = sdmodel.read_model(Path(__file__).resolve().parents[1] / "models" / "ai_compute.mdl")
        design = sdmodel.make_design(model, sdmodel.default_sampling(model), count=300)
        errors = read_errors(Path(model.path).with_suffix(".error.csv"))
        target = Path(app.outdir) / "guides" / "ai_compute.html"  # type: ignore[attr-defined]
        sdmodel.write_explorer(model, target, design=design, errors=errors, force=True)


def setup(app: object) -> None:
    """Write the explorer once the pages are built."""
    app.connect("build-finished", _write_explorer)  # type: ignore[attr-defined]
