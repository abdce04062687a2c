"""The study file as frozen plain data. Nothing edits it later; its parts are hashed into the names of runs."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

Vary = Literal["split", "init", "order", "augmentation", "dropout"]
VARY_ALL: tuple[Vary, ...] = ("split", "init", "order", "augmentation", "dropout")


CONTROL_ARM = "A/A control"  # the reference arm against itself; no arm of a study may be called so


class Frozen(BaseModel):
    """Base of all parts of a study: frozen, strict about types, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _tuple(value: Any) -> Any:
    """TOML has lists only; tuples stay hashable."""
    return tuple(value) if isinstance(value, list) else value


def _names(value: Any) -> Any:
    """One name is a list of one."""
    return (value,) if isinstance(value, str) else _tuple(value)


def _split(value: Any) -> Any:
    return {"official": True} if value == "official" else value


class SplitConfig(Frozen):
    """How rows become training, validation and test parts.

    ``split = "official"`` uses the parts that the data name; where they name no validation part, the share
    ``validation`` is drawn from the training part in every replicate.
    """

    official: bool = False
    kind: Literal["holdout", "cross_validation", "leave_one_out", "time"] = "holdout"
    folds: Annotated[int, Field(ge=2, le=100)] = 5  # cross_validation only
    by: str | None = None  # leave_one_out: column whose values are test parts in turn; None: data.source
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2


class DicomConfig(Frozen):
    """How a tree of DICOM files becomes labelled images."""

    labels: str | None = None  # table of labels; None: they are in the tag `label_tag`
    join: Literal["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "AccessionNumber", "PatientID"] = (
        "SOPInstanceUID"  # by which the table names an image, series, study or patient
    )
    join_column: str | None = None  # of the table; None: called like `join`
    label_tag: str | None = None  # keyword of the tag that holds the label, such as "BodyPartExamined"
    unit: Literal["image", "volume"] = "image"  # a row is an image (a frame), or a series stacked by position
    frames: Literal["all", "middle"] | Annotated[int, Field(ge=1)] = "all"  # of a multi-frame object; n: every n-th
    window: Literal["file", "full"] | Annotated[tuple[float, float], BeforeValidator(_tuple)] = (
        "file"  # of the file, the full range of values, or (centre, width) in the units of the values
    )


class VolumeConfig(Frozen):
    """How volumes (NIfTI, 3-D arrays, DICOM series) become one array."""

    form: Literal["volume", "slices", "channels"] = "volume"  # 3-D; each slice a row; three slices as channels
    axis: Literal["sagittal", "coronal", "axial"] = "axial"  # across which slices are taken
    slices: Annotated[int, Field(ge=1)] | None = None  # evenly spread; None: all
    spacing_mm: Annotated[float, Field(gt=0)] | None = None  # resampled to this first; None: as stored
    clip: Annotated[tuple[float, float], BeforeValidator(_tuple)] = (0.5, 99.5)  # percentiles that become 0 and 1
    window: Annotated[tuple[float, float], BeforeValidator(_tuple)] | None = None  # (centre, width) in place of clip
    crop: Literal["none", "foreground"] = "none"


Preprocessing = Literal["clahe", "percentile", "foreground_crop", "lung_crop"]
ColumnType = Literal["text", "number", "integer", "date", "ignore"]


class DataConfig(Frozen):
    """Where the images are and how they become one array."""

    path: str
    image_size: Annotated[int, Field(ge=32, le=4096)] = 64  # px, each side
    channels: Literal[1, 3] = 1
    resize: Literal["pad", "crop", "stretch"] = "pad"
    padding: Annotated[int, Field(ge=0, le=255)] = 0  # grey value around an image that is padded to a square
    background: Annotated[int, Field(ge=0, le=255)] = 255  # grey value behind transparent pixels
    group: Literal[False] | str | Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_tuple)] | None = (
        None  # column or columns (outer one first) whose rows stay in one part; None: a known patient id; false: none
    )
    group_pattern: str | None = None  # regular expression with one group, searched in the path (class folders)
    source: str | None = None  # column that says where an image comes from: site, scanner, hospital
    exam: str | None = None  # column whose rows are predicted together, by the mean of their scores
    time: str | None = None  # column of dates or numbers by which `split.kind = "time"` orders
    path_column: str = "path"
    path_columns: Annotated[tuple[str, ...], BeforeValidator(_tuple)] | None = None  # several images in each line
    path_separator: str | None = None  # set: several images in one cell, which is one exam
    columns: dict[str, ColumnType] = {}  # what columns hold, checked when the table is read
    sheet: str | None = None  # of an .xlsx file; None: the first
    encoding: str | None = None  # of a text table; None: UTF-8, else CP949 where it fits
    label_column: str = "label"
    label_separator: str | None = None  # set: one row has several labels in one cell, and the task is multi-label
    finding_columns: Annotated[tuple[str, ...], BeforeValidator(_tuple)] | None = None  # one for each finding
    uncertain: Literal["ignore", "zeros", "ones"] = "ignore"  # what -1 in such a column stands for
    unmentioned: Literal["absent", "unknown"] = "absent"  # what an empty cell in such a column stands for
    order: Annotated[tuple[str, ...], BeforeValidator(_tuple)] | None = None  # class names from lowest to highest grade
    label_bins: Annotated[tuple[float, ...], BeforeValidator(_tuple)] | None = None  # labels are numbers: cut them here
    part_column: str = "official_split"
    allow_paths_outside: bool = False
    dicom: DicomConfig = DicomConfig()
    volume: VolumeConfig = VolumeConfig()
    preprocess: Annotated[
        tuple[Preprocessing, ...],
        BeforeValidator(_names, json_schema_input_type=Preprocessing | tuple[Preprocessing, ...]),
    ] = ()  # in this order, before scaling
    spacing_mm: Annotated[float, Field(gt=0)] | None = None  # images that know their pixel spacing come to this one
    split: Annotated[SplitConfig, BeforeValidator(_split, json_schema_input_type=Literal["official"] | SplitConfig)] = (
        SplitConfig()
    )


