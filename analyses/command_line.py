"""How a script of analyses is called: by what the paragraph "Run:" of its docstring names, and in no other way."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from neurosim.refusals import InputError, check_known, suggest

HELP = ("--help", "-h")
WRONG_USE = 2  # exit code
BRACKETS = re.compile(r"\[(?:[^][]|\[[^][]*\])*\]")  # with one more inside, as in [folder [seed]]


@dataclass(frozen=True)
class Usage:
    """What a docstring says of how its script is run.

    Parameters
    ----------
    command : without what may be left out. more : what may be left out, in brackets.
    said : the rest of the paragraph as sentences, such as how long it takes.
    """

    command: str
    more: str
    said: str

    @property
    def line(self) -> str:
        """Command and what may be left out."""
        return f"{self.command} {self.more}".rstrip()

    @property
    def options(self) -> list[str]:
        """Options that are known."""
        return re.findall(r"--[\w-]+", self.more)

    @property
    def fewest(self) -> int:
        """How many words have to be given."""
        return len(self.command.partition(".py")[2].split())

    @property
    def most(self) -> float:
        """How many words can be given."""
        return float("inf") if "..." in self.more else self.fewest + len(re.findall(r"\[(?!--)", self.more))


def usage(doc: str) -> Usage:
    r"""Return what the docstring of a script says of how it is run.

    Parameters
    ----------
    doc : with a paragraph in which "Run: " stands before the command; the command ends at a parenthesis or a full stop.

    Examples
    --------
    >>> usage("Figure 1.\n\nRun: python analyses/a/fig1.py FILE [folder] [--redraw] (a minute).")
    Usage(command='python analyses/a/fig1.py FILE', more='[folder] [--redraw]', said='A minute.')
    """
    paragraph = next(part for part in doc.split("\n\n") if re.search(r"\bRun[^:.]*: ", part))
    run = " ".join(re.split(r"\bRun[^:.]*: ", paragraph, maxsplit=1)[1].split())
    asked = re.split(r" \(|(?<!\.)\.(?: |$)", run, maxsplit=1)[0]
    rest = re.sub(r"^\(([^)]*)\)\.?", r"\1.", run[len(asked) :].lstrip(". "))
    more = " ".join(found[0] for found in BRACKETS.finditer(asked))
    return Usage(" ".join(BRACKETS.sub("", asked).split()), more, rest[:1].upper() + rest[1:])


@dataclass(frozen=True)
class Given:
    """Words and options that a script was given.

    Parameters
    ----------
    words : without options. options : such as "--redraw".
    """

    words: list[str]
    options: list[str]

    @property
    def redraw(self) -> bool:
        """Whether numbers that are kept are drawn again, and nothing is computed."""
        return "--redraw" in self.options

    def folder(self, default: str | Path) -> Path:
        """Return the folder that is the first word, or another one; a file is refused before anything is computed."""
        asked = Path(self.words[0] if self.words else default).absolute()
        file = next((path for path in (asked, *asked.parents) if path.is_file()), None)
        if file is not None:
            raise InputError(f"{file} is a file; results go into a folder, name one.")
        return asked

    def names(self, known: Collection[str], what: str, first: int = 0) -> list[str]:
        """Return the words from the `first` on, which are known names of `what`; without a word, all known names."""
        for name in self.words[first:]:
            check_known(name, known, f"no {what}")
        return self.words[first:] or list(known)


@contextlib.contextmanager
def called(doc: str) -> Iterator[Given]:
    """Give a script its words and options; what it cannot do ends it with one line on stderr.

    Parameters
    ----------
    doc : docstring of the script; what it does not name is refused, and `--help` says how it is run.
    """
    asked, script = usage(doc), Path(sys.argv[0]).name
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    if set(options) & set(HELP):
        print(f"usage: {asked.line}")
        sys.exit()
    unknown = next((option for option in options if option not in asked.options), "")
    if unknown:
        _end(f"{script}: no option {unknown}.{suggest(unknown, asked.options)} Usage: {asked.line}", WRONG_USE)
    if not asked.fewest <= len(words) <= asked.most:
        _end(f"{script}: found {len(words)} words. Usage: {asked.line}", WRONG_USE)
    try:
        yield Given(words, options)
    except Exception as error:
        if not hasattr(error, "exit_code") and not isinstance(error, OSError):
            raise
        _end(f"{script}: {error}", getattr(error, "exit_code", 1))


def _end(message: str, code: int) -> None:
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(code)
