#!/usr/bin/env python3
"""Compares the micro-benchmarks of this tree with those of another commit; fails where an operation costs 10 % more CPU.

  compare.py BASE [NAME...]     NAME: folders whose benchmarks run (default: all that need neither sockets nor a disk)

BASE is checked out and built under build/compare/. Each program runs in turn from both trees, several rounds; what
counts is the lowest CPU time of an operation, which a busy machine disturbs least. What looks slower is run again
before it is believed. Operations that one of both does not have, and those run too rarely for a figure, are left out.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = float(os.environ.get("LIMIT", "1.10"))    # The loss that fails.
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = os.environ.get("SECONDS_EACH", "0.2")   # For each operation and round.
FEWEST = 10                                       # Iterations below which a time says nothing.
NAMES = ["crypto", "message", "smtp", "imap", "pop3", "tls", "mailbox", "server"]


def run(*command, **more):
    return subprocess.run(command, check=True, text=True, **more)


def checkout(base):
    commit = run("git", "-C", HERE, "rev-parse", f"{base}^{{commit}}", capture_output=True).stdout.strip()
    tree = os.path.join(HERE, "build", "compare", commit[:12])
    if not os.path.isdir(tree):
        run("git", "-C", HERE, "worktree", "prune")
        run("git", "-C", HERE, "worktree", "add", "--detach", tree, commit, stdout=sys.stderr)
    return tree


def build(tree, names):
    environment = dict(os.environ, CCACHE_NOHASHDIR="1", CCACHE_BASEDIR=tree)
    run("cmake", "--preset", "release", cwd=tree, env=environment, stdout=subprocess.DEVNULL)
    known = run("ninja", "-C", "build/release", "-t", "targets", "all", cwd=tree, capture_output=True).stdout
    there = [n for n in names if f"\nbench_{n}: " in known]
    run("cmake", "--build", "--preset", "release", "--target", *(f"bench_{n}" for n in there), cwd=tree,
        env=environment, stdout=sys.stderr)
    return there


def times(tree, name, only=None):
    """Nanoseconds of CPU an operation, by its name."""
    command = [f"build/release/bench_{name}", "--benchmark_format=json", f"--benchmark_min_time={SECONDS}"]
    if only:
        command.append("--benchmark_filter=^(" + "|".join(only) + ")$")
    out = run(*command, cwd=tree, capture_output=True).stdout
    unit = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
    found = {}
    for one in json.loads(out[out.index("{"):])["benchmarks"]:
        if one.get("run_type") == "iteration" and "error_message" not in one and one["iterations"] >= FEWEST:
            found[one["name"]] = one["cpu_time"] * unit[one["time_unit"]]
    return found


def lower(into, new):
    for name, time in new.items():
        into[name] = min(time, into.get(name, time))


def shown(ns):
    for limit, unit, divisor in ((1e3, "ns", 1), (1e6, "us", 1e3), (float("inf"), "ms", 1e6)):
        if ns < limit:
            return f"{ns / divisor:.1f} {unit}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = sys.argv[2:] or NAMES
    old_tree = checkout(sys.argv[1])
    new_names = build(HERE, names)
    old_names = build(old_tree, names)
    slower = []
    print(f"{'operation':44} {'before':>12} {'now':>12} {'ratio':>7}")
    for name in new_names:
        if name not in old_names:
            print(f"{name}: new")
            continue
        old, new = {}, {}
        for _ in range(ROUNDS):
            lower(old, times(old_tree, name))
            lower(new, times(HERE, name))
        suspects = [n for n in new if n in old and new[n] > LIMIT * old[n]]
        for _ in range(ROUNDS if suspects else 0):
            lower(old, times(old_tree, name, suspects))
            lower(new, times(HERE, name, suspects))
        for operation in new:
            if operation not in old:
                continue
            ratio = new[operation] / old[operation]
            bad = ratio > LIMIT
            label = f"{name}/{operation}"
            print(f"{label:44} {shown(old[operation]):>12} {shown(new[operation]):>12} {ratio:7.2f}"
                  + ("  slower" if bad else ""), flush=True)
            if bad:
                slower.append(label)
    if slower:
        sys.exit(f"{len(slower)} operation(s) cost more than {LIMIT - 1:.0%} more CPU: " + ", ".join(slower))


if __name__ == "__main__":
    main()
