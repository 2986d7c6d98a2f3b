"""Genomes to parameters."""

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlcli.core.population import Genome, Layout
from dlcli.core.rng import normal_vector

_BYTES = 1 << 30


class Decoder:
    """Makes the vector of all parameters that a genome stands for: initial ones, then a sum of scaled noise.

    A mutation moves all parameters. Vectors of parents are kept, the least recently used given up first, so the child
    of a kept parent costs one draw and one addition. The bits do not depend on what is kept.

    Paper: Such et al. 2017, arXiv:1712.06567, section 3.1. Differs: noise is a function of its seed, without a table.

    Args:
        layout: of the model's parameters.
        base: float32 [size], what initial parameters are drawn around.
        scale: float32 [size], the deviations of initial parameters.
        room: bytes of the vectors that are kept; two are kept in any case.
    """

    def __init__(self, layout: Layout, base: Tensor, scale: Tensor, room: int = _BYTES) -> None:
        self.size = layout.size
        self._base, self._scale = base, scale
        self._most = max(2, room // (4 * max(1, self.size)))
        self._kept: OrderedDict[Genome, Tensor] = OrderedDict()
        self._noise: tuple[int, Tensor] | None = None

    def decode(self, genome: Genome, centres: Mapping[int, Tensor], out: Tensor | None = None) -> Tensor:
        """A new vector, float32 [size], or `out` with it.

        Args:
            centres: the vectors that genomes start from, by number.
        """
        out = torch.empty(self.size) if out is None else out
        if genome in self._kept:
            return out.copy_(self._kept[genome])
        if not genome.sigmas:
            return out.copy_(self._start(genome, centres))
        before = _before(genome)
        parent = self._parent(before, centres) if genome.centre is None else self._walk(before, centres)
        return self._mutate(parent, genome, centres, out)

    def _parent(self, genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
        """The genome's vector, kept from now on."""
        if genome not in self._kept:
            self._kept[genome] = self._walk(genome, centres)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(genome)
        return self._kept[genome]

    def _walk(self, genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
        """From the nearest kept ancestor, or from the start, to the genome."""
        path = [genome]
        while path[-1].sigmas and path[-1] not in self._kept:
            path.append(_before(path[-1]))
        first = path.pop()
        vector = self._kept[first] if first in self._kept else self._start(first, centres)
        vector = vector.clone() if path else vector
        for step in reversed(path):
            self._mutate(vector, step, centres, vector)
        return vector

    def _start(self, genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
        if genome.centre is not None:
            return centres[genome.centre]
        return self._base + self._scale * normal_vector(genome.seeds[0], self.size)

    def _mutate(self, parent: Tensor, genome: Genome, centres: Mapping[int, Tensor], out: Tensor) -> Tensor:
        """The sum is rounded after the product, whatever the processor would fuse."""
        noise, sigma = self._draw(genome.seeds[-1]), genome.sigmas[-1]
        if genome.scale is not None:
            noise = noise * centres[genome.scale]
        if out is parent:
            return parent.add_(noise * sigma)
        return torch.mul(noise, sigma, out=out).add_(parent)

    def _draw(self, seed: int) -> Tensor:
        """Noise; the last one is kept for its mirrored twin."""
        if self._noise is None or self._noise[0] != seed:
            self._noise = (seed, normal_vector(seed, self.size))
        return self._noise[1]


def _before(genome: Genome) -> Genome:
    """Without the last mutation."""
    return Genome(genome.seeds[:-1], genome.sigmas[:-1], genome.centre, genome.scale)


def initial(model: nn.Module, layout: Layout, output_std: float) -> tuple[Tensor, Tensor]:
    """What a decoder's initial parameters are drawn around, and their deviations, each float32 [size].

    Weights have deviation 1 / sqrt(fan-in), the last ones `output_std` times that; biases are zero; other parameters
    of one axis, gains of normalisations, keep the model's own value.
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
    return _joined(base), _joined(scale)


def _joined(parts: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts.values()])
