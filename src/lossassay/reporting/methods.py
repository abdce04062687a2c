"""A paragraph for the methods section of a paper, with the references of what this study used."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from lossassay.catalogue.arm_losses import spec_of
from lossassay.reporting import formatting
from lossassay.reporting.audit_findings import accepted_codes
from lossassay.reporting.bibliography import ENTRIES
from lossassay.reporting.details import exams_of_images
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import averaged_over, level, metric_name, scope, with_unit
from lossassay.study.folder.results import StudyResults


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
    "fixed folds": ("methods.fixed_folds", ("nadeau2003", "bouckaert2004", "dunn1961")),
    "fixed sites": ("methods.fixed_sites", ("dunn1961",)),
    "fixed population": ("methods.fixed_population", ("dunn1961", "howe1974", "zou2008")),
    "planned": ("methods.planned", ("jennison1989", "lan1983", "kim1987", "dunn1961")),
    "anytime": ("methods.anytime", ("lai1976", "wang2023", "dunn1961")),
}
_SCOPES = {
    "procedure": ("methods.procedure", ("bouthillier2021",)),
    "population": ("methods.population", ("satterthwaite1946",)),
    "official": ("methods.official", ("satterthwaite1946",)),
    "folds": ("methods.folds", ("bouthillier2021",)),
    "sites": ("methods.sites", ()),
}
_BESIDE = {  # column of the comparisons: what it is, given for comparison
    "p_holm": ("methods.adjusted", ("holm1979", "westfall1993")),
    "bootstrap_low": ("methods.bootstrap", ("owen2007",)),
    "nadeau_bengio_low": ("methods.corrected", ("nadeau2003",)),
}

Sentences = Iterator[tuple[Markup, tuple[str, ...]]]  # with the keys of their references


def methods(results: StudyResults, m: Messages) -> Methods | None:
    """Return the paragraph of a study with two or more arms; None for one arm."""
    if len(results.study.arms) < 2 or not results.facts.get("stopping"):
        return None
    said = [*_design(results, m), *_tuning(results, m), *_decision(results, m), *_beside(results, m)]
    keys = dict.fromkeys(key for _, own in said for key in own)
    paragraph = Markup(" ").join(sentence for sentence, _ in said)
    return Methods(paragraph=paragraph, bibtex="\n\n".join(ENTRIES[key] for key in keys))


def _design(results: StudyResults, m: Messages) -> Sentences:
    facts = results.facts
    stopping, population = facts["stopping"], facts["scope"] == "population"
    fixed = "fixed population" if population else f"fixed {facts.get('method', 't')}"
    named = scope(results)
    if named in ("folds", "sites") and facts.get("method", "t") == "t":
        fixed = f"fixed {named}"
    rule, rule_keys = _RULES[fixed if stopping["rule"] == "fixed" else stopping["rule"]]
    whom, whom_keys = _SCOPES[named]
    design = m(
        "methods.design",
        arms=m.counted("count.arms", len(results.study.arms)),
        replicates=m.counted("count.replicates", stopping["reached"]),
        metric=metric_name(m, facts["primary_metric"]),
        version=results.plan.get("lossassay_version", ""),
    )
    yield design, ()
    folds = results.study.data.split.folds - 1
    exams = exams_of_images(results.plan.get("data", {}), m)
    if exams is not None:
        yield m("methods.exams", exams=exams), ()
    yield m(rule, level=level(facts), min=stopping["min"], max=stopping["max"], folds_less_one=folds), rule_keys
    yield m(whom, over=averaged_over(results, m)), whom_keys
    if results.study.data.split.kind == "time":
        yield m("methods.time"), ()
    if population and stopping["rule"] != "fixed":
        yield m("methods.halves"), ()


_SAMPLERS: dict[str, tuple[str, ...]] = {"quasi_random": ("owen1998",), "random": (), "tpe": ("bergstra2011",)}


def _tuning(results: StudyResults, m: Messages) -> Sentences:
    """Say how the parameters of each arm were chosen, where they were."""
    tuning, facts = results.study.tuning, results.facts.get("tuning")
    if tuning is None or not facts:
        return
    yield (
        m(
            f"methods.tuned_{tuning.scope}",
            parameters=", ".join(facts["parameters"]),
            trials=tuning.trials,
            metric=metric_name(m, facts["metric"]),
            share=formatting.value("share", tuning.share),
        ),
        ("bouthillier2021",) if tuning.scope == "nested" else (),
    )
    if tuning.arms:
        yield m("methods.tuned_arms", arms=", ".join(tuning.arms)), ()
    yield m(f"methods.tuned_{tuning.sampler}"), _SAMPLERS[tuning.sampler]
    if tuning.pruning == "halving":
        yield m("methods.tuned_halving"), ("jamieson2016",)


def _decision(results: StudyResults, m: Messages) -> Sentences:
    facts, margin = results.facts, results.facts.get("margin")
    if margin is not None:
        metric = facts["primary_metric"]
        later = (facts.get("registered") or {"margin": margin})["margin"] != margin
        size = with_unit(m, metric, formatting.size_of_difference(metric, margin))
        yield m("methods.margin_later" if later else "methods.margin", margin=size), ()
    if facts.get("exploratory"):
        yield m("methods.exploratory"), ()
    accepted = accepted_codes(results)
    if accepted:
        yield m("methods.accepted", codes=", ".join(accepted)), ()
    if any(spec_of(arm.loss, arm.hyper_parameters).output != "probability" for arm in results.study.arms):
        yield m("methods.calibrated"), ("guo2017", "platt1999")
    yield m("methods.diverged"), ("clopper1934",)


def _beside(results: StudyResults, m: Messages) -> Sentences:
    table = results.tables["comparisons"].filter(metric=results.facts["primary_metric"])
    for column, (key, references) in _BESIDE.items():
        if table[column].count():
            yield m(key), references
