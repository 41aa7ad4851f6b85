#!/usr/bin/env python3
"""What an idle IMAP connection holds: logged in, INBOX selected, in IDLE (PERFORMANCE row 19).

  bench/idle.py [COUNT [PORT [tls]]]     default 2000 17143; with "tls": 17993

The server is the one of bench/facteur.sh, found by its cgroup. Its anonymous memory is compared before and after, with
200 connections of all its users open before, so that what is kept of accounts counts for nothing.
"""
import os
import resource
import socket
import ssl
import sys
import time

UNIFIED = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
GROUP = os.path.join(os.environ.get("CG", UNIFIED + "/mailpeers"), "facteur/cgroup.procs")


def anonymous_kib():
    total = 0
    for pid in open(GROUP).read().split():
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss_Anon"))
    return total


def until(stream, wanted):
    seen = b""
    while wanted not in seen:
        more = stream.recv(4096)
        if not more:
            sys.exit(f"the server closed after {seen!r}")
        seen += more


def idle(number, port, context):
    stream = socket.create_connection(("127.0.0.1", port))
    if context:
        stream = context.wrap_socket(stream)
    until(stream, b"\r\n")
    for line, answer in ((f"a LOGIN u{number % 100 + 1}@example.test secret", b"a OK"), ("b SELECT INBOX", b"b OK"),
                         ("c IDLE", b"+")):
        stream.sendall(line.encode() + b"\r\n")
        until(stream, answer)
    return stream


def main(count=2000, port=17143, tls=None):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    first = [idle(i, port, context) for i in range(200)]
    time.sleep(2)
    before = anonymous_kib()
    held = [idle(i, port, context) for i in range(count)]
    time.sleep(3)
    after = anonymous_kib()
    print(f"{len(held)} connections beside {len(first)}: {before} -> {after} KiB, {(after - before) / count:.2f} KiB each")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
