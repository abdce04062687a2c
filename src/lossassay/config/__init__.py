"""study.toml → a frozen, validated `Study`."""

from lossassay.config.load import load_study, parse_study, study_as_toml
from lossassay.config.schema import (
    CONTROL_ARM,
    CONTROL_ARMS,
    UNTUNED,
    ArmConfig,
    AugmentConfig,
    DataConfig,
    EvidenceConfig,
    SplitConfig,
    Study,
    TrainingConfig,
    TuningConfig,
)

__all__ = [
    "CONTROL_ARM",
    "CONTROL_ARMS",
    "UNTUNED",
    "ArmConfig",
    "AugmentConfig",
    "DataConfig",
    "EvidenceConfig",
    "SplitConfig",
    "Study",
    "TrainingConfig",
    "TuningConfig",
    "load_study",
    "parse_study",
    "study_as_toml",
]
