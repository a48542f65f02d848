"""One process at a time, where the file system can lock; where it cannot, each for itself.

Without locks two runs at once may do the same step twice; the result is right all the same, as an entry of the store
appears whole, by one renaming, and the first one stays.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
log = logging.getLogger(__name__)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path` inside the block, if its file system has locks."""
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _warn_once(path.parent)
    try:
        yield
    finally:
        lock.release()


@cache
def _warn_once(folder: Path) -> None:
    log.warning("%s: no locks on this file system; two runs at once may do the same step twice.", folder)
