"""Decode genomes into parameter vectors."""

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlcli.core.population import Genome, ParameterLayout
from dlcli.core.rng import normal_vector

_BYTES = 1 << 30


class Decoder:
    """Decode a genome: initial parameters plus a sum of scaled noise vectors.

    A mutation changes all parameters. The vectors of parents are cached (least recently used evicted first), so that
    the child of a cached parent costs one noise vector and one addition. The results do not depend on the cache.

    Paper: Such et al. 2017, arXiv:1712.06567, section 3.1. Differs: noise is a function of its seed, without a table.

    Args:
        layout: layout of the model's parameters.
        base: float32 [size], means of the initial parameters.
        scale: float32 [size], standard deviations of the initial parameters.
        room: cache size in bytes; at least two vectors are cached.
    """

    def __init__(self, layout: ParameterLayout, base: Tensor, scale: Tensor, room: int = _BYTES) -> None:
        self.size = layout.size
        self._base, self._scale = base, scale
        self._capacity = max(2, room // (4 * max(1, self.size)))
        self._cache: OrderedDict[Genome, Tensor] = OrderedDict()
        self._noise: tuple[int, Tensor] | None = None

    def decode(self, genome: Genome, centres: Mapping[int, Tensor], out: Tensor | None = None) -> Tensor:
        """Parameter vector of a genome, float32 [size], in `out` if given.

        Args:
            genome: the genome.
            centres: start vectors of genomes by number.
            out: float32 [size], or None for a new vector.
        """
        out = torch.empty(self.size) if out is None else out
        if genome in self._cache:
            return out.copy_(self._cache[genome])
        if not genome.sigmas:
            return out.copy_(self._start(genome, centres))
        before = _without_last(genome)
        parent = self._parent(before, centres) if genome.centre is None else self._derive(before, centres)
        return self._mutate(parent, genome, centres, out)

    def _parent(self, genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
        """Vector of a genome, which is added to the cache."""
        if genome not in self._cache:
            self._cache[genome] = self._derive(genome, centres)
            if len(self._cache) > self._capacity:
                self._cache.popitem(last=False)
        self._cache.move_to_end(genome)
        return self._cache[genome]

    def _derive(self, genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
        """Apply the mutations from the nearest cached ancestor, or from the start, to the genome."""
        path = [genome]
        while path[-1].sigmas and path[-1] not in self._cache:
            path.append(_without_last(path[-1]))
        first = path.pop()
        vector = self._cache[first] if first in self._cache else self._start(first, centres)
        vector = vector.clone() if path else vector
        for step in reversed(path):
            self._mutate(vector, step, centres, vector)
        return vector

    def _start(self, genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
        if genome.centre is not None:
            return centres[genome.centre]
        return self._base + self._scale * normal_vector(genome.seeds[0], self.size)

    def _mutate(self, parent: Tensor, genome: Genome, centres: Mapping[int, Tensor], out: Tensor) -> Tensor:
        """Round the product before the sum, so that the result does not depend on fused multiply-add."""
        noise, sigma = self._draw(genome.seeds[-1]), genome.sigmas[-1]
        if genome.scale is not None:
            noise = noise * centres[genome.scale]
        if out is parent:
            return parent.add_(noise * sigma)
        return torch.mul(noise, sigma, out=out).add_(parent)

    def _draw(self, seed: int) -> Tensor:
        """Noise vector; the last one is cached for its mirrored counterpart."""
        if self._noise is None or self._noise[0] != seed:
            self._noise = (seed, normal_vector(seed, self.size))
        return self._noise[1]


def _without_last(genome: Genome) -> Genome:
    """The genome without its last mutation."""
    return Genome(genome.seeds[:-1], genome.sigmas[:-1], genome.centre, genome.scale)


def initial(model: nn.Module, layout: ParameterLayout, output_std: float) -> tuple[Tensor, Tensor]:
    """Means and standard deviations of the initial parameters, each float32 [size].

    Weights have deviation 1 / sqrt(fan-in), those of the last layer `output_std` times that; biases are zero; other
    parameters with one axis (gains of normalization layers) keep the value of the model.
    """
    base = layout.stack(layout.vector(model)[None])
    scale = layout.stack(torch.zeros(1, layout.size))
    weights = [name for name, shape in layout.shapes.items() if len(shape) > 1]
    for name, shape in layout.shapes.items():
        if len(shape) > 1:
            base[name].zero_()
            scale[name].fill_((output_std if name == weights[-1] else 1.0) / math.sqrt(shape[1:].numel()))
        elif name.rpartition(".")[2].startswith("bias"):
            base[name].zero_()
    return _concatenated(base), _concatenated(scale)


def _concatenated(parts: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts.values()])
