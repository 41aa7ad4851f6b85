#!/usr/bin/env python3
"""What a TLS handshake costs with the private key in the server, and with it in another process.

  bench/handshakes.py [SECONDS [ROUNDS]]     as root; $FACTEUR is the program, $FACTEUR_USER the server's user (nobody)

Both servers run beside each other; openssl s_time knocks at one after the other, so that what disturbs the machine
disturbs both. CPU is that of all processes of the server.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests/interop"), str(ROOT / "tests/privileges")]
import harness  # noqa: E402
from test_three_processes import roles_of, self_signed  # noqa: E402

CASES = [("ec", "-new", "-tls1_3"), ("ec", "-new", "-tls1_2"), ("ec", "-reuse", "-tls1_2"), ("rsa", "-new", "-tls1_3")]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def knock(port, seconds, *how):
    """The number of connections."""
    out = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-time", str(seconds), *how],
                         capture_output=True, text=True).stdout
    return int(re.findall(r"(\d+) connections in \d+ real seconds", out)[0])


def main(seconds=2, rounds=3):
    servers = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("ec", "rsa"):
            tls = pathlib.Path(folder) / kind
            tls.mkdir()
            self_signed(tls, "mx.example.org", kind)
            for harness.PROCESSES in ("one", "three"):
                servers[kind, harness.PROCESSES] = harness.Server(
                    more=f'[[tls.certificate]]\ncertificate = "{tls}/own.crt"\nkey = "{tls}/own.key"\n', accounts=("a",))
        for _ in range(rounds):
            for kind, *how in CASES:
                for processes in ("one", "three"):
                    server = servers[kind, processes]
                    started = roles_of(server.process.pid) if processes == "three" else {}
                    pids = [server.process.pid, *started.values()]
                    before = sum(map(cpu_seconds, pids))
                    count = knock(server.imaps, seconds, *how)
                    used = sum(map(cpu_seconds, pids)) - before
                    print(f"{kind} {how[0][1:]} {how[1][1:]} {processes}: {count / seconds:.0f}/s, "
                          f"{1000 * used / count:.2f} ms of CPU each", flush=True)
        for server in servers.values():
            server.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
