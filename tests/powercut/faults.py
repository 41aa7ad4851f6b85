#!/usr/bin/env python3
"""System calls of the running program fail, one case after the other (RELIABILITY.md G5), injected by strace.

usage: faults.py [--cases N] [--fresh N] [--seed S] [--dir DIR]
  --cases N    how many, drawn evenly from the whole list (20); 0: all
  --fresh N    a new store every N cases (20)
A case is a system call, an error (or SIGKILL), and its k-th occurrence in a thread; or a run of failures from the k-th
on. The fault meets the program under mixed load, or while it starts on a store with mail in it. Then the fault ends.
What is asked: it does not crash by itself; where it answers, it does not take back what it promised; after the next
start everything promised is there. Needs strace and the right to trace: without them it says so and ends with 0.
"""
import argparse
import collections
import random
import shutil
import subprocess
import sys
import tempfile
import time

import load
from server import Server, run_load

OUT_OF_ROOM = ("ENOSPC", "EDQUOT")
CALLS = {
    "fdatasync": ("EIO", *OUT_OF_ROOM, "EINTR", "EROFS"),
    "fsync": ("EIO", *OUT_OF_ROOM, "EINTR", "EROFS"),
    "pwritev": ("EIO", *OUT_OF_ROOM, "EINTR", "EAGAIN", "EFBIG"),
    "pwrite64": ("EIO", *OUT_OF_ROOM, "EINTR", "EAGAIN", "EFBIG"),
    "write": ("EIO", *OUT_OF_ROOM, "EINTR", "EAGAIN", "EPIPE"),
    "openat": ("EIO", *OUT_OF_ROOM, "EMFILE", "ENFILE", "ENOMEM", "EINTR"),
    "fallocate": ("EIO", *OUT_OF_ROOM, "EINTR", "EOPNOTSUPP"),
    "ftruncate": ("EIO", *OUT_OF_ROOM, "EINTR"),
    "pread64": ("EIO", "EINTR", "EAGAIN", "ENOMEM"),
    "read": ("EIO", "EINTR", "EAGAIN"),
    "mmap": ("ENOMEM", "EAGAIN", "ENODEV"),
    "rename": ("EIO", *OUT_OF_ROOM, "EROFS"),
    "unlink": ("EIO", "EROFS"),
    "accept4": ("EMFILE", "ENFILE", "ENOMEM", "ECONNABORTED", "EINTR", "EPROTO"),
    "epoll_wait": ("EINTR",),
    "recvfrom": ("ECONNRESET", "EINTR", "ENOMEM", "ETIMEDOUT"),
    "sendmsg": ("EPIPE", "ECONNRESET", "EINTR", "ENOBUFS"),
    "recvmsg": ("ECONNRESET", "EINTR", "ENOMEM"),
    "connect": ("ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "EINTR"),
    "socket": ("EMFILE", "ENFILE", "ENOBUFS"),
}
KILLED_AT = ("fdatasync", "pwritev", "pwrite64", "write", "openat", "fallocate", "unlink", "rename", "sendmsg")
OCCURRENCES = (1, 2, 3, 5, 8, 13, 21, 34)

Case = collections.namedtuple("Case", "call fault when phase")


def all_cases():
    out = []
    for call, errors in CALLS.items():
        faults = [f"error={error}" for error in errors] + (["signal=KILL"] if call in KILLED_AT else [])
        for fault in faults:
            for k in OCCURRENCES:
                out.append(Case(call, fault, str(k), "load"))
                if k <= 8:
                    out.append(Case(call, fault, str(k), "start"))
            if fault != "signal=KILL" and call not in ("epoll_wait",):
                out += [Case(call, fault, f"{k}+", "load") for k in (1, 5)]
    return out


def strace(case):
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={case.call}",
            "-e", f"inject={case.call}:{case.fault}:when={case.when}"]


def under_load(server, ledger, case, seed):
    """The fault during a short load; whether the program ended by itself."""
    tracer = subprocess.Popen([*strace(case), "-p", str(server.process.pid)], stdin=subprocess.DEVNULL)
    time.sleep(0.05)

    def end_fault():
        tracer.terminate()
        try:
            tracer.wait(2)
        except subprocess.TimeoutExpired:
            tracer.kill()  # It waits for threads that its own SIGKILL has ended.
            tracer.wait(30)

    run_load(server, ledger, seed, 0.2, end_fault)
    if server.process.poll() is None:
        return ""
    status = server.process.returncode
    return "" if "KILL" in case.fault and status == -9 else f"the program ended by itself: {status}"