class AuditConfig(Frozen):
    """What the audit at the start of a study does not stop for."""

    accept: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = ()  # codes of findings; the report prints them


class AugmentConfig(Frozen):
    """Light augmentation, drawn anew for every image in every epoch. All off by default."""

    flip: bool = False  # left-right, with probability 1/2
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # up to this share of the side, in both directions
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0  # up to, both ways
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0  # factor from 1 - contrast to 1 + contrast


class TrainingConfig(Frozen):
    """The recipe: everything that is the same for all arms unless an arm says otherwise."""

    model: str = "paper_cnn"
    model_options: dict[str, Any] = {}
    weights: str | None = None  # safetensors file to start from
    freeze_features: bool = False
    epochs: Annotated[int, Field(ge=1)] = 15
    batch_size: Annotated[int, Field(ge=2)] = 100
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # sgd only
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    class_weights: (
        Literal["none", "balanced"] | Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_tuple)]
    ) = "none"
    augment: AugmentConfig = AugmentConfig()
    selection: Literal["best", "last"] = "best"  # epoch whose weights are kept, by the validation yardstick
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    kernels: Literal["auto", "plain", "fused", "compiled"] = "auto"  # how layers are computed; fused needs `fast`
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"  # per run


# What one arm may train with otherwise; the rest (model, batches, epochs' data) is what makes arms comparable.
ARM_TRAINING_KEYS = (
    "epochs",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "momentum",
    "schedule",
    "class_weights",
    "precision",
    "kernels",
)


class ArmConfig(Frozen):
    """A fully written-out loss, and what it trains with where it differs."""

    name: str
    loss: str  # the catalogue's name
    hyper_parameters: dict[str, Any] = {}
    training: dict[str, Any] = {}


class ReplicateRange(Frozen):
    """Replicates of a study that stops when every comparison is decided."""

    min: Annotated[int, Field(ge=2, le=1000)]
    max: Annotated[int, Field(ge=3, le=1000)]


def _kind_of_replicates(value: Any) -> str:
    return "[range]" if isinstance(value, (dict, ReplicateRange)) else "[number]"


Replicates = Annotated[
    Annotated[int, Field(ge=1, le=1000), Tag("[number]")] | Annotated[ReplicateRange, Tag("[range]")],
    Discriminator(_kind_of_replicates),
]


Control = Literal["same", "masked_centre", "source_only", "permuted_labels"]
Damage = Literal["masked_centre", "source_only", "permuted_labels"]
# The arm's name of each control; no arm of a study may be called so.
CONTROL_ARMS: dict[Control, str] = {
    "same": CONTROL_ARM,
    "masked_centre": "control: masked centre",
    "source_only": "control: source only",
    "permuted_labels": "control: permuted labels",
}


def _kind_of_control(value: Any) -> str:
    return "[flag]" if isinstance(value, bool) else "[names]"


Controls = Annotated[
    Annotated[bool, Tag("[flag]")]
    | Annotated[
        Annotated[tuple[Control, ...], BeforeValidator(_names, json_schema_input_type=Control | tuple[Control, ...])],
        Tag("[names]"),
    ],
    Discriminator(_kind_of_control),
]


