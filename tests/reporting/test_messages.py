"""One table of sentences: complete, and without leftovers."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from altair.utils.schemapi import debug_mode
from markupsafe import Markup

from lossassay.biomarkers.model_card import CardFacts
from lossassay.catalogue.criteria import CRITERIA
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import Study
from lossassay.errors import UnknownNameError
from lossassay.reporting import answer
from lossassay.reporting.audit_page import render_audit
from lossassay.reporting.charts import FIGURES
from lossassay.reporting.charts.critical_difference import critical_difference
from lossassay.reporting.checks import check_rows
from lossassay.reporting.details import held_fixed
from lossassay.reporting.explain_page import render_explanation
from lossassay.reporting.figures import DrawnFigure
from lossassay.reporting.messages import Messages, load_messages
from lossassay.reporting.methods import methods
from lossassay.reporting.model_card import card_as_html
from lossassay.reporting.page import render
from lossassay.reporting.tuning import terminal_line
from lossassay.reporting.words import VERDICT_ORDER
from lossassay.stats.verdicts import Reason
from lossassay.study.auditing.audit import AuditResult
from lossassay.study.folder.results import StudyResults
from tests.reporting.fake_audit import fake_audit, fake_pictures, finding
from tests.reporting.fake_biomarkers import with_biomarkers
from tests.reporting.fake_card import fake_card, fake_tuned
from tests.reporting.fake_explanation import fake_explanation, fake_heatmaps, with_heatmaps
from tests.reporting.fake_results import PAPER, empty_tables, fake_results
from tests.reporting.fake_tuning import with_epochs_of_one_arm, with_tuning
from tests.reporting.test_charts import data_sets


class Recorder(Messages):
    """Messages that remember which were asked for."""

    def __init__(self, messages: Messages) -> None:
        super().__init__({key: messages._find(key) for key in messages})
        self.used: set[str] = set()

    def _find(self, key: str) -> str:
        if hasattr(self, "used"):
            self.used.add(key)
        return super()._find(key)


def changed_study(results: StudyResults, changes: dict[str, dict[str, Any]]) -> StudyResults:
    """Replace values inside sections of the study."""
    raw = results.study.model_dump()
    for section, values in changes.items():
        raw[section] = raw[section] | values
    return dataclasses.replace(results, study=Study.model_validate(raw))


def changed_facts(results: StudyResults, **facts: Any) -> StudyResults:
    return dataclasses.replace(results, facts=results.facts | facts)


def whole_pages(folder: Path) -> Iterator[StudyResults]:
    """Studies whose pages together need every sentence but those of single verdicts."""
    base = fake_results(folder, arms=4)
    with_heatmaps(base)
    yield changed_facts(base, paper=PAPER, runs_planned=99, runs_diverged=1, runs_failed=2, jobs_failed=1)
    yield changed_facts(base, jobs_failed=2)
    yield fake_results(folder, arms=2, multi_label=True, pictures=False)
    yield fake_results(folder, arms=2, replicates=1, margin=None, pictures=False)
    yield fake_results(folder, arms=2, classes=tuple("abcdefgh"), pictures=False)
    one = fake_results(folder, arms=1, replicates=1, classes=("only",))
    yield dataclasses.replace(one, plan=one.plan | {"data": one.plan["data"] | {"rows": 1}}, findings=())
    unusual = changed_study(
        base,
        {
            "data": {
                "resize": "crop",
                "preprocess": ("clahe", "lung_crop"),
                "split": {"official": True, "validation": 0.1, "test": 0.2},
            },
            "training": {"weights": "w.safetensors", "freeze_features": True, "selection": "last"},
            "evidence": {"vary": ("init",)},
        },
    )
    relations = base.tables["identities"]["relation"].replace("different", "same loss, other training")
    identities = base.tables["identities"].with_columns(relation=relations)
    plan = base.plan | {"data": base.plan["data"] | {"groups": None}}
    plan |= {"environment": base.plan["environment"] | {"gpu": "H100"}}
    yield dataclasses.replace(unusual, plan=plan, tables=base.tables | {"identities": identities})
    yield changed_study(base, {"data": {"resize": "stretch"}, "evidence": {"vary": ("split", "order")}})
    yield changed_study(base, {"evidence": {"vary": ("split",)}})
    ranking = base.study.arms[-1].model_copy(update={"loss": "pairwise_auroc", "hyper_parameters": {}})
    of_grades = base.study.model_copy(update={"arms": (*base.study.arms[:-1], ranking)})
    graded = base.plan | {"data": base.plan["data"] | {"task": "ordinal"}}
    yield dataclasses.replace(base, study=of_grades, plan=graded)
    yield changed_study(base, {"evidence": {"vary": ()}})
    yield fake_results(folder, arms=8, stopping="planned", pictures=False)
    yield dataclasses.replace(base, tables=empty_tables(), gallery=None)
    for stopping in ("planned", "anytime"):
        looked = fake_results(folder, arms=4, stopping=stopping, pictures=False)
        registered = looked.facts["registered"] | {"scope": "population", "margin": None, "compare": "a_loss"}
        changes = {"scope": "population", "official_split": stopping == "planned", "registered": registered}
        yield changed_facts(looked, **changes)
        yield changed_facts(looked, patients=1)
    controlled = fake_results(folder, arms=2, stopping="planned", pictures=False)
    table = controlled.tables["controls"]
    without = [pl.lit(None, dtype=pl.Float64).alias(name) for name in ("surviving", "low", "high")]
    for changes in (without, [*without, pl.lit(None, dtype=pl.Float64).alias("chance")]):
        yield dataclasses.replace(controlled, tables=controlled.tables | {"controls": table.with_columns(changes)})
    in_exams = base.plan | {"data": base.plan["data"] | {"exams": 40}}
    yield dataclasses.replace(changed_facts(base, patients=40, patient_unit="exam"), plan=in_exams)
    one_exam = base.plan | {"data": base.plan["data"] | {"exams": 1}}
    yield dataclasses.replace(changed_facts(base, patients=1, patient_unit="exam"), plan=one_exam)
    yield changed_facts(base, method="sign_flip")
    accepted = dataclasses.replace(base, findings=(base.findings[0] | {"code": "duplicate-across-classes"},))
    yield changed_study(accepted, {"audit": {"accept": ("duplicate-across-classes",)}})
    yield changed_facts(base, scope="population")
    yield from other_splits(base)
    for checks in check_tables(base):
        yield dataclasses.replace(base, tables=base.tables | {"checks": checks})
    yield from assessed(base, folder)
    yield from tuned(folder)
    for diverged in (0, 3):
        table = base.tables["divergence"].with_columns(diverged=pl.lit(diverged))
        yield dataclasses.replace(base, tables=base.tables | {"divergence": table})


def assessed(base: StudyResults, folder: Path) -> Iterator[StudyResults]:
    """Studies whose features were assessed."""
    visits = {"subjects_low": 3, "subjects_high": 3, "coefficient_from": ["noisy views"], "score": "severity"}
    yield with_biomarkers(base, shown=True, runs_diverged=1)
    yield with_biomarkers(base, criterion="nuisance", runs_diverged=2)
    yield with_biomarkers(base, criterion="silhouette")
    yield with_biomarkers(changed_facts(base, primary_metric="nll"), probes=[], nuisance=[], front=[])
    yield with_biomarkers(base, intervals=False, runs=["another"], visits=visits | {"score": None})
    yield with_biomarkers(base, visits=visits | {"subjects_high": 0})
    arms = [arm.name for arm in base.study.arms]
    change = {"arm_a": arms[0], "arm_b": arms[1], "verdict": "better", "instead_of": "undecided"}
    diverged = {"runs_diverged": 1, "diverged_by_arm": {arms[0]: 1}}
    yield with_biomarkers(base, **diverged, if_diverged_were_worst={"value": 0.1, "changes": [change]})
    yield with_biomarkers(base, **diverged, if_diverged_were_worst={"value": 0.1, "changes": []}, classes=10)
    yield with_biomarkers(base, baseline="first_order", controls=["control: masked centre"])
    yield with_biomarkers(base, baseline="no_scikit_image", baseline_features=0)
    yield with_biomarkers(fake_results(folder, arms=1, pictures=False))
    yield with_biomarkers(fake_results(folder, arms=3, stopping="planned", pictures=False))


def tuned(folder: Path) -> Iterator[StudyResults]:
    """Studies whose arms were tuned."""
    two = fake_results(folder, arms=2, pictures=False)
    yield with_tuning(two)
    yield with_tuning(two, replicates=None, apart=False, changed=False, settings={"sampler": "random"})
    yield with_tuning(two, untuned=False, jobs_finished=2, settings={"sampler": "tpe", "pruning": "none"})
    yield with_tuning(two, diverged=5, epochs_low=1, rate_changes=[], moved=False)
    yield with_epochs_of_one_arm(with_tuning(two, epochs_low=1), 99)
    yield with_tuning(two, rate_tuned=False, common_epochs=1, metric="macro_auroc")
    yield with_tuning(two, replicates=1)
    three = fake_results(folder, arms=3, pictures=False)
    yield with_tuning(three)
    yield with_tuning(three, changed=False)
    same_word = with_tuning(two)
    words = same_word.tables["tuning_verdicts"].with_columns(changed=pl.lit(False))
    yield dataclasses.replace(same_word, tables=same_word.tables | {"tuning_verdicts": words})
    span = {"arm": "a", "parameter": "p", "low": 1, "high": 2, "choices": ["b", "c"], "of_arm_alone": True}
    ranges = [span | {"scale": scale} for scale in ("linear", "log", "integer", "choices")]
    yield with_tuning(two, ranges=ranges, settings={"arms": {"a": {"p": [1, 2]}}})
    with_control = with_tuning(fake_results(folder, arms=2, pictures=False, stopping="planned"))
    yield with_control
    plan = with_control.plan | {"tuning": [{"arm": "A/A control"}]}
    yield dataclasses.replace(with_control, plan=plan)


def other_splits(base: StudyResults) -> Iterator[StudyResults]:
    """Studies whose rows are parted by folds, sites or time."""
    for kind in ("cross_validation", "leave_one_out", "time"):
        for vary in (("split",), ("split", "init")):
            changes = {"data": {"split": {"kind": kind}}, "evidence": {"vary": vary}}
            parts = [part | {"left_out": 7} for part in base.plan["data"]["parts"]]
            plan = base.plan | {"data": base.plan["data"] | {"parts": parts}}
            yield dataclasses.replace(changed_study(changed_facts(base, sites=5), changes), plan=plan)


def check_tables(results: StudyResults) -> Iterator[pl.DataFrame]:
    """Checks with every status and every sentence."""
    table = results.tables["checks"]
    yield table.with_columns(status=pl.lit("passed"))
    sometimes = ("gradient-scales", "margin-below-resolution", "best-epoch-last", "group-overlap")
    sometimes += ("source-predicts-class", "changed-after-start")
    sometimes += ("survives-without-anatomy", "permuted-labels-at-chance", "tuned-at-edge")
    sometimes += ("tuning-cut-at-chance", "none-above-chance")
    yield table.filter(pl.col("code").is_in(sometimes)).with_columns(status=pl.lit("not applicable"))
    unknown = {
        "gradient-scales": {"ratio": None, "arm_low": "a", "arm_high": "b"},
        "no-margin": {"resolution": None, "metric": "nll"},
    }
    by_t = {"too-few-replicates": {"replicates": 3, "needed": 6, "method": "t"}}
    for code, fields in (unknown | by_t).items():
        yield table.filter(code=code).with_columns(status=pl.lit("failed"), fields=pl.lit(json.dumps(fields)))


def audits() -> Iterator[AuditResult]:
    """Audits whose pages together need every sentence of the page."""
    note = finding("no-groups", "note")
    yield fake_audit()
    yield fake_audit(findings=(finding("tiny-class"), note), probes=(), patients=1, official=False)
    yield fake_audit(findings=(), patients=None)
    whole = fake_audit(findings=(note,))
    again = dataclasses.replace(whole, facts=whole.facts | {"looked_at": whole.facts["looked_at"] * 2})
    yield again


def answers(folder: Path) -> Iterator[StudyResults]:
    """Studies whose answers together need every sentence of the answer."""
    for verdict in VERDICT_ORDER:
        two = fake_results(folder, arms=2, pictures=False, verdicts={0: verdict})
        yield two
        yield changed_facts(two, same_function_pairs=[])
        rounded = two.facts["same_function_pairs"][0] | {"largest_score_difference": 3e-6}
        yield changed_facts(two, same_function_pairs=[rounded], primary_metric="nll")
        table = two.tables["comparisons"]
        lower = table.with_columns(primary=table["metric"] == "nll", verdict=pl.lit(verdict))
        yield dataclasses.replace(changed_facts(two, primary_metric="nll"), tables=two.tables | {"comparisons": lower})
        for other in ("undecided", "better"):
            verdicts = dict.fromkeys(range(6), other) | {5: verdict}
            yield fake_results(folder, arms=4, pictures=False, verdicts=verdicts)
        yield fake_results(folder, arms=4, pictures=False, verdicts=dict.fromkeys(range(6), verdict))
    yield fake_results(folder, arms=2, pictures=False, replicates=1, verdicts={0: "undecided"})
    base = fake_results(folder, arms=4, pictures=False)
    table = base.tables["comparisons"]
    stopped = table.with_columns(replicates=pl.Series(range(3, 3 + len(table)), dtype=table["replicates"].dtype))
    yield dataclasses.replace(base, tables=base.tables | {"comparisons": stopped})
    for reason in get_args(Reason):
        frame = base.tables["comparisons"].with_columns(reason=pl.lit(reason))
        yield dataclasses.replace(base, tables=base.tables | {"comparisons": frame})


def cards() -> Iterator[CardFacts]:
    """Runs whose model cards together need every sentence of the card."""
    usual = fake_card()
    yield usual
    yield dataclasses.replace(usual, yardsticks=(), findings=())
    multi = usual.plan | {"data": usual.plan["data"] | {"task": "multi_label", "groups": 12, "sources": {"a": 9}}}
    yield dataclasses.replace(usual, plan=multi)
    yield dataclasses.replace(usual, is_fit=True, parts=(80, 10, 0))
    yield dataclasses.replace(usual, is_fit=True, expected_from="pictures")
    yield dataclasses.replace(usual, tuning=fake_tuned("nested", trial=7))
    yield dataclasses.replace(usual, tuning=dataclasses.replace(fake_tuned("once", trial=0), trials=1))
    yield dataclasses.replace(usual, tuning=fake_tuned("replicate", trial=7))
    yield dataclasses.replace(usual, tuning=fake_tuned("again", trial=7))


def kind_of_figures(results: StudyResults) -> tuple[Any, ...]:
    """What figures depend on: two pages of one kind need the same sentences in their figures."""
    empty = frozenset(name for name, frame in results.tables.items() if frame.is_empty())
    stopping, data = results.facts.get("stopping") or {}, results.plan["data"]
    later = json.dumps([results.biomarkers, results.facts.get("tuning")], sort_keys=True, default=str)
    replicates = results.tables["runs"]["replicate"].n_unique()
    return len(results.study.arms), replicates, empty, stopping.get("rule"), data["task"], later


def test_every_sentence_is_used_and_every_used_one_exists(tmp_path: Path) -> None:
    recorder = Recorder(load_messages())
    large = DrawnFigure(
        name="forest",
        table="comparisons",
        title="",
        subtitle="",
        spec=Markup("{}"),
        panel_px=None,
        panels=1,
        fallback=None,
    )
    drawn = set()
    for results in whole_pages(tmp_path):
        if (kind := kind_of_figures(results)) not in drawn:
            drawn.add(kind)
            with debug_mode(False):  # that charts are valid is tested in test_charts.py
                for draw in FIGURES.values():
                    draw(results, recorder)
        render(results, {"forest": large}, recorder)
        terminal_line(results, recorder)
    for audit in audits():
        render_audit(audit, fake_pictures(audit, presets=("clahe",)), recorder)
    for explanation in (fake_explanation(), fake_explanation(measured=False)):
        render_explanation(explanation, fake_heatmaps(explanation), recorder)
    for results in answers(tmp_path):
        answer.headline(results, recorder)
        answer.pair_rows(results, recorder)
    FIGURES["arms"](fake_results(tmp_path / "many", arms=2, replicates=201), recorder)
    critical_difference(data_sets(), "95", recorder)
    for card in cards():
        card_as_html(card, recorder)
    for name in (*YARDSTICKS, "sensitivity", "specificity", "precision", "auroc", "average_precision", "f1"):
        recorder(f"metric.{name}.name")
        recorder(f"metric.{name}.gloss")
    for name in CRITERIA:
        recorder(f"criterion.{name}.name")
        recorder(f"criterion.{name}.gloss")
    assert sorted(set(recorder) - recorder.used) == []


def test_a_missing_sentence_is_an_error_with_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError, match=r"No sentence is called 'verdict.beter'.*Did you mean 'verdict.better'\?"
    ):
        load_messages()("verdict.beter")


def test_a_missing_field_is_an_error() -> None:
    with pytest.raises(KeyError, match="metric"):
        load_messages().text("chart.arms.title")


def test_a_missing_language_names_those_that_exist() -> None:
    with pytest.raises(UnknownNameError, match=r"No language is called 'xx'. Known: en\."):
        load_messages("xx")


def test_fields_are_escaped_unless_they_are_markup() -> None:
    messages = Messages({"k": "<{a}> & {b}"})
    assert messages("k", a="<i>", b=Markup("<b>")) == "&lt;&lt;i&gt;&gt; &amp; <b>"
    assert messages.text("k", a="<i>", b="{a}") == "<<i>> & {a}"


def test_sentences_are_sentences() -> None:
    messages = load_messages()
    for key in messages:
        text = messages._find(key)
        assert text == text.strip(), key
        assert "  " not in text, key
        assert all(name.isidentifier() for name in messages.fields(key)), key


def test_a_check_that_does_not_apply_says_so(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=2, pictures=False)
    table = base.tables["checks"].filter(code="group-overlap").head(1).with_columns(status=pl.lit("not applicable"))
    (row,) = check_rows(dataclasses.replace(base, tables=base.tables | {"checks": table}), load_messages())
    assert row.what == "No groups were given, so images of one patient may stand in several parts."


@pytest.mark.parametrize(
    ("scope", "stopping", "said", "not_said"),
    [
        ("population", "fixed", "howe1974", "Half of the error"),
        ("population", "planned", "Half of the error", "howe1974"),
        ("procedure", "planned", "averaged over splits and seeds", "satterthwaite1946"),
    ],
)
def test_the_methods_paragraph_says_what_was_done(
    tmp_path: Path, scope: str, stopping: str, said: str, not_said: str
) -> None:
    results = changed_facts(fake_results(tmp_path, arms=3, stopping=stopping, pictures=False), scope=scope)
    paragraph = methods(results, load_messages()).paragraph
    assert said in paragraph
    assert not_said not in paragraph


def test_the_methods_paragraph_names_only_what_was_varied(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=3, pictures=False)
    seeds = changed_study(base, {"evidence": {"vary": ("init", "order")}})
    assert "averaged over seeds" in methods(seeds, load_messages()).paragraph


def test_what_was_held_fixed_agrees_with_the_scope(tmp_path: Path) -> None:
    base = fake_results(tmp_path, arms=3, pictures=False)
    for scope, expected in (("procedure", "not about new patients"), ("population", "are about new patients")):
        assert expected in " ".join(held_fixed(changed_facts(base, scope=scope), load_messages()))


def test_every_reason_of_the_verdicts_has_words() -> None:
    assert set(get_args(Reason)) <= set(answer._REASONS)