def while_starting(server, case):
    """Starts with the fault in force; it may refuse, in words."""
    server.kill()
    late = ""
    try:
        server.start(prefix=strace(case), limit=20)
    except AssertionError as error:
        late = str(error) if "not ready" in str(error) else ""
    # strace is the child here, and ends as the program does.
    status = server.process.poll()
    if status is None:
        subprocess.run(["pkill", "-KILL", "-P", str(server.process.pid)], check=False)
        server.process.wait(30)
        return late
    good = (1, 3, 5, 127) if "KILL" not in case.fault else (1, 3, 5, 127, -9, 137)  # 127: the loader of libraries.
    return "" if status in good else f"the program ended at its start with {status}"


def still_promised(server, ledger):
    """What the running program, after the fault, says is there; a program that cannot read says so and is not asked."""
    problems = []
    for user in load.MAILBOXES:
        try:
            seen = load.look(server, user)
        except (OSError, load.Gone, AssertionError, AttributeError):
            continue
        there = {number: folder for folder, rows in seen.items() for _, number, _, _ in rows}
        for number, places in ledger.places[user].items():
            if there.get(number, "") not in places:
                problems.append(f"{user}: message {number} is in '{there.get(number, '')}' before the next start, "
                                f"promised in {sorted(places)}")
    return problems


def forgiven(server, case, found):
    """Ends of the program that are counted apart: by an assertion of the index library (Debian's RocksDB is built with
    them), or because no memory could be mapped (RELIABILITY.md G6: it may end then). Nothing may be lost by them."""
    if not found or "ended" not in found[0]:
        return False
    return case.call == "mmap" or ("-6" in found[0] and b"rocksdb::" in server.log.read_bytes()[-4000:])


def why_not():
    if not shutil.which("strace"):
        return "strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True)
    return "" if probe.returncode == 0 else "this process may not trace others"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--fresh", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", default=tempfile.gettempdir())
    options = parser.parse_args()
    if reason := why_not():
        print(f"SKIPPED: {reason}")
        return 0
    cases = all_cases()
    total = len(cases)
    random.Random(options.seed).shuffle(cases)
    cases = cases[:options.cases or total]
    problems, by_call, acknowledged, refused, recovered = [], collections.Counter(), 0, 0, []
    ended = []
    server = ledger = None
    begin = time.monotonic()
    for number, case in enumerate(cases):
        if number % options.fresh == 0:
            if server:
                acknowledged, refused = acknowledged + ledger.acknowledged, refused + ledger.refused
                server.close()
            ledger = load.Ledger()
            server = Server(tempfile.mkdtemp(prefix="facteur-faults-", dir=options.dir))
            server.start()
            server.add_accounts()
            run_load(server, ledger, options.seed, 0.3, lambda: None)
        name = f"{case.call} {case.fault} when {case.when} ({case.phase})"
        try:
            if case.phase == "load":
                found = [why] if (why := under_load(server, ledger, case, options.seed * 100000 + number)) else []
                if server.process.poll() is None:
                    found += still_promised(server, ledger)
            else:
                found = [why] if (why := while_starting(server, case)) else []
            if forgiven(server, case, found):
                ended.append(name)
                found.pop(0)
            server.kill()
            recovered.append(server.start())
            found += server.check(ledger)[0]
        except AssertionError as error:
            found = [str(error)]
            server.kill()
            server.start()
            server.check(ledger)
        by_call[case.call] += 1
        problems += [f"{name}: {text}" for text in found]
        if found:
            print(f"case {number + 1}, {name}:", *found[:6], sep="\n  ", flush=True)
        if number % 50 == 49:
            print(f"{number + 1} cases, {len(problems)} problems, {time.monotonic() - begin:.0f} s", flush=True)
    acknowledged, refused = acknowledged + ledger.acknowledged, refused + ledger.refused
    server.close()
    print(", ".join(f"{call} {count}" for call, count in sorted(by_call.items())))
    print(f"{len(cases)} of {total} cases, seed {options.seed}: {acknowledged} acknowledged, {refused} refused, "
          f"{len(problems)} problems, {len(ended)} ends for want of memory or by an assertion of RocksDB; ready again after at most {max(recovered):.3f} s; "
          f"{time.monotonic() - begin:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
