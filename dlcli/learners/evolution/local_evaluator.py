"""Evaluate genomes in this process."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dlcli.core.fitness import as_fitness_task
from dlcli.core.population import Genome, ParameterLayout, Rating
from dlcli.core.task import Batch, Task
from dlcli.learners.evolution.decoder import Decoder

_BYTES = 1 << 30


class LocalEvaluator:
    """Decode genomes in chunks and evaluate each chunk in one batched call; the results do not depend on its size.

    Args:
        model: module with the forward pass; its parameters are not changed.
        task: task with a fitness for populations, or with a loss.
        decoder: decoder of genomes.
        layout: layout of the model's parameters.
        chunk: genomes per call, reduced if their parameters would take more than 1 GiB.

    Raises:
        Mismatch: the task has neither a fitness nor a loss.
    """

    def __init__(self, model: nn.Module, task: Task, decoder: Decoder, layout: ParameterLayout, chunk: int) -> None:
        self._model, self._task, self._rated = model, task, as_fitness_task(task)
        self._decoder, self._layout = decoder, layout
        self._chunk = min(chunk, max(2, _BYTES // (4 * layout.size)))
        self._device = next(iter(model.parameters())).device

    def rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[int]) -> Rating:
        training = [self._task.batch("train", index) for index in batches]
        chunks = [genomes[begin : begin + self._chunk] for begin in range(0, len(genomes), self._chunk)]
        return Rating.join([self._rate(chunk, centres, training) for chunk in chunks])

    def _rate(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], batches: Sequence[Batch]) -> Rating:
        """A single genome is evaluated twice: PyTorch's kernels for a batch of one round differently."""
        vectors = torch.empty(max(2, len(genomes)), self._layout.size)
        for genome, vector in zip(genomes, vectors, strict=False):
            self._decoder.decode(genome, centres, out=vector)
        if len(genomes) == 1:
            vectors[1] = vectors[0]
        rating = self._rated.rate(self._model, self._layout.stack(vectors.to(self._device)), batches)
        count = len(genomes)
        return Rating(rating.fitness[:count].cpu(), rating.behaviour[:count].cpu(), rating.cost[:count].cpu())
