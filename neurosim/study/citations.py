"""What is to be cited: one list of papers of tools and of inference, and references as BibTeX.

A citation is what something was used for and its reference, a line such as "Holm S (1979) Scand J Statist 6:65-70,
https://www.jstor.org/stable/4615733". The papers of kinds of things stand in their records.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from string import ascii_lowercase
from typing import TYPE_CHECKING

import xarray as xr

from neurosim.study.kinds import Citation
from neurosim.version import __version__

if TYPE_CHECKING:
    from neurosim.study.study import Study

BRIAN2: Citation = (
    "biological simulation",
    "Stimberg M, Brette R, Goodman DFM (2019) eLife 8:e47314, https://doi.org/10.7554/eLife.47314",
)
NIR: Citation = (
    "translation",
    "Pedersen JE, Abreu S, Jobst M, et al. (2024) Nat Commun 15:8122, https://doi.org/10.1038/s41467-024-52259-9",
)
PYTORCH: Citation = (
    "networks",
    "Paszke A, Gross S, Massa F, et al. (2019) NeurIPS, https://arxiv.org/abs/1912.01703",
)
OWN: Citation = ("this package", f"The neurosim developers, neurosim {__version__}")
TOOLS: dict[str, Citation] = {  # by the module whose loading says that it is used
    "brian2": BRIAN2,
    "torch": PYTORCH,
    "snntorch": (
        "spiking networks",
        "Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, "
        "https://doi.org/10.1109/JPROC.2023.3308088",
    ),
    "sklearn": (
        "machine learning",
        "Pedregosa F, Varoquaux G, Gramfort A, et al. (2011) J Mach Learn Res 12:2825-2830, "
        "https://www.jmlr.org/papers/v12/pedregosa11a.html",
    ),
    "xarray": ("labelled arrays", "Hoyer S, Hamman J (2017) J Open Res Softw 5:10, https://doi.org/10.5334/jors.148"),
    "scipy": (
        "numerics",
        "Virtanen P, Gommers R, Oliphant TE, et al. (2020) Nat Methods 17:261-272, "
        "https://doi.org/10.1038/s41592-019-0686-2",
    ),
    "numpy": (
        "arrays",
        "Harris CR, Millman KJ, van der Walt SJ, et al. (2020) Nature 585:357-362, "
        "https://doi.org/10.1038/s41586-020-2649-2",
    ),
    "matplotlib": ("figures", "Hunter JD (2007) Comput Sci Eng 9:90-95, https://doi.org/10.1109/MCSE.2007.55"),
}
PAPERS: dict[str, Citation] = {
    "rsa": (
        "representational similarity analysis",
        "Kriegeskorte N, Mur M, Bandettini P (2008) Front Syst Neurosci 2:4, https://doi.org/10.3389/neuro.06.004.2008",
    ),
    "ceiling": (
        "noise ceiling",
        "Nili H, Wingfield C, Walther A, et al. (2014) PLoS Comput Biol 10:e1003553, "
        "https://doi.org/10.1371/journal.pcbi.1003553",
    ),
    "inference": (
        "inference over subjects and stimuli",
        "Schuett HH, Kipnis AD, Diedrichsen J, Kriegeskorte N (2023) eLife 12:e82566, "
        "https://doi.org/10.7554/eLife.82566",
    ),
    "jackknife": (
        "two-factor jackknife",
        "Efron B, Stein C (1981) Ann Statist 9:586-596, https://doi.org/10.1214/aos/1176345462",
    ),
    "holm": (
        "correction for several models",
        "Holm S (1979) Scand J Statist 6:65-70, https://www.jstor.org/stable/4615733",
    ),
    "fdr": (
        "correction for several models",
        "Benjamini Y, Hochberg Y (1995) J R Stat Soc B 57:289-300, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x",
    ),
}
ADDRESS = re.compile(r"https?://[^\s,;]+")
PAPER = re.compile(r"(?P<authors>[^();:]+) \((?P<year>[12]\d{3})\) (?P<where>\S.*)")
IN_JOURNAL = re.compile(r"(?P<journal>\D+) (?P<volume>\d+)(?:\([^)]*\))?:(?P<pages>[\w-]+)")
INITIALS = re.compile(r"(?P<name>.+) (?P<initials>[A-Z]{1,4}(?:-[A-Z])?)")
SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def tools_in_use() -> list[Citation]:
    """Return what to cite of this package and of the tools that this process has loaded."""
    return [OWN, *(citation for module, citation in TOOLS.items() if module in sys.modules)]


def citations_of(study: Study) -> list[Citation]:
    """Return (what it was used for, reference) for everything that `study` uses."""
    entries = study.kinds()
    found = [
        c
        for order in ("analyses", "subjects", "brains", "stimuli")
        for g, _, kind, row in entries
        if g == order
        for c in kind.cite(row)
    ]
    return list(dict.fromkeys(found))


def cited_inference(tables: Iterable[xr.Dataset]) -> list[Citation]:
    """Return the papers of what was done in ``infer``, as its results say: a ceiling, two factors, several models."""
    found: dict[str, bool] = {}
    for table in tables:
        used = {
            "ceiling": "ceiling" in table,
            "inference": True,
            "jackknife": table.attrs["estimate"] == "jackknife" and "+" in str(table.attrs["resample"]),
            str(table.attrs["correction"]): table.sizes["model"] > 1,
        }
        found |= {name: was or found.get(name, False) for name, was in used.items()}
    return [citation for name, citation in PAPERS.items() if found.get(name)]


def in_full(citations: Iterable[Citation]) -> list[Citation]:
    """Return citations without repetition, an address alone by the reference that this list has for it."""
    known = {ADDRESS.findall(r)[-1]: r for _, r in (*PAPERS.values(), *TOOLS.values(), NIR)}
    return list(dict.fromkeys((what, known.get(reference, reference)) for what, reference in citations))


def as_text(citations: Iterable[Citation]) -> str:
    """Return citations as lines of text.

    >>> as_text([("arrays", "Harris CR (2020) Nature 585:357")])
    'arrays: Harris CR (2020) Nature 585:357'
    """
    return "\n".join(f"{what}: {' '.join(reference.split())}" for what, reference in citations)


def as_bibtex(citations: Iterable[Citation]) -> str:
    """Return citations as BibTeX, one entry a paper; what it was used for is its note.

    An entry holds what the reference says: authors, year, journal, volume, pages, DOI, but no title, which whoever
    resolves the DOI finds.

    >>> print(as_bibtex([("arrays", "Harris CR, et al. (2020) Nature 585:357-362, https://doi.org/10.1038/x_2")]))
    @article{harris2020,
      author = {Harris, CR and others},
      year = {2020},
      journal = {Nature},
      volume = {585},
      pages = {357--362},
      doi = {10.1038/x_2},
      url = {https://doi.org/10.1038/x_2},
      note = {arrays}
    }
    <BLANKLINE>
    """
    notes: dict[tuple[str, str], list[str]] = {}
    for what, reference in citations:
        for paper in papers_of(reference):
            notes.setdefault(paper, []).append(what)
    by_address: dict[str, tuple[str, list[str]]] = {}  # a paper of two references is one entry, of the fuller one
    for (said, address), used in notes.items():
        before, others = by_address.get(address or said, ("", []))
        by_address[address or said] = (max(before, said, key=len), [*others, *used])
    keys: dict[str, int] = {}
    entries = []
    for place, (said, used) in by_address.items():
        kind, key, fields = _entry(said, "" if place == said else place)
        fields["note"] = escaped("; ".join(dict.fromkeys(used)))
        keys[key] = keys.get(key, -1) + 1
        key += f"{ascii_lowercase[keys[key] % 26]}{keys[key] // 26 or ''}" if keys[key] else ""
        entries.append(
            f"@{kind}{{{key},\n" + ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items()) + "\n}\n"
        )
    return "\n".join(entries)


def escaped(text: str) -> str:
    r"""Return text as LaTeX prints it.

    >>> escaped("conv_1 & 50 %")
    'conv\\_1 \\& 50 \\%'
    """
    return "".join(SPECIAL.get(c, c if c.isprintable() else "?") for c in text)


def papers_of(reference: str) -> list[tuple[str, str]]:
    """Return (what is said, address) of every paper of a reference, which may name several, each with its address."""
    reference, found, start = " ".join(reference.split()), [], 0
    for match in ADDRESS.finditer(reference):
        address = match[0].rstrip(".:")
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(".:")
        found.append((reference[start : match.start()].strip(" ;,"), address.replace("{", "%7B").replace("}", "%7D")))
        start = match.start() + len(address)
    return found or [(reference, "")]


def _entry(said: str, address: str) -> tuple[str, str, dict[str, str]]:
    """Return kind, key and fields of an entry of BibTeX."""
    fields: dict[str, str] = {}
    kind, key, paper = "misc", "", PAPER.search(said)
    if paper is not None:
        fields = {"author": _authors(paper["authors"]), "year": paper["year"]}
        key = _plain_letters(paper["authors"].split(",")[0].strip().rpartition(" ")[0] or paper["authors"])
        journal = IN_JOURNAL.fullmatch(paper["where"].strip())
        if journal is None:
            fields["howpublished"] = escaped(paper["where"].strip())
        else:
            kind = "article"
            fields |= {"journal": escaped(journal["journal"]), "volume": journal["volume"]}
            fields["pages"] = journal["pages"].replace("-", "--")
        key += paper["year"]
    elif said:
        fields = {"howpublished": escaped(said)}
    if address.startswith("https://doi.org/"):
        fields["doi"] = address.removeprefix("https://doi.org/")
    fields |= {"url": address} if address else {}
    return (
        kind,
        key or _plain_letters(address.rpartition("//")[2].partition("/")[2] or said)[:60] or "reference",
        fields,
    )


def _authors(said: str) -> str:
    """Return authors as BibTeX parts them; one who is no name with initials, such as a group, stays whole.

    >>> _authors("van der Walt SJ, The Group of Five, et al.")
    'van der Walt, SJ and {The Group of Five} and others'
    """
    names = [name.strip() for name in said.replace(" et al.", ", et al.").split(",") if name.strip()]
    found = []
    for name in names:
        person = INITIALS.fullmatch(name)
        group = "others" if name == "et al." else f"{{{escaped(name)}}}"
        found.append(f"{escaped(person['name'])}, {person['initials']}" if person else group)
    return " and ".join(found)


def _plain_letters(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return re.sub(r"[^a-z0-9]+", "", decomposed.encode("ascii", "ignore").decode())