class EvidenceConfig(Frozen):
    """What is repeated, what is compared and how sure the answer must be."""

    replicates: Replicates = 10  # or { min, max }: stops when every comparison is decided
    stopping: Literal["planned", "anytime"] = "planned"  # how looks are paid for; only with { min, max }
    method: Literal["t", "sign_flip"] = "t"  # of the verdicts, scope procedure, fixed replicates
    control: Controls = (
        False  # true: the reference arm again, with its own weights and order; names: on a damaged input
    )
    vary: Annotated[tuple[Vary, ...], BeforeValidator(_tuple)] = VARY_ALL
    metric: str | None = None  # None: balanced accuracy, or macro AUROC for multi-label data
    margin: Annotated[float, Field(gt=0)] | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    scope: Literal["procedure", "population"] = "procedure"
    compare: str = "all"  # or the name of a reference arm
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls by name, in the order of `CONTROL_ARMS`."""
        if isinstance(self.control, bool):
            return ("same",) if self.control else ()
        return tuple(name for name in CONTROL_ARMS if name in self.control)

    @property
    def sequential(self) -> bool:
        """Whether the number of replicates depends on what they show."""
        return isinstance(self.replicates, ReplicateRange)

    @property
    def fewest(self) -> int:
        """Replicates that are there at the first look."""
        return self.replicates if isinstance(self.replicates, int) else self.replicates.min

    @property
    def most(self) -> int:
        """Replicates at most."""
        return self.replicates if isinstance(self.replicates, int) else self.replicates.max


class ProbeConfig(Frozen):
    """Labels that were not trained on, and which of them are told apart."""

    column: str  # of the table; "folder": the folder that an image lies in; "source": where it comes from
    values: Annotated[tuple[str, ...], Field(min_length=2), BeforeValidator(_tuple)] | None = None  # None: all


def _probe(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _probes(value: Any) -> Any:
    """One probe is a list of one, and a name is a column."""
    return tuple(map(_probe, value if isinstance(value, list | tuple) else [value]))


class BiomarkersConfig(Frozen):
    """How the features that each loss leaves behind are assessed; a study without this section does not."""

    enabled: bool = True  # false: only when `lossassay biomarkers` is called
    criterion: str = "repeatability"  # carries the verdict; the others are descriptive
    margin: Annotated[float, Field(gt=0)] | None = None  # of the criterion; None: nothing is called equivalent
    probes: Annotated[
        tuple[ProbeConfig, ...],
        BeforeValidator(_probes, json_schema_input_type=str | ProbeConfig | tuple[str | ProbeConfig, ...]),
    ] = ()
    nuisance: Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | tuple[str, ...])] = (
        "source",
    )  # columns that should not be readable
    layer: str = "features"
    images: Annotated[int, Field(ge=50)] = 1000  # of a test part at most
    baseline: bool = True  # first-order and co-occurrence features beside those of the arms
    score: str | None = None  # column of a clinical score, for patients with several visits (`data.time`)
    time_unit: Literal["years", "days"] = "years"  # of `data.time` where it holds numbers; dates need none
    heatmaps: bool = False  # a gallery of test images with Grad-CAM in the report; needs the extra explain


UNTUNED = "untuned: "  # before the name of an arm that trains with the study's own settings beside its tuned runs


class TuningConfig(Frozen):
    """How the parameters of each arm are chosen, with one budget for all; a study without this section chooses nothing.

    A range of `space` is ``"auto"`` (learning_rate only), ``[low, high]``, ``[low, high, "log"]``,
    ``[low, high, "int"]`` or ``{ choices = [...] }``; see `lossassay.config.tuning_space`. A range of `arms` stands in
    the place of that of `space`, or beside it, for one arm.
    """

    trials: Annotated[int, Field(ge=1, le=10_000)] = 20  # of each arm; the first has the study's own settings
    scope: Literal["nested", "once"] = "nested"  # chosen again in every replicate, or once for all of them
    share: Annotated[float, Field(gt=0, lt=0.9)] = 0.3  # once: of the patients, who are then in no test part
    metric: str | None = None  # on the validation part; None: that of the evidence
    sampler: Literal["quasi_random", "random", "tpe"] = "quasi_random"
    pruning: Literal["none", "halving"] = "halving"  # halving: every arm stops the same number at the same epochs
    untuned: bool = True  # also trains every arm with the study's own settings, to show what tuning changed
    space: dict[str, Any] = {"learning_rate": "auto"}
    arms: dict[str, dict[str, Any]] = {}  # ranges of single arms, by the arm's name

    @property
    def parameters(self) -> tuple[str, ...]:
        """All parameters that some arm is tuned over: those of `space` in its order, then others by name.

        Each is one dimension of the points that all arms share.
        """
        others = {name for own in self.arms.values() for name in own} - set(self.space)
        return (*self.space, *sorted(others))


class Study(Frozen):
    """One question: a data set, some arms, a training recipe, an evidence rule."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    data: DataConfig
    arms: Annotated[tuple[ArmConfig, ...], Field(min_length=1), BeforeValidator(_tuple)]
    training: TrainingConfig = TrainingConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    audit: AuditConfig = AuditConfig()
    biomarkers: BiomarkersConfig | None = None
    tuning: TuningConfig | None = None

    @property
    def reference(self) -> str:
        """The arm that others are compared with, or else the first."""
        return self.arms[0].name if self.evidence.compare == "all" else self.evidence.compare

    def training_of(self, arm: ArmConfig) -> TrainingConfig:
        """The recipe with this arm's own parameters in place."""
        return TrainingConfig.model_validate(self.training.model_dump() | arm.training)
