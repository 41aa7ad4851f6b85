#!/usr/bin/env python3
"""Runs fuzz targets, each for a number of CPU seconds, and prints what was tried and reached as a table.

    campaign.py --programs build/fuzz --seconds 600 [--jobs 2] [TARGET...]

CPU time, not time on the clock: a figure then means the same on a busy machine. A target that ends by itself has found
something; its log and the input are named and the exit code is 1. What was found stays in build/fuzz-corpus, so the next
run goes on from there.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
# What libFuzzer says while it runs: edges, features (edges with counts), inputs kept.
STATUS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")
COUNTERS = re.compile(r"\((\d+) inline 8-bit counters\)")
STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)$", re.M)


def cpu_seconds(pid):
    """User and system time of a process so far; None when it is no longer there."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS


class Run:
    """One target while it runs, and what came of it."""

    def __init__(self, program, options):
        self.name = program.name
        self.log = options.logs / f"{self.name}.log"
        self.spent = 0.0
        self.asked_to_stop = False
        corpus = options.corpora / self.name
        corpus.mkdir(parents=True, exist_ok=True)
        folders = [corpus, pathlib.Path("tests/fuzz/corpus") / self.name]
        command = [program, "-print_final_stats=1", "-rss_limit_mb=2048", "-timeout=600",
                   f"-artifact_prefix={options.logs}/{self.name}-"]
        words = options.corpora / f"{self.name}.dict"
        if words.exists() and words.stat().st_size:
            command.append(f"-dict={words}")
        command += [folder for folder in folders if folder.is_dir()]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ended(self, seconds):
        """Looks once: True when the process is gone. Asks it to stop when its time is over."""
        spent = cpu_seconds(self.process.pid)
        if spent is not None:
            self.spent = max(self.spent, spent)
        if self.process.poll() is not None:
            return True
        if self.spent >= seconds and not self.asked_to_stop:
            self.process.send_signal(signal.SIGUSR1)  # libFuzzer ends after the input at hand, with its statistics
            self.asked_to_stop = True
        return False

    def row(self):
        text = self.log.read_text(errors="replace")
        statistics = {name: int(value) for name, value in STATISTIC.findall(text)}
        status = STATUS.findall(text)
        edges, features, kept = status[-1] if status else ("0", "0", "0")
        counters = COUNTERS.search(text)
        return [self.name, f"{self.spent:.0f}", str(statistics.get("number_of_executed_units", 0)), edges,
                counters.group(1) if counters else "?", features, kept, str(statistics.get("peak_rss_mb", 0)),
                "none" if self.clean() else f"SEE {self.log}"]

    def clean(self):
        return self.asked_to_stop and self.process.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="the folder with the *_fuzz programs")
    parser.add_argument("--seconds", type=float, default=600, help="CPU seconds for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("targets", nargs="*", help="default: all")
    options = parser.parse_args()
    options.corpora = pathlib.Path("build/fuzz-corpus")
    options.logs = pathlib.Path("build/fuzz-logs")
    options.logs.mkdir(parents=True, exist_ok=True)
    waiting = sorted(program for program in options.programs.glob("*_fuzz") if os.access(program, os.X_OK))
    if options.targets:
        unknown = set(options.targets) - {program.name for program in waiting}
        if unknown:
            sys.exit(f"no such target: {', '.join(sorted(unknown))}")
        waiting = [program for program in waiting if program.name in options.targets]
    if not waiting:
        sys.exit(f"no fuzz targets in {options.programs}")
    print("target", "CPU s", "inputs", "edges", "of", "features", "kept", "peak MB", "findings", sep="\t", flush=True)
    running, clean = [], True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that the targets end, too.
    try:
        while waiting or running:
            while waiting and len(running) < options.jobs:
                running.append(Run(waiting.pop(0), options))
            time.sleep(0.5)
            for run in [run for run in running if run.ended(options.seconds)]:
                running.remove(run)
                clean = clean and run.clean()
                print(*run.row(), sep="\t", flush=True)
    finally:
        for run in running:
            run.process.kill()
            run.process.wait()
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
