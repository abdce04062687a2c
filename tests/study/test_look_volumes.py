"""What `lossassay new` proposes for volumes."""

from pathlib import Path

import nibabel
import numpy as np

from lossassay.study.proposing.look import look


def test_a_folder_of_volumes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            image = nibabel.Nifti1Image(random.integers(0, 99, (60, 50, 40), dtype=np.int16), np.eye(4))
            nibabel.save(image, tmp_path / label / f"{number}.nii.gz")
    proposal = look(tmp_path)
    assert proposal.data["image_size"] == 32
    assert proposal.data["channels"] == 1
    assert "the images have 60" in proposal.reasons["image_size"]
    assert proposal.data["padding"] in (0, 255)
    assert any("these are volumes" in note for note in proposal.notes)


def test_a_table_of_volumes(tmp_path: Path) -> None:
    for name in ("a.nii", "b.nii"):
        nibabel.save(nibabel.Nifti1Image(np.arange(8**3, dtype=np.int16).reshape(8, 8, 8), np.eye(4)), tmp_path / name)
    (tmp_path / "t.csv").write_text("file,diagnosis,subject,site\na.nii,x,1,N\nb.nii,y,2,S\n")
    data = look(tmp_path / "t.csv").data
    assert (data["path_column"], data["label_column"]) == ("file", "diagnosis")
    assert (data["group"], data["source"], data["image_size"]) == ("subject", "site", 32)
