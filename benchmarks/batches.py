"""Images a second of MNIST in shuffled batches of 128, shifted by up to two pixels: `python benchmarks/batches.py`.

The task's batches against what is usual: a Dataset that makes one image at a time, read by
`DataLoader(shuffle=True)` in the same process. In turns, the median of five; seconds are the processor's, so that
a busy machine changes nothing. The goal is 10 times.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dlcli.core.errors import UsageError
from dlcli.tasks.image.augment import Shift
from dlcli.tasks.image.idx_images import IdxImages

_BATCH, _PIXELS, _ROUNDS = 128, 2, 5


class OneByOne(Dataset[tuple[Tensor, int]]):
    """Reference: an image is shifted, converted to floats and normalized per access.

    Args:
        images: uint8 [sample, 1, height, width].
        labels: the class of each.
        mean: of values in [0, 1].
        std: of values in [0, 1].
    """

    def __init__(self, images: Tensor, labels: list[int], mean: float, std: float) -> None:
        self.images, self.labels, self.mean, self.std = images, labels, mean, std

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, sample: int) -> tuple[Tensor, int]:
        image = self.images[sample]
        height, width = image.shape[1:]
        down, right = torch.randint(0, 2 * _PIXELS + 1, (2,)).tolist()
        framed = F.pad(image, (_PIXELS,) * 4)[:, down : down + height, right : right + width]
        return framed.float().div(255).sub(self.mean).div(self.std), self.labels[sample]


def images_a_second(batches: Callable[[], Iterator[Tensor]], count: int) -> float:
    """Processor seconds of a number of batches, after two warm-up batches."""
    reading = batches()
    for _ in range(2):
        next(reading)
    begin = time.process_time()
    rows = sum(len(next(reading)) for _ in range(count))
    return rows / (time.process_time() - begin)


def measure(threads: int, count: int) -> dict[str, object]:
    torch.set_num_threads(threads)
    task = IdxImages(
        dataset="mnist",
        names=[str(digit) for digit in range(10)],
        scaling="standard",
        augment=Shift(pixels=_PIXELS),
        batch=_BATCH,
        order=0,
        fitted=None,
    )
    train = task._split("train")
    mean, std = task.fitted["mean"][0], task.fitted["std"][0]
    loader = DataLoader(OneByOne(train.pixels, train.target.tolist(), mean, std), batch_size=_BATCH, shuffle=True)
    arms = {
        "dlcli": lambda: (task.batch("train", index).inputs[0] for index in range(task.size("train"))),
        "DataLoader": lambda: (images for images, _ in loader),
    }
    found: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(_ROUNDS):
        for name, batches in arms.items():
            found[name].append(images_a_second(batches, count))
    rates = {name: round(statistics.median(values)) for name, values in found.items()}
    return {"images_a_second": rates, "threads": threads, "times": round(rates["dlcli"] / rates["DataLoader"], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, default=100)
    options = parser.parse_args()
    try:
        print(json.dumps(measure(options.threads, options.batches), indent=1))
    except UsageError as error:
        parser.exit(2, f"{parser.prog}: {' '.join(str(error).splitlines())}\n")


if __name__ == "__main__":
    main()
