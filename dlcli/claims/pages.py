"""docs/claims.md and docs/systems.md, made from the claims and from what they came to. Never edited by hand."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.claims import claim as stating
from dlcli.claims import results, systems
from dlcli.claims.claim import TIERS, Arm, Claim, Figure
from dlcli.claims.systems import System
from dlcli.report.formatting import duration, number
from dlcli.runs.files import replace_file

_MADE = "<!-- Made by `dlcli reproduce --docs` from dlcli/claims/catalogue and docs/claims: edit those. -->"
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
are wide enough for all of them at once (95 % together, Bonferroni). Honest failures stay in the table. Times are those
of all runs, added up."""

_HEADS = ("system", "paper", "file", "to run it", "claims and verdicts", "time")
_SYSTEMS = """What there is, the paper it is from, where it is, and what became of its claims. The word in front chooses
it: `model=tcn`, `learner=genetic`."""

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
    claims = [stating.read(path) for path in sorted((root / "dlcli" / "claims" / "catalogue").glob("*.yaml"))]
    found: list[Pair] = [(claim, results.last(claim, [root / "docs" / "claims"])) for claim in claims]
    return {"claims.md": claims_page(found), "systems.md": systems_page(found, systems.systems(root / "conf"))}


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


def systems_page(found: Sequence[Pair], listed: Mapping[str, System]) -> str:
    """One row a system, with all of its claims; a table a group."""
    claims: dict[str, list[Pair]] = {}
    for pair in found:
        for member in pair[0].members:
            claims.setdefault(member, []).append(pair)
    lines = ["# Systems", "", _MADE.replace("dlcli/claims/catalogue", "conf"), "", _SYSTEMS, ""]
    for group, title in (systems.GROUPS | {systems.OTHERS: "Sketches, blocks and explanations"}).items():
        rows = [
            _system(name.partition("/")[2] if group != systems.OTHERS else "", system, claims.get(name, ()))
            for name, system in listed.items() if name.startswith(f"{group}/")
        ]  # fmt: skip
        if rows:
            lines += [f"## {title}", "", *table(_HEADS, rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def _system(word: str, system: System, pairs: Sequence[Pair]) -> list[str]:
    verdicts = [f"[{claim.name}](claims.md#{claim.name}): {verdict(claim, result)}" for claim, result in pairs]
    times = [_time(claim, result) for claim, result in pairs]
    name = f"`{word}` {system.name}" if word else system.name
    told = ["<br>".join(verdicts) or "no claim yet", "<br>".join(times)]
    return [name, system.paper, f"`{system.file}`", f"`dlcli {system.run}`", *told]


def _time(claim: Claim, result: Mapping[str, Any] | None) -> str:
    return duration(result["seconds"]) if result else f"about {claim.minutes:g} min"


def verdict(claim: Claim, result: Mapping[str, Any] | None) -> str:
    """In a word or two."""
    return str(result["verdict"]) if result else "waiting" if claim.waiting else "not run yet"


def _summary(pairs: Sequence[Pair]) -> list[str]:
    rows = [
        [f"[{claim.name}](#{claim.name})", claim.statement, f"**{verdict(claim, result)}**",
         _time(claim, result)]
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
