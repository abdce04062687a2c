"""Every code that a finding of the audit can have: what it means, why it matters, and whether it stops a study.

`docs/checks/` has a page for each, written from here by `lossassay.reporting.audit_code_pages`.
"""

from dataclasses import dataclass
from typing import Literal

Stops = Literal["always", "official", "never"]


@dataclass(frozen=True, kw_only=True)
class AuditCode:
    """What a code stands for.

    Args:
        what: What is the case, as a sentence.
        why: Why it matters.
        advice: What to do in general; the finding itself says more.
        stops: Whether a study stops before its first run: always, if it uses the parts that the data name
            (``split = "official"``), or never. A study goes on if ``audit.accept`` holds the code.
    """

    what: str
    why: str
    advice: str
    stops: Stops = "never"


_LEAK = (
    "What is in training and in test at once is scored as remembered, not as recognised. All scores are too high, and "
    "a difference between losses may be a difference in remembering."
)
_TELLS = (
    "A network takes the easiest way. If it can read the class from this, its score says little about the disease, "
    "and falls where the images come from somewhere else."
)
_SAME_PLACE = "Keep such images together: give them one value in the column that `data.group` names."
_DRAWN = "Or leave `split` to lossassay, which keeps groups whole."
_COLLECT = (
    "Collect every class in the same way, or test on images for which this differs. If neither is possible, say so "
    "beside the score."
)

