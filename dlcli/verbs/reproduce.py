"""`dlcli reproduce`: run claims, print the paper's numbers beside ours, and write down whether they hold."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli import catalogue
from dlcli.claims import claim as stating
from dlcli.claims import pages, results
from dlcli.claims.claim import TIERS, Claim
from dlcli.claims.verdicts import FAILS, FEWEST
from dlcli.core.errors import UsageError, nearest
from dlcli.report import progress, tables
from dlcli.report.words import duration
from dlcli.verbs.arms import Done, check_data, reproduce
from dlcli.verbs.options import Options
from dlcli.verbs.sweep import Ways


@dataclass(frozen=True)
class Chosen:
    """Which claims: by name, or all of a tier."""

    names: tuple[str, ...]
    all: bool = False
    tier: str | None = None


def main(chosen: Chosen, options: Options, ways: Ways, as_json: bool) -> int:
    """Reproduce one claim after the other; 6 if one does not hold, else 5 if a run failed, else 0.

    Raises:
        UsageError: there is no such claim, it waits for something, or its arms or data are wrong.
    """
    if options.show not in progress.MODES:
        raise UsageError(f"--progress {options.show!r}{nearest(options.show, progress.MODES)}")
    ways.check()
    claims = select(chosen, options.extra)
    for claim in claims:
        check_data(claim)
    done: list[Done] = []
    for place, claim in enumerate(claims, 1):
        if not options.quiet:
            _say(f"claim {place} of {len(claims)}: {claim.name}, about {claim.minutes:g} core-minutes")
        one = reproduce(claim, options, ways)
        if one.result is None:
            _say(f"what is finished is kept: dlcli reproduce {claim.name} --needed goes on")
            return one.interrupted or 1
        done.append(one)
        path = _write(claim, one.result, options)
        if not as_json:
            tell(claim, one.result, path)
    found = [one.result for one in done]
    if as_json:
        print(json.dumps([results.finite(one) for one in found], indent=1))  # noqa: T201
    failed = any(one is not None and one["verdict"] == FAILS for one in found)
    return 6 if failed else 5 if any(one.failed for one in done) else 0


def select(chosen: Chosen, extra: tuple[Path, ...]) -> list[Claim]:
    """The claims that are meant; with --all those that can be run and whose data are not asked for are left in.

    Raises:
        UsageError: names and --all together, an unknown tier, or a claim that waits.
    """
    if chosen.tier is not None and chosen.tier not in TIERS:
        raise UsageError(f"--tier {chosen.tier!r}{nearest(chosen.tier, TIERS)}")
    if chosen.names and (chosen.all or chosen.tier):
        raise UsageError("--all and --tier choose claims by themselves: without names")
    claims = [stating.find(name, extra) for name in dict.fromkeys(chosen.names) or stating.shelf(extra)]
    if chosen.names:
        for claim in claims:
            if claim.waiting:
                raise UsageError(f"claim {claim.name} cannot be run yet: it waits for {claim.waiting}")
        return claims
    kept = [claim for claim in claims if chosen.tier in (None, claim.tier)]
    for claim in kept:
        if claim.waiting:
            _say(f"left out: {claim.name} waits for {claim.waiting}")
    return [claim for claim in kept if not claim.waiting]


def document() -> int:
    """Write docs/claims.md and docs/systems.md anew.

    Raises:
        UsageError: the current folder is no checkout of this dlcli.
    """
    root = results.repository()
    if root is None:
        raise UsageError(f"--docs writes the pages of a checkout: from its root, {catalogue.packaged().parent}")
    for path in pages.write(root):
        _say(f"written: {path.relative_to(root)}")
    return 0


def _write(claim: Claim, result: dict[str, Any], options: Options) -> Path:
    """Into docs/ in the repository, where it is a claim of ours and over enough seeds; else beside the runs."""
    root = results.repository()
    ours = root is not None and (root / "conf" / "claim" / f"{claim.name}.yaml").is_file()
    if root is None or not ours or len(result["seeds"]) < max(FEWEST, claim.seeds):
        return results.write(options.out / "claims", result)
    path = results.write(root / "docs" / "claims", result)
    pages.write(root)
    return path


def tell(claim: Claim, result: dict[str, Any], path: Path) -> None:
    """Print what was found beside what the paper reports."""
    tables.say(claim.statement)
    tables.print_table(result["table"]["columns"], result["table"]["rows"])
    tables.say(f"the paper ({claim.where}): {pages.figures(claim.figures)}")
    rows = [(one["text"], _found(one), one["verdict"]) for one in pages.comparisons(result)]
    tables.print_table(("must hold", "found", "verdict"), rows)
    tables.say(f"{claim.name}: {result['verdict']}; {duration(result['seconds'])} of runs; {path}")


def _found(one: Mapping[str, Any]) -> str:
    return pages.told(one) + (f"; {one['note']}" if one["note"] else "")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
