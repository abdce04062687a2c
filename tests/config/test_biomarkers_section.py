"""The section on biomarkers of a study file."""

from typing import Any

import pytest

from lossassay.config.load import parse_study, study_as_toml
from lossassay.config.schema import BiomarkersConfig, Study
from lossassay.errors import StudyFileError


def study_with(section: dict[str, Any] | None) -> Study:
    raw = {"name": "a", "data": {"path": "digits"}, "arms": [{"loss": "focal"}]}
    return parse_study(raw if section is None else raw | {"biomarkers": section})


def test_without_a_section_nothing_is_assessed_and_nothing_is_written() -> None:
    assert study_with(None).biomarkers is None
    assert "biomarkers" not in study_as_toml(study_with(None))


def test_a_probe_is_a_name_or_a_table() -> None:
    section = {"probes": ["sex", {"column": "folder", "values": ["bacteria", "virus"]}], "nuisance": "view"}
    found = study_with(section).biomarkers
    assert found is not None
    assert [(probe.column, probe.values) for probe in found.probes] == [
        ("sex", None),
        ("folder", ("bacteria", "virus")),
    ]
    assert found.nuisance == ("view",)
    assert study_with({"probes": "sex"}).biomarkers == BiomarkersConfig.model_validate({"probes": ["sex"]})


def test_what_is_written_reads_back() -> None:
    import tomllib

    section = {"probes": [{"column": "folder", "values": ["a", "b"]}, "sex"], "criterion": "transfer", "margin": 0.02}
    study = study_with(section)
    assert parse_study(tomllib.loads(study_as_toml(study))) == study


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"criterion": "repeatibility"},
            r"biomarkers\.criterion: No criterion is called.*Did you mean 'repeatability'",
        ),
        ({"criterion": "effective_rank"}, r"biomarkers\.criterion: No criterion is called 'effective_rank'"),
        ({"probs": ["sex"]}, r"biomarkers\.probs: no such key.*Did you mean 'probes'"),
        ({"margin": 0.0}, r"biomarkers\.margin: input should be greater than 0"),
        ({"images": 10}, r"biomarkers\.images: input should be greater than or equal to 50"),
        ({"probes": [{"column": "folder", "values": ["virus"]}]}, r"biomarkers\.probes\.0\.values"),
    ],
)
def test_problems(section: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyFileError, match=message):
        study_with(section)
