"""The findings of a study's audit in its report: counted, and those that were accepted though they stop a study."""

from dataclasses import dataclass

from markupsafe import Markup

from lossassay.catalogue.audit_codes import stops
from lossassay.reporting.messages import Messages
from lossassay.study.folder.results import StudyResults


@dataclass(frozen=True, kw_only=True)
class FindingRow:
    """One finding as the report shows it."""

    severity: str
    word: Markup
    message: str
    advice: str
    concerns: Markup | str
    accepted: Markup | None


def accepted_codes(results: StudyResults) -> list[str]:
    """Return the codes that were found, stop a study, and were accepted."""
    official = results.study.data.split.official
    found = dict.fromkeys(finding["code"] for finding in results.findings)
    return [code for code in found if code in results.study.audit.accept and stops(code, official=official)]


def finding_rows(results: StudyResults, m: Messages) -> list[FindingRow]:
    """Return every finding, in the order of the audit."""
    accepted = accepted_codes(results)
    return [
        FindingRow(
            severity=finding["severity"],
            word=m("finding.issue") if finding["severity"] == "issue" else m("finding.note"),
            message=finding["message"],
            advice=finding["advice"],
            concerns=m(
                "section.data.concerns", code=finding["code"], images=m.counted("count.images", len(finding["rows"]))
            )
            if finding["rows"]
            else finding["code"],
            accepted=m("finding.accepted") if finding["code"] in accepted else None,
        )
        for finding in results.findings
    ]


def counted(results: StudyResults, m: Messages) -> Markup:
    """Say how many issues and notes there are."""
    severities = [finding["severity"] for finding in results.findings]
    numbers = {"issue": "count.issues", "note": "count.notes"}
    words = [m.counted(key, severities.count(one)) for one, key in numbers.items() if one in severities]
    found = m("answer.and", first=words[0], last=words[1]) if len(words) > 1 else Markup.escape("".join(words))
    return m("section.data.counted", found=found)
