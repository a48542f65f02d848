"""The site: this folder's pages and notebooks, the API from the docstrings, the catalogue from the files of results.

python -m sphinx -W --keep-going -b html notebooks build/site
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]  # the neurosim of this folder, and what builds its site

from notebook_cells import execution_cache  # noqa: E402

from neurosim.version import __version__  # noqa: E402

os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "neurosim"
author = "The neurosim developers"
copyright = author  # noqa: A001
version = release = __version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "name_links",
    "number_role",
    "api_pages",
    "catalogue_pages",
    "house_picture",
    "narrow_tables",
]
exclude_patterns = ["conf.py", "_*", "**/.ipynb_checkpoints"]

# Notebooks: each is run in a process of its own, from an empty folder, and any error ends the build
nb_custom_formats = {".py": ("notebook_cells.read", {})}
nb_execution_mode = os.environ.get("NEUROSIM_SITE_EXECUTION", "cache")  # "off": pages without outputs, in a minute
nb_execution_cache_path = str(execution_cache(HERE.parent))
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300  # seconds a cell
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# API: the pages are written from stubs, sources and docstrings by _extensions/api_pages.py
default_role = "literal"  # single backticks are names
add_module_names = False
maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "neurosim"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "neurosim"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_prev_next": False,
    "show_nav_level": 1,
    "navigation_depth": 2,
    "collapse_navigation": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
}
