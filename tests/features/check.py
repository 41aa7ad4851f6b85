#!/usr/bin/env python3
"""Checks docs/features.tsv: every row that is said to work names tests that exist, ran and passed.

  check.py ROOT JUNIT     JUNIT is what ctest --output-junit wrote.

A test is "PROGRAM CASE": PROGRAM a name of ctest (a test_<folder> without "test_", or interop, demo...), CASE the name of a
doctest case in it, or of a Python test as "Class.test_name", or "*" for the whole program.
"""
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

root, junit = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
ran = {}
for case in xml.parse(junit).getroot().iter("testcase"):
    ran[case.get("name")] = (case.get("status"), "".join(case.itertext()))

listed = {}


def cases(program):
    if program not in listed:
        binary = junit.parent / f"test_{program}"
        listed[program] = subprocess.run([binary, "--list-test-cases", "--no-colors"], capture_output=True, text=True,
                                         cwd=root).stdout.splitlines() if binary.exists() else []
    return listed[program]


errors, rows = [], set()
for number, line in enumerate((root / "docs/features.tsv").read_text().splitlines(), 1):
    if not line or line.startswith(("#", "row\t")):
        continue
    where = f"docs/features.tsv:{number}"
    columns = line.split("\t")
    if len(columns) != 4:
        errors.append(f"{where}: {len(columns)} columns instead of 4 (row, what, tests, note)")
        continue
    row, _, tests, _ = columns
    if row in rows:
        errors.append(f"{where}: {row} stands twice")
    rows.add(row)
    if not tests:
        errors.append(f"{where}: {row} names no test")
    for test in filter(None, (t.strip() for t in tests.split(";"))):
        program, _, case = test.partition(" ")
        status, output = ran.get(program, (None, ""))
        if status is None:
            errors.append(f"{where}: {program} did not run")
        elif status != "run":
            errors.append(f"{where}: {program} ended as {status}")
        elif case == "*":
            continue
        elif case.rpartition(".")[2].startswith("test_"):
            # What a test prints stands between its name and "ok" where Python does not buffer.
            name = rf"{re.escape(case.rpartition('.')[2])} \(.*{re.escape(case)}\)"
            if not re.search(rf"{name}(?:(?!^test_\w+ \()[\s\S])*?(?:\.\.\. |^)ok$", output, re.MULTILINE):
                errors.append(f"{where}: {test} is not among the passed tests")
        elif case not in cases(program):
            errors.append(f"{where}: {program} has no case \"{case}\"")

for error in errors:
    print(error)
print(f"features: {len(rows)} rows work, {len(errors)} errors")
sys.exit(bool(errors))
