#!/usr/bin/env python3
"""Plays James's MPT scripts for IMAP (imap_mpt.py) against the program just built: run_imap_mpt.py FACTEUR.

The corpus is looked for beside the sources, in ../shared/corpora/imap-mpt; without it the test is skipped.
"""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared/corpora/imap-mpt"


def main():
    if not CORPUS.is_dir():
        print(f"skipped: no corpus at {CORPUS}")
        return 0
    os.environ["FACTEUR"] = sys.argv[1]
    sys.path[:0] = [str(ROOT / "tests/interop"), str(ROOT / "tests/conformance")]
    import harness
    import imap_mpt

    server = harness.Server(domain="example.test", more="[limits]\nconnections_per_address = 1000\n")
    try:
        add = f"{harness.FACTEUR} account add {{}} -c {server.config}"
        status = imap_mpt.main(["127.0.0.1", str(server.imap), str(CORPUS), "--make", add])
    finally:
        ended = server.close()
    return status or ended


if __name__ == "__main__":
    sys.exit(main())
