#!/usr/bin/env python3
"""Compiles every header alone: whoever includes one needs to know of no other.

  check.py ROOT BUILD [PREFIX...]     flags come from BUILD/compile_commands.json
"""
import concurrent.futures
import json
import pathlib
import shlex
import subprocess
import sys

root, build, only = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), tuple(sys.argv[3:])
commands = json.loads((build / "compile_commands.json").read_text())
flags = None
for entry in commands:
    if entry["file"].endswith("src/main.cpp"):
        words = shlex.split(entry["command"])
        flags = [w for w in words[1:] if w.startswith(("-I", "-D", "-std", "-isystem"))]
        compiler = next(w for w in words if "clang" in w)


def check(header):
    done = subprocess.run([compiler, *flags, f"-I{root}/src", "-fsyntax-only", "-Wno-pragma-once-outside-header", "-x", "c++",
                           str(header)], capture_output=True, text=True)
    return header, done.returncode, done.stderr


headers = [h for h in sorted((root / "src").glob("*/*.hpp")) if not h.stem.endswith("_test") and str(h.relative_to(root / "src")).startswith(only or "")]
failed = 0
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for header, status, text in pool.map(check, headers):
        if status:
            failed += 1
            print(f"{header.relative_to(root)} does not compile alone:\n{text[:2000]}")
print(f"headers: {len(headers)} compiled alone, {failed} failed")
sys.exit(bool(failed))