AUDIT_CODES: dict[str, AuditCode] = {
    "group-overlap": AuditCode(
        what="The parts that the data name share patients (groups).",
        why=_LEAK,
        advice=f"Correct the parts. {_DRAWN}",
        stops="official",
    ),
    "duplicate-across-parts": AuditCode(
        what="Images with the same pixels are in several of the parts that the data name.",
        why=_LEAK,
        advice=f"Remove the copies from all parts but one. {_DRAWN}",
        stops="official",
    ),
    "near-duplicate-across-parts": AuditCode(
        what="Images that are nearly the same are in several of the parts that the data name.",
        why=_LEAK,
        advice=f"Look at the pairs, and remove copies from all parts but one. {_DRAWN}",
        stops="official",
    ),
    "neighbour-across-parts": AuditCode(
        what="Neighbours of one series (slices, frames) are in several of the parts that the data name.",
        why=_LEAK,
        advice=f"Put all slices of a volume into one part. {_DRAWN}",
        stops="official",
    ),
    "duplicate-across-classes": AuditCode(
        what="Images with the same pixels have different labels.",
        why="At least one of the labels is wrong. Training is told both, and in the test part one answer is counted "
        "as wrong whatever it is.",
        advice="Look at the images, and correct the labels or remove the images.",
        stops="always",
    ),
    "exact-duplicate": AuditCode(
        what="Images with the same pixels belong to different patients (groups).",
        why=_LEAK,
        advice=f"Remove the copies. {_SAME_PLACE}",
    ),
    "near-duplicate": AuditCode(
        what="Images of different patients (groups) are nearly the same: resized, cropped, compressed or brightened.",
        why=_LEAK,
        advice=f"Look at the pairs. Remove copies. {_SAME_PLACE}",
    ),
    "near-duplicate-across-classes": AuditCode(
        what="Images that are nearly the same have different labels.",
        why="One of the labels may be wrong, or the difference is smaller than the image shows.",
        advice="Look at the pairs, and correct labels that are wrong.",
    ),
    "neighbour-images": AuditCode(
        what="Images look like neighbours of one series, such as slices of a volume or frames of a film.",
        why="Nothing says that they belong together, so a split can put neighbours into training and test. " + _LEAK,
        advice=_SAME_PLACE,
    ),
    "label-suspects": AuditCode(
        what="A simple model is sure of another class than the label says.",
        why="Wrong labels are often among such images. So are rare cases, whose labels are right.",
        advice="Look at the images, worst first. Correct only what is wrong: never drop cases because they are hard.",
    ),
    "tiny-class": AuditCode(
        what="A class has fewer than ten images in the test part.",
        why="Its sensitivity moves in steps of ten points or more, and the mean over classes with it.",
        advice="Add images, join classes, or run more replicates.",
    ),
    "rare-label": AuditCode(
        what="A label has fewer patients than there are parts.",
        why="It is missing in at least one part, and its yardsticks are undefined there.",
        advice="Add patients, or leave the label out.",
    ),
    "no-groups": AuditCode(
        what="Nothing says which images belong to one patient.",
        why="A patient with several images can be in training and test. " + _LEAK,
        advice="Name the patient's column in `data.group`, or a pattern for the path in `data.group_pattern`.",
    ),
    "group-missing": AuditCode(
        what="Some images have no patient (group).",
        why="Each of them counts as a patient of its own, so a patient can be in training and test.",
        advice="Fill in the missing values.",
    ),
    "patients-assumed": AuditCode(
        what="A column was recognised as the patient's without being named.",
        why="Images are kept together by it, which changes the split.",
        advice="Name the column in `data.group`, or write `group = false` if it is something else.",
    ),
    "patients-unused": AuditCode(
        what="The data name patients, and the study does not keep them together.",
        why="A patient with several images can be in training and test. " + _LEAK,
        advice="Remove `group = false`, unless an image is really what counts.",
    ),
    "patients-unknown": AuditCode(
        what="Files name no patient, or only a placeholder.",
        why="Each of these images counts as a patient of its own, so a patient can be in training and test.",
        advice="Name another tag or column in `data.group`.",
    ),
    "source-predicts-class": AuditCode(
        what="The source of an image (hospital, scanner, collection) tells its class.",
        why=_TELLS,
        advice=_COLLECT,
    ),
    "column-predicts-class": AuditCode(
        what="A further column of the table tells the class.",
        why=_TELLS + " The column itself is not shown to the network, but what it stands for may be seen in the image.",
        advice=_COLLECT,
    ),
    "format-predicts-class": AuditCode(
        what="The format of the file tells the class.",
        why=_TELLS + " Compression leaves traces in the pixels.",
        advice="Store all images in the same way, from the originals. " + _COLLECT,
    ),
    "storage-predicts-class": AuditCode(
        what="Size, mode, depth, border, aspect or JPEG quality of the file tells the class.",
        why=_TELLS + " Such things leave traces in the pixels, also after scaling.",
        advice="Store all images in the same way, from the originals. " + _COLLECT,
    ),
    "shortcut-thumbnails": AuditCode(
        what="Thumbnails of 32 x 32 px with one nearest neighbour tell the class.",
        why="So little detail shows brightness, framing and posture rather than disease. It is not wrong by itself: "
        "some classes differ that much.",
        advice="Compare your network with this number. A network that is no better may use no more than this.",
    ),
    "shortcut-masked-centre": AuditCode(
        what="Images whose centre is masked still tell the class.",
        why=_TELLS,
        advice="Look at borders, markers and framing. Crop them, or collect the classes in the same way.",
    ),
    "shortcut-metadata": AuditCode(
        what="Facts about the files and further columns tell the class, without any image.",
        why=_TELLS,
        advice=_COLLECT,
    ),
    "no-shortcut-probe": AuditCode(
        what="No shortcut probe could be made, or not for all classes.",
        why="With few patients in a class, a simple rule cannot be told from chance.",
        advice="Add patients of the rare classes.",
    ),
    "drift-between-parts": AuditCode(
        what="The parts that the data name differ in how images are stored or in brightness.",
        why="The test part then asks another question than the training part answered.",
        advice="That may be meant (another hospital, another year). If it is not, draw the split anew.",
    ),
    "blank": AuditCode(
        what="Images are blank, or nearly so.",
        why="They hold nothing to learn from, and in the test part they are scored all the same.",
        advice="Look at them, and remove them.",
    ),
    "inverted": AuditCode(
        what="Images look inverted: dark where the others are bright.",
        why="A network learns the two looks apart, or takes the look for the class.",
        advice="Look at them, and turn them around where the file says so wrongly.",
    ),
    "blank-slices": AuditCode(
        what="Slices of volumes have one value everywhere and are left out.",
        why="They hold nothing to learn from. Outer slices often are so.",
        advice="Nothing is needed, unless they are many.",
    ),
    "burned-in": AuditCode(
        what="Files say that text is burned into the image.",
        why="It can name the patient, and the text itself can tell the class.",
        advice="Remove the text, or leave the images out. Share no picture of them.",
    ),
    "unreadable-image": AuditCode(
        what="Files cannot be read: they are empty, cut off, damaged or no images.",
        why="They are left out. If that happens in one class more often, the classes are changed.",
        advice="Copy them again from where they came.",
    ),
    "mixed-modes": AuditCode(
        what="Images are stored in several ways (grey, RGB, 16 bits).",
        why="All become the same kind of array. If the way goes with the class, a network can learn it.",
        advice="Look whether `storage-predicts-class` was found.",
    ),
    "mixed-sizes": AuditCode(
        what="Images have several sizes.",
        why="All are brought to one size. If the size goes with the class, a network can learn it from the sharpness.",
        advice="Look whether `storage-predicts-class` was found.",
    ),
    "colour-depth-reduced": AuditCode(
        what="Colour images with 16 bits are read in 8 bits.",
        why="Fine differences of brightness are lost.",
        advice="Store them as 16-bit grey if their colours carry nothing.",
    ),
    "several-frames": AuditCode(
        what="Files hold more than one image, of which the first is used.",
        why="The others are not part of the study.",
        advice="Write the others into files of their own if they belong to it.",
    ),
    "ignored-files": AuditCode(
        what="There are files that are no images.",
        why="They are not part of the study.",
        advice="Nothing is needed, unless images are among them.",
    ),
    "loose-images": AuditCode(
        what="Images lie outside the class folders.",
        why="They have no label and are left out.",
        advice="Move them into the folder of their class.",
    ),
    "table-beside": AuditCode(
        what="A table lies beside the class folders and is not used.",
        why="It may name patients, sources and parts, which the folders do not.",
        advice="Name the table as the path of the data.",
    ),
    "class-names-do-not-fit": AuditCode(
        what="The file of class names does not fit the labels.",
        why="Classes are called by their numbers.",
        advice="Correct the file.",
    ),
    "rows-left-out": AuditCode(
        what="The split leaves images out, so that groups stay whole.",
        why="Neither training nor test sees them.",
        advice="Nothing is needed, unless they are many: then patients and test parts do not fit together well.",
    ),
    "not-finite": AuditCode(
        what="Volumes hold values that are no finite numbers.",
        why="They became the lowest value of their file.",
        advice="Look at where they come from: often they are the outside of a mask.",
    ),
    "no-orientation": AuditCode(
        what="Volumes do not say how they lie in the patient.",
        why="They are read as stored. If some lie otherwise, a network learns the two ways apart.",
        advice="Write their orientation, or check that all of them lie alike.",
    ),
    "no-pixel-spacing": AuditCode(
        what="A common spacing is asked for, and some DICOM images do not know theirs.",
        why="They are scaled to fit while the others keep their physical size, which a network can see.",
        advice="Leave them out, or leave `data.spacing_mm` out.",
    ),
    "no-spacing": AuditCode(
        what="Volumes do not say how large their voxels are, or say the impossible.",
        why="Their voxels count as cubes, so shapes may be stretched.",
        advice="Correct their headers.",
    ),
    "duplicate-rows": AuditCode(
        what="A table has lines that are the same.",
        why="Each image counts once.",
        advice="Nothing is needed, unless the lines should differ.",
    ),
    "labels-from-tag": AuditCode(
        what="Labels are the values of a DICOM tag.",
        why="A tag says how an image was made or asked for, which is seldom the diagnosis.",
        advice="Name a table of labels in `data.dicom.labels` if the tag is not what the study is about.",
    ),
    "dicom-left-out": AuditCode(
        what="DICOM files hold no image of the study: reports, localisers, presentation states, screenshots.",
        why="They are not part of the study.",
        advice="Nothing is needed, unless images of the study are among them.",
    ),
    "dicom-secondary-only": AuditCode(
        what="All DICOM images are secondary captures, and are taken as the images.",
        why="Captures are pictures of a screen: their window is fixed, and text may stand in them.",
        advice="Take the original images if there are any.",
    ),
    "dicom-unlabelled": AuditCode(
        what="DICOM images have no label and are left out.",
        why="If that happens in one class more often, the classes are changed.",
        advice="Add their labels, or move them away if they do not belong to the study.",
    ),
    "dicom-labels-unused": AuditCode(
        what="The table of labels names identifiers that no image has.",
        why="Images may be missing.",
        advice="Check that the tree is complete.",
    ),
    "window-unusable": AuditCode(
        what="DICOM files name a window of grey values that cannot be used.",
        why="The full range of values is shown in its place, so these images look flatter than the others.",
        advice="Set `data.dicom.window` to a centre and a width for all images.",
    ),
    "dicom-series-irregular": AuditCode(
        what="Slices of a DICOM series have gaps, positions that occur twice, or different sizes.",
        why="Stacked, they are no picture of the body.",
        advice="Complete the series, or leave it out.",
    ),
}

# Codes that stop a study, for messages.
STOPPING = tuple(code for code, known in AUDIT_CODES.items() if known.stops != "never")


def stops(code: str, *, official: bool) -> bool:
    """Whether a finding with this code stops a study that does not accept it.

    Args:
        code: Of a finding; one that is not known stops nothing.
        official: Whether the study uses the parts that the data name.
    """
    known = AUDIT_CODES.get(code)
    return known is not None and (known.stops == "always" or (known.stops == "official" and official))
