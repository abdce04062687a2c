"""Lightning: a module and its `Trainer`, with what only writes or shows switched off.

Options: size, batch_size, images.
"""

import logging
import warnings

import lightning
import torch
from common import CLASSES, Stopwatch, answer, made_up_images, options
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_model import paper_cnn

warnings.filterwarnings("ignore")  # advice about workers and logging intervals
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class PaperCnn(lightning.LightningModule):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.model = paper_cnn(size, CLASSES)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        images, labels = batch
        return nn.functional.cross_entropy(self.model(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Watch(lightning.Callback):
    def __init__(self) -> None:
        self.watch = Stopwatch()

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.watch.start()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.watch.stop()


asked = options()
pixels, labels = made_up_images(asked["images"], asked["size"])
images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255
loader = DataLoader(TensorDataset(images, torch.from_numpy(labels)), batch_size=asked["batch_size"], shuffle=True)
timing = Watch()
trainer = lightning.Trainer(
    accelerator="cpu",
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[timing],
)
trainer.fit(PaperCnn(asked["size"]), loader)
answer(images=asked["images"], seconds=timing.watch.seconds[-1], threads=torch.get_num_threads())
