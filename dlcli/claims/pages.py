"""docs/claims.md and docs/systems.md, made from the claims and from what they came to. Never edited by hand."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.claims import claim as stating
from dlcli.claims import results
from dlcli.claims.claim import TIERS, Arm, Claim, Figure
from dlcli.disk import replace_file
from dlcli.report.words import duration, number

_MADE = "<!-- Made by `dlcli reproduce --docs` from conf/claim and docs/claims: edit those. -->"
_KNOWN = {
    "paper": "",
    "code": " (authors' code or words)",
    "others": " (reported by others)",
    "recalled": " (recalled, not checked)",
}
_BEGIN = {
    "minutes": "At most five core-minutes each.",
    "hour": "At most an hour each on two cores (`--jobs 2`).",
    "gpu": "These want a GPU.",
}
_INTRO = """A claim of a paper is a command: `dlcli reproduce NAME` runs its arms over seeds and compares them. A claim
**holds** when the whole t interval over at least five seeds, paired by seed, lies beyond what was stated beforehand; it
**does not hold** when the whole interval lies on the other side; else it is **undecided**. The intervals of one claim
are wide enough for all of them at once (95 % together, Bonferroni). Honest failures stay in the table. Times are of one
core."""

Pair = tuple[Claim, Mapping[str, Any] | None]


def write(root: Path) -> list[Path]:
    """Both pages of a checkout, from its own claims and results."""
    written = []
    for name, text in pages(root).items():
        path = root / "docs" / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            replace_file(path, text.encode())
            written.append(path)
    return written


def pages(root: Path) -> dict[str, str]:
    """File name -> text."""
    claims = [stating.read(path) for path in sorted((root / "conf" / "claim").glob("*.yaml"))]
    found: list[Pair] = [(claim, results.last(claim, [root / "docs" / "claims"])) for claim in claims]
    return {"claims.md": claims_page(found), "systems.md": systems_page(found)}


def claims_page(found: Sequence[Pair]) -> str:
    """A table of all, then each by itself, by tier."""
    lines = [
        "# Claims",
        "",
        _MADE,
        "",
        _INTRO,
        "",
        "    dlcli reproduce                          # all, with their last verdict",
    ]
    lines += ["    dlcli reproduce --all --tier minutes --jobs 2", ""]
    for tier in TIERS:
        if chosen := [pair for pair in found if pair[0].tier == tier]:
            lines += [f"## {tier}", "", _BEGIN[tier], "", *_summary(chosen), ""]
            lines += [line for pair in chosen for line in _section(*pair)]
    return "\n".join(lines).rstrip() + "\n"


def systems_page(found: Sequence[Pair]) -> str:
    """One row a system, with all of its claims."""
    rows: dict[str, list[Pair]] = {}
    for pair in found:
        rows.setdefault(pair[0].system, []).append(pair)
    body = [_system(name, pairs) for name, pairs in sorted(rows.items())]
    heads = ("system", "paper", "file", "recipes", "claims and verdicts", "time")
    lines = [
        "# Systems",
        "",
        _MADE,
        "",
        "What each was published with, where it is here, and what became of its claim.",
        "",
    ]
    return "\n".join([*lines, *table(heads, body)]) + "\n"


def _system(name: str, pairs: Sequence[Pair]) -> list[str]:
    claims = [claim for claim, _ in pairs]
    recipes = {f"`{arm.verb} {arm.recipe}`" for claim in claims for arm in list(claim.arms.values())[:1]}
    verdicts = [f"[{claim.name}](claims.md#{claim.name}): {verdict(claim, result)}" for claim, result in pairs]
    times = [duration(result["seconds"]) if result else f"about {claim.minutes:g} min" for claim, result in pairs]
    return [
        name, "; ".join(_unique(one.paper for one in claims)), ", ".join(_unique(f"`{one.file}`" for one in claims)),
        ", ".join(sorted(recipes)), "<br>".join(verdicts), "<br>".join(times),
    ]  # fmt: skip


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def verdict(claim: Claim, result: Mapping[str, Any] | None) -> str:
    """In a word or two."""
    return str(result["verdict"]) if result else "waiting" if claim.waiting else "not run yet"


def _summary(pairs: Sequence[Pair]) -> list[str]:
    rows = [
        [f"[{claim.name}](#{claim.name})", claim.statement, f"**{verdict(claim, result)}**",
         duration(result["seconds"]) if result else f"about {claim.minutes:g} min"]
        for claim, result in pairs
    ]  # fmt: skip
    return table(("claim", "what is claimed", "verdict", "time"), rows)


def _section(claim: Claim, result: Mapping[str, Any] | None) -> list[str]:
    lines = [f"### {claim.name}", "", f"{claim.statement} {claim.paper}, {claim.where}.", ""]
    lines += [f"- **{verdict(claim, result)}**: `dlcli reproduce {claim.name}`" + _needs(claim)]
    lines += [f"- Waits for {claim.waiting}."] if claim.waiting else []
    lines += [f"- Smaller than in the paper: {claim.scaled}"]
    lines += [f"- The paper: {figures(claim.figures)}."]
    lines += [f"- {arm.name}: `{command(arm.verb, arm.words)}`{_read_by(arm)}" for arm in claim.arms.values()]
    if result is None:
        return [*lines, *(f"- Must hold: {one.text}." for one in claim.relations), ""]
    lines += [
        "",
        *table(("must hold", found_at(result), "verdict"), [_relation(one) for one in comparisons(result)]),
        "",
    ]
    lines += [*table(result["table"]["columns"], result["table"]["rows"]), "", _provenance(result), ""]
    return lines


def _read_by(arm: Arm) -> str:
    return f", read by {arm.metric}" if arm.metric else ""


def found_at(result: Mapping[str, Any]) -> str:
    """Heads the column of estimates: their intervals are wider than 95 %, where there are several."""
    return f"found, {number(100 * result['level'])} % interval"


def command(verb: str, words: Sequence[str]) -> str:
    return shlex.join(["dlcli", verb, *words])


def figures(found: Sequence[Figure]) -> str:
    """The paper's numbers with how they are known."""
    if not found:
        return "no number is held here"
    return "; ".join(f"{one.of}: {one.value}{_KNOWN[one.provenance]}" for one in found)


