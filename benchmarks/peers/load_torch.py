"""A PyTorch `DataLoader` with two workers over a data set that opens files with Pillow, gone through twice.

Options: folder, size, batch_size.
"""

from pathlib import Path

import numpy as np
import torch
from common import Stopwatch, answer, options
from PIL import Image
from torch.utils.data import DataLoader, Dataset


class ImageFolder(Dataset):
    def __init__(self, folder: str, size: int) -> None:
        classes = sorted(path for path in Path(folder).iterdir() if path.is_dir())
        self.files = [(path, label) for label, one in enumerate(classes) for path in sorted(one.iterdir())]
        self.size = size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[index]
        with Image.open(path) as image:
            grey = image.convert("L").resize((self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(grey)).unsqueeze(0).float() / 255, label


asked = options()
watch = Stopwatch()
for _pass in range(2):
    watch.start()
    data = ImageFolder(asked["folder"], asked["size"])
    loader = DataLoader(data, batch_size=asked["batch_size"], shuffle=True, num_workers=2)
    images = sum(len(batch) for batch, _labels in loader)
    watch.stop()
answer(images=images, seconds=watch.seconds)
