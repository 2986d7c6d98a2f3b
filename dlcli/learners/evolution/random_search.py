"""Random search: the baseline of evolution."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dlcli.core.population import Genome, Rating
from dlcli.learners.evolution.evolution import Evolution, Generation

_FRESH = 0xF4E5


class RandomSearch(Evolution):
    """Random search: every individual has new initial parameters.

    Paper: Such et al. 2017, arXiv:1712.06567: the genetic algorithm without selection.
    """

    def ask(self) -> Generation:
        genomes = [Genome((self.draw(_FRESH, number),), ()) for number in range(self.population)]
        return Generation(genomes, [None] * self.population)

    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        return {}

    def memory(self) -> dict[str, Any]:
        return {}

    def recall(self, memory: Mapping[str, Any]) -> None:
        pass
