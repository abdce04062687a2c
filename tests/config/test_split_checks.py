"""What a kind of split asks of the rest of the study file."""

from typing import Any

import pytest

from lossassay.config import Study, parse_study, study_as_toml
from lossassay.errors import StudyFileError


def study(split: Any, *, evidence: dict[str, Any] | None = None, **data: Any) -> Study:
    return parse_study(
        {
            "name": "s",
            "data": {"path": "digits", "split": split, **data},
            "arms": [{"loss": "focal"}],
            "evidence": evidence or {},
        }
    )


FOLDS, SITES, TIME = {"kind": "cross_validation"}, {"kind": "leave_one_out"}, {"kind": "time"}


@pytest.mark.parametrize(
    ("split", "evidence"),
    [
        (FOLDS, {}),
        ({"kind": "cross_validation", "folds": 4}, {"replicates": 12}),
        (SITES, {"replicates": 7, "method": "sign_flip"}),
        (TIME, {"replicates": {"min": 3, "max": 9}, "scope": "population"}),
        ({"kind": "time", "test": 0.95, "validation": 0.1}, {}),  # validation is a share of the older rows
    ],
)
def test_studies_that_fit(split: dict[str, Any], evidence: dict[str, Any]) -> None:
    assert study(split, evidence=evidence).data.split.kind == split["kind"]


PROBLEMS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "folds and replicates": (
        {"kind": "cross_validation", "folds": 4},
        {"replicates": 10},
        "10 is no multiple of the 4 folds.*`replicates = 8` or `replicates = 12`",
    ),
    "fewer replicates than folds": (FOLDS, {"replicates": 3}, "3 is no multiple of the 5 folds.*`replicates = 5`"),
    "folds and stopping": (
        FOLDS,
        {"replicates": {"min": 5, "max": 10}},
        "evidence.replicates: the folds .* share what",
    ),
    "folds and sign flips": (FOLDS, {"method": "sign_flip"}, "folds of a cross-validation are not"),
    "folds and patients": (FOLDS, {"scope": "population"}, '"population" is not worked out for kind = "cross_valid'),
    "folds that do not vary": (
        FOLDS,
        {"vary": ["init", "order"]},
        'evidence.vary: kind = "cross_validation" tests other',
    ),
    "sites that do not vary": (SITES, {"vary": ["init"]}, 'evidence.vary: kind = "leave_one_out" tests other rows'),
    "sites and stopping": (SITES, {"replicates": {"min": 5, "max": 10}}, "tests every source in turn, so their number"),
    "sites and patients": (SITES, {"scope": "population"}, '"population" is not worked out for kind = "leave_one_out"'),
    "official folds": ({"official": True, **FOLDS}, {}, 'official parts and kind = "cross_validation" are two ways'),
    "a test share of folds": ({"test": 0.3, **FOLDS}, {}, 'test = 0.3 has no meaning for kind = "cross_validation"'),
    "folds of hold-out": ({"folds": 3}, {}, 'folds = 3 has no meaning for kind = "holdout"'),
    "a column of folds": ({"by": "site", **FOLDS}, {}, "by = 'site' has no meaning for kind = \"cross_validation\""),
    "hold-out shares": ({"validation": 0.5, "test": 0.5}, {}, "validation 0.5 and test 0.5 leave nothing to train on"),
    "an unknown kind": ({"kind": "bootstrap"}, {}, "data.split.kind: input should be 'holdout', 'cross_validation'"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems(case: str) -> None:
    split, evidence, message = PROBLEMS[case]
    with pytest.raises(StudyFileError, match=message):
        study(split, evidence=evidence)


def test_the_column_that_is_left_out_by_is_the_source() -> None:
    found = study({"by": "hospital", **SITES}, path="table.csv")
    assert found.data.source == "hospital"
    assert study({"by": "hospital", **SITES}, path="table.csv", source="hospital").data.source == "hospital"
    with pytest.raises(StudyFileError, match=r"by = 'hospital' and data\.source = 'scanner' name two columns"):
        study({"by": "hospital", **SITES}, path="table.csv", source="scanner")


def test_a_table_by_time_names_its_column() -> None:
    with pytest.raises(StudyFileError, match=r'kind = "time" needs data\.time'):
        study(TIME, path="table.csv")
    assert study(TIME, path="table.csv", time="date").data.time == "date"


@pytest.mark.parametrize("split", [{"folds": 2, **FOLDS}, {"by": "site", **SITES}, TIME])
def test_a_resolved_study_is_read_back(split: dict[str, Any]) -> None:
    import tomllib

    found = study(split)
    assert parse_study(tomllib.loads(study_as_toml(found))) == found
