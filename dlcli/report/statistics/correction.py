"""What many comparisons at once ask of p, and of the number of seeds."""

from collections.abc import Sequence
from itertools import count

from dlcli.report.statistics.permutation import smallest_p


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjusted p in the order given: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    A None (nothing could be tested) stays None and still counts in the family.
    """
    adjusted: list[float | None] = [None] * len(ps)
    tested = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    running = 0.0
    for rank, (p, place) in enumerate(tested):
        running = max(running, min(1.0, (len(ps) - rank) * p))
        adjusted[place] = running
    return adjusted


def seeds_needed(comparisons: int, alpha: float = 0.05, paired: bool = True) -> int:
    """Fewest seeds an arm whose smallest p is below alpha after Holm's correction for so many comparisons.

    Raises:
        ValueError: no comparison, or an alpha outside (0, 1).
    """
    if comparisons < 1 or not 0 < alpha < 1:
        raise ValueError(f"wanted at least 1 comparison and an alpha in (0, 1), not {comparisons} and {alpha}")
    return next(n for n in count(1) if smallest_p(n, paired) * comparisons <= alpha)


def sentence(
    n: int, arms: int, all_pairs: bool = False, paired: bool = True, others: Sequence[tuple[int, bool]] = ()
) -> str:
    """What n seeds can show at most, how many are needed, and what the correction costs here; "" without two arms.

    Args:
        n: matched seeds, or seeds an arm where they do not match.
        arms: all of them, the baseline too.
        all_pairs: the family is every pair, not the arms against the baseline.
        paired: by seed.
        others: seeds of pairs that have more, and whether they are paired.
    """
    if arms < 2:
        return ""
    against, pairs = arms - 1, arms * (arms - 1) // 2
    said = f"with {_seeds(n, paired)} p cannot fall below {smallest_p(n, paired):.2g}"
    said += "".join(f", with {_seeds(*one)} below {smallest_p(*one):.2g}" for one in others) + "; "
    said += f"{seeds_needed(1, paired=paired)} are needed for one comparison"
    if arms == 2:
        return said
    made = pairs if all_pairs else against
    said += f", {seeds_needed(against, paired=paired)} for {against} arms against a baseline"
    said += f", {seeds_needed(pairs, paired=paired)} for all {pairs} pairs of {arms} arms"
    floor = min(1.0, made * min(smallest_p(*one) for one in ((n, paired), *others)))
    return f"{said}; corrected for the {made} comparisons made here, p cannot fall below {floor:.2g}"


def _seeds(n: int, paired: bool) -> str:
    return f"{n} {'paired ' * paired}seed{'s' * (n != 1)}{' an arm' * (not paired)}"
