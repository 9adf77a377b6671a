"""Scripts that do what a command of aejax does, as people write them with PyTorch, PyOD and matplotlib.

    python peers.py FUNCTION DATA ARGUMENTS THREADS FOLDER

Nothing of aejax is imported. The arguments are JSON.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np


def lecture(data, threads, folder, widths, activation, rate, code=8, steps=10_000, batch=64, every=200):
    """Train on the digits, evaluate beside PCA and the mean, draw four figures, write numbers and parameters."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    arrays = np.load(data)
    train, validation, test = (
        torch.from_numpy(arrays[part].reshape(len(arrays[part]), -1).astype(np.float32)) / 16
        for part in ("train", "validation", "test")
    )
    hidden, features = {"silu": nn.SiLU, "sigmoid": nn.Sigmoid}[activation], train.shape[1]
    chain = lambda sizes: [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), hidden())]
    encoder = nn.Sequential(*chain([features, *widths, code])[: -1 if widths else None])
    decoder = nn.Sequential(*chain([code, *reversed(widths), features])[:-1])
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=rate, fused=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    cost = nn.functional.binary_cross_entropy_with_logits
    per_epoch, curve, total = len(train) // batch, [], 0.0
    for step in range(steps):
        if step % per_epoch == 0:
            shuffled = train[torch.randperm(len(train))]
        at = step % per_epoch * batch
        x = shuffled[at : at + batch]
        loss = cost(decoder(encoder(x)), x, reduction="sum") / batch
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() if step % 50 == 0 else 0.0
        if (step + 1) % every == 0:
            with torch.no_grad():
                held_out = cost(decoder(encoder(validation)), validation, reduction="sum") / len(validation)
            curve.append((step + 1, total * 50 / every, held_out.item()))
            total = 0.0
    with torch.no_grad():
        codes = encoder(test).numpy()
        rebuilt = torch.sigmoid(decoder(encoder(test))).numpy()
    x, mean = test.numpy(), train.numpy().mean(0)
    _, _, components = np.linalg.svd(train.numpy() - mean, full_matrices=False)
    pca = (x - mean) @ components[:code].T @ components[:code] + mean
    of = {"autoencoder": rebuilt, "pca": pca, "mean": np.broadcast_to(mean, x.shape)}
    numbers = {name: float(np.mean((each - x) ** 2)) for name, each in of.items()}
    numbers["active_fraction"] = float((np.abs(codes) > 1e-3).mean())
    Path(folder, "summary.json").write_text(json.dumps(numbers))
    torch.save({"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}, Path(folder, "model.pt"))
    _draw(folder, curve, x, of, codes, encoder[0].weight.detach().numpy())


def _draw(folder, curve, x, of, codes, weights):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    save = lambda figure, name: figure.savefig(Path(folder, name), dpi=150)
    steps, training, held_out = zip(*curve, strict=True)
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(steps, training, label="training")
    axes.plot(steps, held_out, label="validation")
    axes.set(xlabel="step", ylabel="loss")
    axes.legend()
    save(figure, "loss.png")
    figure, grid = pyplot.subplots(3, 10, figsize=(7, 2.4), layout="constrained")
    for line, images in zip(grid, (x, of["autoencoder"], of["pca"]), strict=True):
        for axes, image in zip(line, images, strict=False):
            axes.imshow(image.reshape(8, 8), cmap="gray")
            axes.axis("off")
    save(figure, "reconstructions.png")
    figure, grid = pyplot.subplots(1, 8, figsize=(7, 1.2), layout="constrained")
    for axes, image in zip(grid, weights, strict=False):
        axes.imshow(image.reshape(8, 8), cmap="gray")
        axes.axis("off")
    save(figure, "filters.png")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7, 3), layout="constrained")
    left.hist(codes.ravel(), bins=40)
    right.bar(range(codes.shape[1]), (np.abs(codes) > 1e-3).mean(0))
    save(figure, "code.png")


def epoch(data, threads, folder):
    """An epoch of 784-32-784 on the squared error, and the error of the test rows beside PCA."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    arrays = np.load(data)
    train, test = (torch.from_numpy(arrays[part].reshape(len(arrays[part]), -1)) for part in ("train", "test"))
    encoder, decoder = nn.Linear(784, 32), nn.Linear(32, 784)
    forward = lambda x: torch.sigmoid(decoder(torch.sigmoid(encoder(x))))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2, fused=True)
    shuffled = train[torch.randperm(len(train))]
    for step in range(468):
        x = shuffled[step * 128 % (len(train) - 128) :][:128].float() / 255
        loss = ((forward(x) - x) ** 2).sum() / 128
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        x = test.float() / 255
        error = float(((forward(x) - x) ** 2).mean())
    rows = train.float() / 255
    mean = rows.mean(0)
    components = torch.linalg.eigh((rows - mean).T @ (rows - mean)).eigenvectors[:, -32:]
    pca = float((((x - mean) - (x - mean) @ components @ components.T) ** 2).mean())
    Path(folder, "summary.json").write_text(json.dumps({"autoencoder": error, "pca": pca}))
    torch.save(encoder.state_dict(), Path(folder, "encoder.pt"))


def detector(data, threads, folder):
    """The scores of a table's rows by PyOD's AutoEncoder."""
    import pandas as pd
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    torch.set_num_threads(threads)
    frame = pd.read_csv(data)
    fitted = AutoEncoder(random_state=0, verbose=0).fit(frame.to_numpy())
    pd.DataFrame({"score": fitted.decision_scores_, "alarm": fitted.labels_}).to_csv(Path(folder, "scores.csv"))


if __name__ == "__main__":
    name, path, settings, cores, target = sys.argv[1:]
    {"lecture": lecture, "epoch": epoch, "detector": detector}[name](path, int(cores), target, **json.loads(settings))
