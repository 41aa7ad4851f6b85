#!/usr/bin/env python3
"""Checks that includes follow src/layers.txt, and that layers.txt itself is a DAG written top down."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
errors = []
may = {}
for number, line in enumerate((root / "src/layers.txt").read_text().splitlines(), 1):
    if not line.strip() or line.startswith("#"):
        continue
    folder, _, below = line.partition(":")
    for name in below.split():
        if name not in may:
            errors.append(f"src/layers.txt:{number}: {folder} names {name}, which does not stand above it")
    may[folder] = set(below.split()) | {folder}

for path in sorted((root / "src").glob("*/*.[ch]pp")):
    folder = path.parent.name
    if folder not in may:
        errors.append(f"{path}: the folder {folder} is not in src/layers.txt")
        continue
    allowed = set(may[folder])
    if path.stem.endswith(("_test", "_fuzz", "_bench")):
        more = path.parent / "test_layers.txt"
        allowed |= set(more.read_text().split()) if more.exists() else set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
        if found and found[1] not in allowed and (root / "src" / found[1]).is_dir():
            errors.append(f"{path}:{number}: {folder} may not include {found[1]} (src/layers.txt)")

for error in errors:
    print(error)
print(f"layering: {len(may)} folders, {len(errors)} errors")
sys.exit(bool(errors))
