"""Networks of the macro space: their parts, and how an architecture puts them together."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import FactorizedReduction, Norm, pooled_classifier, average_pooling, convolution, max_pooling, reduction_positions, pointwise, separable
from dlcli.nn.checks import at_least, probability
from dlcli.nn.shapes import check_reductions, image_shape
from dlcli.nn.supernet.supernet import ChildNetwork, ModuleName, ModuleFactory
from dlcli.nn.supernet.macro_space import OPERATIONS, MacroSpace


class MacroModules:
    """Makes parts of macro networks.

    Every operation has a 1x1 convolution, batch norm and ReLU of its own before it, and a convolution batch norm and
    ReLU after it; a separable one is a single pair of depthwise and 1x1 (Pham et al. 2018, their published code).

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is no image, or cannot be halved so often.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        layers: int,
        channels: int,
        stem: int,
        reductions: int,
        dropout: float,
        norm: Norm,
        model_name: str,
    ) -> None:
        at_least(0, reductions=reductions)
        at_least(2, channels=channels)
        at_least(1, stem=stem)
        if layers <= reductions:
            raise UsageError(f"{model_name} has a layer before and after every reduction: model.layers > model.reductions")
        check_reductions(spec, reductions, model_name)
        self.inputs, self.units = image_shape(spec, model_name)[0], spec.target.width
        self.channels, self.stem, self.norm = channels, stem, norm
        self.dropout = probability("model.dropout", dropout)

    def __call__(self, name: ModuleName) -> nn.Module:
        kind, width = name[0], self.channels
        if kind == "stem":
            return nn.Sequential(nn.Conv2d(self.inputs, self.stem, 3, padding=1, bias=False), self.norm(self.stem))
        if kind == "operation":
            return self._operation(self.stem if name[1] == 1 else width, int(name[2]))
        if kind == "reduction":
            return FactorizedReduction(width, width, self.norm)
        if kind == "join":
            return self.norm(width)
        return pooled_classifier(width, self.units, self.dropout)

    def _operation(self, inputs: int, choice: int) -> nn.Module:
        width, norm = self.channels, self.norm
        first = [*pointwise(inputs, width, norm), nn.ReLU()]
        if choice >= 4:
            return nn.Sequential(*first, (average_pooling, max_pooling)[choice - 4]())
        kind, size = ((convolution, 3), (separable, 3), (convolution, 5), (separable, 5))[choice]
        return nn.Sequential(*first, *kind(width, size, norm), nn.ReLU())


class MacroNetwork(ChildNetwork):
    """One member of the macro space.

    Skips are summed with what the layer makes, and the sum is normalised (layers 2 and later). Before a layer that
    follows a reduction, what it or a later layer reads of earlier ones is halved, each by its own reduction.

    Args:
        space: what the architecture is from.
        architecture: a member.
        part: makes or lends the parts.
        reductions: how often the image is halved.
    """

    def __init__(self, space: MacroSpace, architecture: Architecture, part: ModuleFactory, *, reductions: int) -> None:
        plan = space.plan(architecture)
        halved = {
            before + 1: sorted(source for source in _read(plan, before) if source <= before)
            for before in reduction_positions(space.layers, reductions)
        }
        operations: list[ModuleName] = [("operation", layer, operation) for layer, (operation, _) in enumerate(plan, 1)]
        reduced: list[ModuleName] = [("reduction", layer, source) for layer, sources in halved.items() for source in sources]
        super().__init__(part, [*_fixed(space.layers), *operations, *reduced])
        self._steps = [
            (
                [(source, f"reduction_{layer}_{source}") for source in halved.get(layer, ())],
                f"operation_{layer}_{operation}",
                skips,
                f"join_{layer}",
            )
            for layer, (operation, skips) in enumerate(plan, 1)
        ]

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        made = [self.parts["stem"](x)]
        for halved, operation, skips, join in self._steps:
            for source, reduction in halved:
                made[source] = self.parts[reduction](made[source])
            y = self.parts[operation](made[-1])
            if len(made) > 1:
                y = self.parts[join](sum((made[skip] for skip in skips), y))
            made.append(y)
        return self.parts["answer"](made[-1])


def _read(plan: Sequence[tuple[int, tuple[int, ...]]], before: int) -> set[int]:
    """What the layers after `before` read; 0 is the stem."""
    return {source for layer, (_, skips) in enumerate(plan, 1) if layer > before for source in (layer - 1, *skips)}


def _fixed(layers: int) -> list[ModuleName]:
    return [("stem",), ("answer",), *(("join", layer) for layer in range(2, layers + 1))]


def macro_module_names(layers: int, reductions: int) -> list[ModuleName]:
    """All parts that members use."""
    operations: list[ModuleName] = [("operation", layer, o) for layer in range(1, layers + 1) for o in range(len(OPERATIONS))]
    halved: list[ModuleName] = [
        ("reduction", before + 1, source) for before in reduction_positions(layers, reductions) for source in range(1, before + 1)
    ]
    return [*_fixed(layers), *operations, *halved]
