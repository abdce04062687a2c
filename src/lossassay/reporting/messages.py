"""All sentences and labels of the page, from one table; another language is another file beside en.toml."""

import string
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from lossassay.errors import unknown_name


class Messages:
    """Sentences by dotted key, with named fields such as ``{arm}``.

    Args:
        texts: Key → text.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __call__(self, key: str, /, **fields: Any) -> Markup:
        """Return a sentence as safe HTML: text and plain fields are escaped, fields that are `Markup` are kept.

        Raises:
            UnknownNameError: If there is no such sentence.
            KeyError: If a field of the sentence is not given.
        """
        return escape(self._find(key)).format(**fields)

    def text(self, key: str, /, **fields: Any) -> str:
        """Return a sentence as plain text, for charts and attributes.

        Raises:
            UnknownNameError: If there is no such sentence.
            KeyError: If a field of the sentence is not given.
        """
        return self._find(key).format(**fields)

    def counted(self, key: str, number: int) -> str:
        """Return a number with its noun, ``"1 replicate"`` or ``"1,797 images"``, from ``key.one`` or ``key.other``."""
        return self._find(f"{key}.one" if number == 1 else f"{key}.other").format(number=f"{number:,}")

    def fields(self, key: str) -> set[str]:
        """Return the names of the fields that a sentence needs."""
        return {name for _, name, _, _ in string.Formatter().parse(self._find(key)) if name}

    def _find(self, key: str) -> str:
        if key not in self._texts:
            raise unknown_name("sentence", key, self._texts)
        return self._texts[key]


def load_messages(language: str = "en") -> Messages:
    """Read the message table of a language.

    Raises:
        UnknownNameError: If there is none for that language.
    """
    folder = files("lossassay.reporting") / "messages"
    file = folder / f"{language}.toml"
    if not file.is_file():
        known = [entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")]
        raise unknown_name("language", language, known)
    return Messages(dict(_flattened(tomllib.loads(file.read_text(encoding="utf-8")))))


def _flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flattened(value, f"{prefix}{key}.")
