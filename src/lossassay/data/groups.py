"""Group identifiers become keyed hashes at once: a patient number leaves its table in no other form."""

import hashlib
import os
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_config_path

from lossassay.data.manifest import Finding
from lossassay.errors import DataError

_KEY_BYTES = 32
_HASH_BYTES = 12


def group_key(folder: Path | None = None) -> bytes:
    """Return this user's secret key, made when it is first asked for.

    Args:
        folder: Where it is kept; by default ``$LOSSASSAY_CONFIG``, else the user's configuration folder.

    Raises:
        DataError: If the key cannot be written or read.
    """
    folder = folder or Path(os.environ.get("LOSSASSAY_CONFIG") or user_config_path("lossassay"))
    path = folder / "group.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read_key(path)
        with os.fdopen(handle, "wb") as file:
            file.write(key := secrets.token_bytes(_KEY_BYTES))
        return key
    except OSError as error:
        raise DataError(
            f"The key that hides group identifiers cannot be kept in {folder}: {error.strerror}. "
            "Expected a folder that can be written. Name one with the environment variable LOSSASSAY_CONFIG."
        ) from None


def _read_key(path: Path) -> bytes:
    for _ in range(20):  # another process may have made the file a moment ago and not written it yet
        if len(key := path.read_bytes()) == _KEY_BYTES:
            return key
        time.sleep(0.05)
    raise DataError(
        f"{path} holds {len(key)} bytes, expected {_KEY_BYTES}. Delete it; a new key changes no split and no result."
    )


def hash_groups(identifiers: Sequence[str | None]) -> list[str | None]:
    """Replace every identifier by its keyed BLAKE2b hash in hexadecimal; None stays None."""
    key = group_key()
    known: dict[str | None, str | None] = {None: None}
    for identifier in identifiers:
        if identifier is not None and identifier not in known:
            known[identifier] = hashlib.blake2b(identifier.encode(), key=key, digest_size=_HASH_BYTES).hexdigest()
    return [known[identifier] for identifier in identifiers]


def groups_from_paths(pattern: str, paths: Sequence[str]) -> list[str | None]:
    """Search ``pattern`` in every path; what its one group matches is the identifier.

    Raises:
        DataError: If the pattern is no regular expression with exactly one group, or matches nowhere.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise DataError(f"data.group_pattern {pattern!r} is no regular expression: {error}.") from None
    if expression.groups != 1:
        raise DataError(
            f"data.group_pattern {pattern!r} has {expression.groups} groups in parentheses, expected exactly one, "
            "around the part of the path that names the patient, for example 'person(\\d+)_'."
        )
    found = [match.group(1) if (match := expression.search(path)) else None for path in paths]
    if all(identifier is None for identifier in found):
        raise DataError(
            f"data.group_pattern {pattern!r} matches none of the {len(paths)} paths; the first is {paths[0]!r}. "
            "Correct the pattern, or leave it out."
        )
    return found


def missing_group_findings(groups: Sequence[str | None]) -> list[Finding]:
    """Say how many rows have no group, if some have one."""
    missing = sum(group is None for group in groups)
    if not missing:
        return []
    return [
        Finding(
            code="group-missing",
            severity="note",
            message=f"{missing} of {len(groups)} images have no group; each of them counts as a group of its own.",
            advice="Fill in the group of these images if some of them belong to the same patient.",
        )
    ]
