"""Names of the package in a text are links to where the API describes them: `ns.infer(models, data)` is one."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

from neurosim.namespaces import public_names

NAME = re.compile(r"ns\.((?:\w+\.)*\w+)")
PACKAGE = "neurosim"


def described_as(text: str, described: Any) -> str | None:
    """Return the name under which the API describes what a text begins with, if it does.

    Parameters
    ----------
    text : as it stands in a page, such as "ns.infer(models, data)".
    described : names that the API describes; what the top level shares with a room stands with the room.
    """
    found = NAME.match(text)
    if found is None:
        return None
    names = [f"{PACKAGE}.{found[1]}", *(f"{package}.{found[1]}" for package in public_names())]
    return next((name for name in names if name in described), None)


class NameLinks(SphinxPostTransform):
    """Put a link around each literal that begins with a name of the package."""

    default_priority = 5  # before references are resolved

    def run(self, **_: Any) -> None:
        """Link the literals of one page, but for those that are part of a link already."""
        described = self.env.domains.python_domain.objects
        for literal in list(self.document.findall(nodes.literal)):
            name = described_as(literal.astext(), described)
            if name is None or not isinstance(literal.parent, nodes.paragraph | nodes.strong | nodes.emphasis):
                continue
            entry = described[name]
            builder, here = self.app.builder, self.env.current_document.docname
            literal.replace_self(make_refnode(builder, here, entry.docname, entry.node_id, literal.deepcopy(), name))


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx of the links."""
    app.add_post_transform(NameLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
