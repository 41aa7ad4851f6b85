#!/usr/bin/env python3
"""Runs every test of this folder and prints how many cases of each class of RELIABILITY.md it made.

  run.py [NAME...]     NAME: only test modules, classes or methods of that name (unittest's own notation)

Without names it fails where a class has fewer cases than expected.tsv says, so that a table that was emptied by mistake
is seen. FACTEUR names the program.
"""
import pathlib
import sys
import unittest

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "interop")]

import cases  # noqa: E402


def main():
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    suite = loader.loadTestsFromNames(names) if names else loader.discover(str(here), top_level_dir=str(here))
    outcome = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    short = []
    for line in (here / "expected.tsv").read_text().splitlines()[1:]:
        identity, least, what = line.split("\t")
        made = cases.COUNTED[identity]
        print(f"{identity:5} {made:5} cases  {what}")
        if not names and made < int(least):
            short.append(f"{identity}: {made} cases, {least} are expected")
    unknown = set(cases.COUNTED) - {line.split("\t")[0] for line in (here / "expected.tsv").read_text().splitlines()}
    short += [f"{identity} is not in expected.tsv" for identity in sorted(unknown)]
    print(f"{sum(cases.COUNTED.values())} cases")
    for line in short:
        print("FAILED:", line)
    return 0 if outcome.wasSuccessful() and not short else 1


sys.exit(main())
