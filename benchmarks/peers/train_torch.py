"""PyTorch: the loop of its tutorial. Options: size, batch_size, images, channels_last_bf16.

With ``channels_last_bf16`` the two changes that its performance guide recommends for processors.
"""

import torch
from common import CLASSES, Stopwatch, answer, made_up_images, options
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_model import paper_cnn

asked = options()
faster = asked["channels_last_bf16"]
pixels, labels = made_up_images(asked["images"], asked["size"])
images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255
loader = DataLoader(TensorDataset(images, torch.from_numpy(labels)), batch_size=asked["batch_size"], shuffle=True)
model = paper_cnn(asked["size"], CLASSES)
if faster:
    model = model.to(memory_format=torch.channels_last)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
watch = Stopwatch()
for _epoch in range(2):
    watch.start()
    model.train()
    for X, y in loader:
        if faster:
            X = X.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=faster):
            loss = loss_fn(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    watch.stop()
answer(images=asked["images"], seconds=watch.seconds[-1], threads=torch.get_num_threads())
