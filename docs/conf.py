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
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "**/README.rst"]
templates_path = ["_templates"]
# Docstrings inherited from scikit-learn point into its documentation.
suppress_warnings = ["ref.ref"]

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = True
numpydoc_class_members_toctree = False
numpydoc_attributes_as_param_list = True

html_theme = "pydata_sphinx_theme"
html_title = "skmmm"
html_static_path = []
html_show_sourcelink = False
html_sidebars = {
    name: [] for name in ("index", "getting_started", "whats_new", "design")
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
