"""An example of a public name runs as a reader would run it: after two imports, not inside the module it stands in.

The rule for examples: ``import numpy as np`` and ``import neurosim as ns`` are understood; whatever else an example of
a public name uses, it imports itself.
"""

import pytest

from tests.public import as_a_reader, is_of_public_name


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give the examples of public names nothing but what a reader has."""
    if isinstance(item, pytest.DoctestItem) and is_of_public_name(item.dtest):
        item.dtest.globs = as_a_reader()