def _needs(claim: Claim) -> str:
    return "".join(f", after `dlcli data fetch {name}`" for name in claim.needs)


def comparisons(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of all relations, one after the other."""
    return [one for relation in result["relations"] for one in relation["comparisons"]]


def _relation(one: Mapping[str, Any]) -> list[str]:
    note = f"; {one['note']}" if one["note"] else ""
    return [one["text"], told(one) + note, one["verdict"]]


def told(one: Mapping[str, Any]) -> str:
    """An estimate with its interval, `x 12.3 [8, 19]` for a ratio."""
    if one["estimate"] is None:
        return "-"
    sign = {"ratio": "x ", "difference": "+" * (one["estimate"] > 0)}.get(one["kind"], "")
    reach = "" if one["low"] is None else f" [{number(one['low'])}, {_end(one['high'])}]"
    return f"{sign}{number(one['estimate'])}{reach}"


def _end(value: float | None) -> str:
    return "inf" if value is None else number(value)


def _provenance(result: Mapping[str, Any]) -> str:
    judged = str(result.get("commit") or "unknown")[:10]
    made = [one[:10] for one in result.get("commits") or [judged]]
    dirty = " with changes" if result.get("dirty") else ""
    machine, day = result["machine"], str(result["finished"])[:10]
    apart = "" if made == [judged] else f", judged at {judged}"
    seeds, took = ", ".join(map(str, result["seeds"])), duration(result["seconds"])
    place = f"{machine.get('processor') or '?'}, {machine.get('cores')} cores, PyTorch {machine.get('torch')}"
    return f"Seeds {seeds}; {took} of runs on {place}; commit {' and '.join(made)}{dirty}{apart}, {day}."


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in ([*heads], ["---"] * len(heads), *cells)]
