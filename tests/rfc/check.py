#!/usr/bin/env python3
"""Checks that every RFC cited in src/ and tests/ is listed in docs/rfc/index.tsv, and every cited section exists.

  check.py [ROOT]             checks; prints what is missing
  check.py --add [ROOT]       adds what is missing to the index (title and sections from the RFC's text, if it is here)
  check.py --coverage [ROOT]  prints for each RFC how often code and tests cite it

The index has one line for each RFC: number, title, status (yes, partial, no, obsolete), folders, all of its sections.
Texts of RFCs are looked for in $FACTEUR_CORPORA/rfc-texts, else ../shared/corpora/rfc-texts; where they are, the
sections of the index are compared with them. Without them the index alone decides.
"""
import collections
import os
import pathlib
import re
import sys

NAME = r"(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)"
CITATION = re.compile(r"RFC ?(\d{3,5})((?:(?:,| and| or| over| to)? ?(?:§|[Aa]ppendix )" + NAME + r")*)")
TEST = re.compile(r'TEST_RFC\(\s*"(\d{3,5})((?:(?:,| and)? ?(?:§|[Aa]ppendix )' + NAME + r")*)")
SECTION = re.compile(r"(?:§|[Aa]ppendix )(" + NAME + r")")
HEADING = re.compile(r"^ {0,6}(?:Section |APPENDIX |Appendix )?(" + NAME + r")\.?:?(?:\s+\S|\s*$)")
UNKNOWN = "(title unknown)"  # To be written by hand.
STATUSES = {"yes", "partial", "no", "obsolete"}


def citations(root):
    """(rfc, section or None) -> list of (place, is a test)."""
    found = collections.defaultdict(list)
    paths = sorted((root / "src").glob("**/*.[ch]pp")) + sorted((root / "tests").glob("**/*.[ch]pp"))
    for path in paths:
        test = path.stem.endswith(("_test", "_fuzz", "_bench")) or path.parts[-2] == "tests"
        text = path.read_text()
        for pattern, from_test in ((CITATION, test), (TEST, True)):
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                place = f"{path.relative_to(root)}:{line}"
                sections = SECTION.findall(match[2]) or [None]
                for section in sections:
                    found[(int(match[1]), section)].append((place, from_test))
    return found


def read_index(path):
    index = {}
    errors = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 5 or not cells[0].isdigit() or cells[2] not in STATUSES:
            errors.append(f"docs/rfc/index.tsv:{number}: five columns are wanted: RFC, title, status, folders, sections")
            continue
        if int(cells[0]) in index:
            errors.append(f"docs/rfc/index.tsv:{number}: RFC {cells[0]} is listed twice")
        index[int(cells[0])] = cells[1:4] + [set(cells[4].split(",")) - {""}]
    return index, errors


def corpora_texts(root):
    base = os.environ.get("FACTEUR_CORPORA") or root.resolve().parent / "shared" / "corpora"
    return pathlib.Path(base) / "rfc-texts"


def sections_of(text):
    return {match[1] for line in text.splitlines() if (match := HEADING.match(line))}


def title_of(text):
    """The first centred block of lines behind the block of authors."""
    blocks = [block for block in re.split(r"\n[ \t]*\n", text[:6000]) if block.strip()]
    for block in blocks[1:]:
        lines = block.splitlines()
        if all(line.startswith("   ") for line in lines if line.strip()):
            title = " ".join(" ".join(line.split()) for line in lines if line.strip())
            return title if len(title) < 160 else UNKNOWN
    return UNKNOWN


def order(section):
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in section.split(".")]


def write_index(path, index):
    lines = ["# RFC, title, status (yes, partial, no, obsolete), folders, sections. tests/rfc/check.py --add extends it."]
    for rfc in sorted(index):
        title, status, folders, sections = index[rfc]
        lines.append("\t".join([str(rfc), title, status, folders, ",".join(sorted(sections, key=order))]))
    path.write_text("\n".join(lines) + "\n")


def add(root, index, found, texts):
    for (rfc, section), places in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        if rfc not in index:
            file = texts / f"rfc{rfc}.txt"
            text = file.read_text(errors="replace") if file.exists() else ""
            index[rfc] = [title_of(text) if text else UNKNOWN, "partial", "", sections_of(text)]
        if section and not (texts / f"rfc{rfc}.txt").exists():
            index[rfc][3].add(section)  # Nothing to compare it with: taken at its word.
        folders = set(index[rfc][2].split()) | {place.split("/")[1] for place, _ in places if place.startswith("src/")}
        index[rfc][2] = " ".join(sorted(folders))
    write_index(root / "docs/rfc/index.tsv", index)


def coverage(index, found):
    print(f"{'RFC':>5}  {'status':8} {'code':>5} {'tests':>5} {'sections in both':>16}  title")
    for rfc in sorted(index):
        code = {s for (r, s), places in found.items() if r == rfc and any(not test for _, test in places)}
        tests = {s for (r, s), places in found.items() if r == rfc and any(test for _, test in places)}
        counts = [sum(1 for (r, _), places in found.items() if r == rfc for _, t in places if t == test)
                  for test in (False, True)]
        both = len((code & tests) - {None})
        print(f"{rfc:>5}  {index[rfc][1]:8} {counts[0]:>5} {counts[1]:>5} {both:>16}  {index[rfc][0]}")


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    root = pathlib.Path(arguments[0] if arguments else ".")
    path = root / "docs/rfc/index.tsv"
    index, errors = read_index(path) if path.exists() else ({}, [])
    found = citations(root)
    texts = corpora_texts(root)
    if "--add" in sys.argv:
        add(root, index, found, texts)
        index, errors = read_index(path)
    if "--coverage" in sys.argv:
        return coverage(index, found)
    compared = 0
    for rfc in sorted({rfc for rfc, _ in found}):
        if rfc not in index:
            where = next(places[0][0] for (r, _), places in found.items() if r == rfc)
            errors.append(f"{where}: RFC {rfc} is not in docs/rfc/index.tsv: run tests/rfc/check.py --add")
            continue
        cited = {s for r, s in found if r == rfc and s}
        file = texts / f"rfc{rfc}.txt"
        if file.exists():
            compared += 1
            for section in sorted(index[rfc][3] - sections_of(file.read_text(errors="replace"))):
                errors.append(f"docs/rfc/index.tsv: RFC {rfc} has no section {section}")
        for section in sorted(cited - index[rfc][3]):
            errors.append(f"{found[(rfc, section)][0][0]}: RFC {rfc} §{section} is not a section of that RFC "
                          "(docs/rfc/index.tsv)")
    for error in errors:
        print(error)
    count = len([1 for _, s in found if s])
    note = "" if compared else " (no texts of RFCs here: sections checked against the index only)"
    print(f"rfc: {len({r for r, _ in found})} RFCs, {count} sections cited, {compared} compared with their texts, "
          f"{len(errors)} errors{note}")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
