"""Genomes rated in this process."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dlcli.core.fitness import rated
from dlcli.core.population import Genome, Layout, Rating
from dlcli.core.task import Batch, Task
from dlcli.learners.evolution.decoder import Decoder

_BYTES = 1 << 30


class Here:
    """Decodes a few genomes at a time and rates them in one batched call; how many changes no bit of the result.

    Args:
        model: whose forward pass it is; its own parameters are not touched.
        task: rates populations, or has a loss.
        decoder: of the genomes.
        layout: of the model's parameters.
        chunk: genomes at a time, fewer where their parameters would take more than a gibibyte.

    Raises:
        Mismatch: the task does neither.
    """

    def __init__(self, model: nn.Module, task: Task, decoder: Decoder, layout: Layout, chunk: int) -> None:
        self._model, self._task, self._rated = model, task, rated(task)
        self._decoder, self._layout = decoder, layout
        self._chunk = min(chunk, max(2, _BYTES // (4 * layout.size)))
        self._device = next(iter(model.parameters())).device

    def rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        asked = [self._task.batch("train", index) for index in batches]
        chunks = [genomes[begin : begin + self._chunk] for begin in range(0, len(genomes), self._chunk)]
        return Rating.join([self._rate(chunk, centres, asked) for chunk in chunks])

    def _rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[Batch]) -> Rating:
        """One alone is rated twice: PyTorch's kernels for a batch of one differ from the others by bits."""
        vectors = torch.empty(max(2, len(genomes)), self._layout.size)
        for genome, vector in zip(genomes, vectors, strict=False):
            self._decoder.decode(genome, centres, out=vector)
        if len(genomes) == 1:
            vectors[1] = vectors[0]
        rating = self._rated.rate(self._model, self._layout.stack(vectors.to(self._device)), batches)
        count = len(genomes)
        return Rating(rating.fitness[:count].cpu(), rating.behaviour[:count].cpu(), rating.cost[:count].cpu())
