"""What headers say about a tree as a whole, as findings."""

from collections.abc import Mapping, Sequence

from lossassay.config.schema import DataConfig
from lossassay.data.dicom.headers import Header
from lossassay.data.manifest import Finding

_WORDS = {"too large": "claim to be too large", "not readable": "cannot be opened"}


def unreadable_findings(problems: Mapping[tuple[str, str], Sequence[str]], readable: int) -> list[Finding]:
    """Count the files whose header cannot be used, by reason.

    Args:
        problems: (problem, detail) → names of files.
        readable: How many others there are.
    """
    total = readable + sum(len(names) for names in problems.values())
    return [
        Finding(
            code="unreadable-image",
            severity="issue",
            message=f"{len(names)} of {total} DICOM files {_WORDS.get(problem, 'cannot be read')}"
            f"{f' ({detail})' if detail else ''}; they are left out.",
            advice="Copy them again, or remove them.",
            paths=tuple(names),
        )
        for (problem, detail), names in sorted(problems.items())
    ]


def ignored_findings(names: Sequence[str]) -> list[Finding]:
    """Count the files of a tree that are no DICOM."""
    if not names:
        return []
    return [
        Finding(
            code="ignored-files",
            severity="note",
            message=f"{len(names)} files in the tree are no DICOM and are ignored.",
            advice="Nothing, unless they are images of the study: convert those to DICOM, or list all in a table.",
            paths=tuple(names),
        )
    ]


def header_findings(headers: Sequence[Header], data: DataConfig) -> list[Finding]:
    """Say how many images have burned-in annotations, and how many a window that cannot be used."""
    return [*_burned_in(headers), *(_window_unusable(headers) if data.dicom.window == "file" else [])]


def _burned_in(headers: Sequence[Header]) -> list[Finding]:
    burned = tuple(header.name for header in headers if header.is_burned_in)
    if not burned:
        return []
    return [
        Finding(
            code="burned-in",
            severity="issue",
            message=f"{len(burned)} of {len(headers)} DICOM images say that annotations are burned into their pixels "
            "(BurnedInAnnotation is YES).",
            advice="Look at them: text can name the patient, and can give the class away. Mask it or leave them out.",
            paths=burned,
        )
    ]


def _window_unusable(headers: Sequence[Header]) -> list[Finding]:
    unusable = tuple(header.name for header in headers if header.window is False)
    if not unusable:
        return []
    return [
        Finding(
            code="window-unusable",
            severity="note",
            message=f"{len(unusable)} of {len(headers)} DICOM images name a window that cannot be used, such as a "
            "width of 0; the full range of their values is shown in its place.",
            advice="Set data.dicom.window = [centre, width] if they need the same window as the others.",
            paths=unusable,
        )
    ]
