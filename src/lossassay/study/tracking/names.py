"""Names of arms and studies as names of folders and tags: safe, readable, and never two of them the same."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

_UNSAFE = re.compile(r"[^0-9A-Za-z_.+=() -]+")
_LONGEST = 80  # characters; a tag of two names stays below the 250 of MLflow
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # names of devices on Windows


def safe_name(name: str) -> str:
    """Return a name that is a folder on every system; a name that had to change ends in a hash of what it was.

    Args:
        name: Any text.

    Example:
        >>> safe_name("focal 2")
        'focal 2'
        >>> safe_name("../A/B")
        'A_B-e59fb4'
    """
    cleaned = _UNSAFE.sub("_", name).strip(" ._")[:_LONGEST].strip(" .")
    if not cleaned or _RESERVED.fullmatch(cleaned.split(".")[0]):
        cleaned = f"name {cleaned}".strip()
    return cleaned if cleaned == name else f"{cleaned}-{_short_hash(name)}"


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Return a safe name for each name; those that differ in case only get a hash, for some systems ignore case.

    Args:
        names: Different names.
    """
    safe = {name: safe_name(name) for name in names}
    often = Counter(one.casefold() for one in safe.values())
    return {name: one if often[one.casefold()] == 1 else f"{one}-{_short_hash(name)}" for name, one in safe.items()}


def _short_hash(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=3).hexdigest()
