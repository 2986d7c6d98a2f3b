"""Correction for multiple comparisons, and the number of seeds that it requires."""

from collections.abc import Sequence
from itertools import count

from dlcli.report.statistics.permutation import smallest_p


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values by Holm's step-down method: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Args:
        ps: p-values of the family; None for an untested pair, which stays None and counts in the size of the family.
    """
    adjusted: list[float | None] = [None] * len(ps)
    tested = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    maximum = 0.0
    for rank, (p, index) in enumerate(tested):
        maximum = max(maximum, min(1.0, (len(ps) - rank) * p))
        adjusted[index] = maximum
    return adjusted


def seeds_needed(comparisons: int, alpha: float = 0.05, paired: bool = True) -> int:
    """Smallest number of seeds per arm whose smallest attainable p, Holm-corrected, is at most alpha.

    Raises:
        ValueError: fewer than one comparison, or an alpha outside (0, 1).
    """
    if comparisons < 1:
        raise ValueError(f"comparisons must be at least 1, got {comparisons}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
    return next(n for n in count(1) if smallest_p(n, paired) * comparisons <= alpha)


def power_statement(
    n: int, arms: int, all_pairs: bool = False, paired: bool = True, others: Sequence[tuple[int, bool]] = ()
) -> str:
    """State the smallest attainable p and the number of seeds that significance requires; empty below two arms.

    Args:
        n: number of matched seeds, or of seeds per arm if they do not match.
        arms: number of arms including the baseline.
        all_pairs: True if the family is every pair, False if it is every arm and the baseline.
        paired: True if values are paired by seed.
        others: (n, paired) of the pairs with more seeds.
    """
    if arms < 2:
        return ""
    non_baseline, pairs = arms - 1, arms * (arms - 1) // 2
    text = f"With {_seeds(n, paired)} the smallest attainable p is {smallest_p(n, paired):.2g}"
    text += "".join(f", with {_seeds(*seeds)} {smallest_p(*seeds):.2g}" for seeds in others)
    text += f"; at least {seeds_needed(1, paired=paired)} seeds are needed to reach 0.05 in one comparison"
    if arms == 2:
        return text + "."
    text += f", {seeds_needed(non_baseline, paired=paired)} in {non_baseline} comparisons with a baseline"
    text += f", {seeds_needed(pairs, paired=paired)} in all {pairs} pairs of {arms} groups."
    family = pairs if all_pairs else non_baseline
    smallest = min(1.0, family * min(smallest_p(*seeds) for seeds in ((n, paired), *others)))
    return f"{text} Corrected for {family} comparisons, the smallest attainable p is {smallest:.2g}."


def _seeds(n: int, paired: bool) -> str:
    return f"{n} {'paired ' * paired}seed{'s' * (n != 1)}{' per group' * (not paired)}"
