#!/usr/bin/env python3
"""Power cuts under mixed load on real file systems (RELIABILITY.md G3): nothing acknowledged may be lost.

usage: powercut.py [--cuts N] [--fresh N] [--filesystems ext4,xfs] [--seed S] [--dir DIR]
  --cuts N     how many (4)          --fresh N   a new file system after N cuts (5)
The data folder is on a loop-mounted file system. A cut is FS_IOC_SHUTDOWN without flushing the journal: all that was not
synced, and every open transaction of the journal, is gone. Then the program is killed, the file system mounted again,
and everything that is there compared with what was promised. Needs root and loop devices: without them it says so and
ends with 0.
"""
import argparse
import fcntl
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import load
from server import Server, run_load

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}


class Volume:
    """A file system in a file."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.image = folder / f"{kind}.image"
        self.mount_point = folder / "mnt"
        self.mount_point.mkdir(exist_ok=True)
        self.make()

    def make(self):
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(1 << 30)
        subprocess.run([*MAKE[self.kind], str(self.image)], check=True, stdout=subprocess.DEVNULL)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.mount_point)], check=True)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", str(self.mount_point)], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError("the file system is still in use")

    def cut(self):
        folder = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)


def why_not(kinds):
    if os.geteuid() != 0:
        return "it needs root, to mount file systems"
    for kind in kinds:
        if not shutil.which(MAKE[kind][0]):
            return f"{MAKE[kind][0]} is not installed"
    return "" if pathlib.Path("/dev/loop-control").exists() else "there are no loop devices"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--cuts", type=int, default=4)
    parser.add_argument("--fresh", type=int, default=5)
    parser.add_argument("--filesystems", default="ext4,xfs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", default="/var/tmp")
    options = parser.parse_args()
    kinds = options.filesystems.split(",")
    if reason := why_not(kinds):
        print(f"SKIPPED: {reason}")
        return 0
    home = pathlib.Path(tempfile.mkdtemp(prefix="facteur-cut-", dir=options.dir))
    chance = random.Random(options.seed)
    sums = {kind: dict(cuts=0, acknowledged=0, problems=0, extra=0, open=0, most_extra=0) for kind in kinds}
    problems = []
    begin = time.monotonic()
    volume = server = ledger = None
    try:
        for cut in range(options.cuts):
            if cut % options.fresh == 0:
                if server:
                    server.close()
                    server = None
                    volume.unmount()
                kind = kinds[cut // options.fresh % len(kinds)]
                volume = Volume(kind, home)
                ledger = load.Ledger()
                server = Server(home / "server", data=volume.mount_point / "data")
                server.start()
                server.add_accounts()
            before = ledger.acknowledged
            sum_of = sums[kind]

            def cut_now():
                # With the power, the network goes: an answer that comes while the file system is shut down reaches
                # nobody. (ext4 lets a sync that is under way at this moment return without having synced.)
                with ledger.lock:
                    ledger.cut = True
                volume.cut()
                server.kill()

            run_load(server, ledger, options.seed * 100000 + cut, chance.uniform(0.3, 1.5), cut_now)
            still_open = ledger.open()
            volume.unmount()
            volume.mount()
            server.start()
            found, extra = server.check(ledger)
            ledger.cut = False
            if extra > still_open:
                found.append(f"{extra} present, {still_open} were open")
            problems += [f"cut {cut + 1} ({kind}): {text}" for text in found]
            sum_of["cuts"] += 1
            sum_of["acknowledged"] += ledger.acknowledged - before
            sum_of["problems"] += len(found)
            sum_of["extra"] += extra
            sum_of["open"] += still_open
            sum_of["most_extra"] = max(sum_of["most_extra"], extra)
            if found or cut % 10 == 9:
                print(f"cut {cut + 1}: {sum(s['acknowledged'] for s in sums.values())} acknowledged, "
                      f"{len(problems)} problems, {time.monotonic() - begin:.0f} s", flush=True)
                for text in found[:10]:
                    print("  " + text, flush=True)
    finally:
        if server:
            server.close()
        if volume:
            volume.unmount()
        shutil.rmtree(home, ignore_errors=True)
    for kind, s in sums.items():
        print(f"{kind}: {s['cuts']} cuts, {s['acknowledged']} acknowledged, {s['problems']} problems, present but not "
              f"acknowledged {s['extra']} (most at one cut {s['most_extra']}), open operations {s['open']}")
    print(f"{options.cuts} cuts, seed {options.seed}: {sum(s['acknowledged'] for s in sums.values())} acknowledged, "
          f"{len(problems)} problems; {time.monotonic() - begin:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
