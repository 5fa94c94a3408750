"""Sphinx configuration."""

import warnings
from importlib.metadata import version as version_of

project = "skmmm"
author = "the skmmm developers"
copyright = author
release = version = version_of("skmmm")

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    # Copies MathJax beside the pages, so that formulas need no network.
    "sphinx-mathjax-offline",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "**/README.rst"]
templates_path = ["_templates"]
# Docstrings inherited from scikit-learn point into its documentation.
suppress_warnings = ["ref.ref", "ref.term"]

autosummary_generate = True
autodoc_typehints = "none"
# One argument per line where a signature is longer than a line of text.
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
# Methods are rendered in full by _templates/autosummary/class.rst.
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True

html_theme = "pydata_sphinx_theme"
html_title = "skmmm"
html_static_path = ["_static"]
html_css_files = ["skmmm.css"]
html_show_sourcelink = False
html_sidebars = {
    name: []
    for name in ("index", "getting_started", "whats_new", "design", "scorecard")
}
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_end": [],
}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 1,
    "parallel": 2,
    "backreferences_dir": None,
}

# An example that warns is wrong, or has to say what it warns of.
warnings.filterwarnings("error", category=UserWarning, module="skmmm")
