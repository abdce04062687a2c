"""A paragraph for the methods section of a paper, with the references of what this study used."""

from dataclasses import dataclass

from markupsafe import Markup

from lossassay.reporting import formatting
from lossassay.reporting.bibliography import ENTRIES
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import level, metric_name, with_unit
from lossassay.study.results import StudyResults


@dataclass(frozen=True, kw_only=True)
class Methods:
    """Text and references.

    Args:
        paragraph: Sentences with the keys of the references in brackets.
        bibtex: The references.
    """

    paragraph: Markup
    bibtex: str


_RULES = {
    "fixed t": ("methods.fixed_t", ("dunn1961",)),
    "fixed sign_flip": ("methods.fixed_sign_flip", ("westfall1993",)),
    "planned t": ("methods.planned", ("lan1983", "kim1987", "jennison1989")),
    "anytime t": ("methods.anytime", ("lai1976", "wang2023")),
}
_SCOPES = {
    "procedure": ("methods.procedure", ("bouthillier2021",)),
    "population": ("methods.population", ("howe1974", "zou2008")),
}


def methods(results: StudyResults, m: Messages) -> Methods | None:
    """Return the paragraph of a study with two or more arms; None for one arm."""
    facts, study = results.facts, results.study
    stopping = facts.get("stopping")
    if len(study.arms) < 2 or not stopping:
        return None
    metric, margin = facts["primary_metric"], facts.get("margin")
    rule, rule_keys = _RULES[f"{stopping['rule']} {facts.get('method', 't')}"]
    scope, scope_keys = _SCOPES[facts["scope"]]
    sentences = [
        m(
            "methods.design",
            arms=m.counted("count.arms", len(study.arms)),
            replicates=m.counted("count.replicates", stopping["reached"]),
            metric=metric_name(m, metric),
            version=results.plan.get("lossassay_version", ""),
        ),
        m(rule, level=level(facts), min=stopping["min"], max=stopping["max"]),
        m(scope),
    ]
    if margin is not None:
        size = with_unit(m, metric, formatting.size_of_difference(metric, margin))
        sentences.append(m("methods.margin", margin=size))
    sentences.append(m("methods.diverged"))
    keys = (*rule_keys, *scope_keys, "clopper1934")
    return Methods(
        paragraph=Markup(" ").join(sentences), bibtex="\n\n".join(ENTRIES[key] for key in dict.fromkeys(keys))
    )
