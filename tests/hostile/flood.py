#!/usr/bin/env python3
"""Hostile connections, thousands at once, while good clients work (RELIABILITY G10), and what each kind costs in memory.

  flood.py [--connections N] [--seconds S]      default 10,000 for 60 s; needs as many open files

From 200 addresses of 127.0.0.0/8, in equal shares: silent SMTP, IMAP and POP3; TLS that never begins, that stops in the
middle of its first message, that is complete and then silent; logged-in IMAP that idles, plain and over TLS; one octet
of a command or of a message a second. Good clients (SMTP, IMAP, POP3 in turn) measure from connect to the last reply.
"""
import argparse
import base64
import gc
import os
import pathlib
import resource
import selectors
import socket
import ssl
import statistics
import sys
import threading
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "interop")]

from cases import cpu_seconds, resident  # noqa: E402
from harness import PASSWORD, Server  # noqa: E402
import wire  # noqa: E402

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 40  # Half of a first message of TLS.


def address(number):
    return f"127.0.{1 + number % 200}.{1 + number // 200 % 250}"


class Crowd:
    """One kind of hostile connection: opened, kept, counted."""

    def __init__(self, server, name, port, tls=None, first=b"", drip=b""):
        self.server, self.name, self.port, self.tls, self.first, self.drip = server, name, port, tls, first, drip
        self.sockets = []

    def open(self, count, start):
        for number in range(count):
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            made.bind((address(start + number), 0))
            made.settimeout(60)
            made.connect(("127.0.0.1", getattr(self.server, self.port)))
            if self.tls == "complete":
                made = self.secure(made)
            elif self.tls == "half":
                made.sendall(HELLO)
            if self.tls in (None, "complete"):
                made.recv(1000)  # The greeting.
            for octets in self.first.split(b"|") if self.first else []:
                made.sendall(octets + b"\r\n")
                made.recv(4096)
            made.setblocking(False)
            self.sockets.append(made)

    CONTEXT = None

    def secure(self, made):
        if Crowd.CONTEXT is None:
            Crowd.CONTEXT = wire.context()
        return Crowd.CONTEXT.wrap_socket(made)

    def step(self, second):
        """One octet more, where that is what they do."""
        if not self.drip:
            return
        octet = self.drip[second % len(self.drip):][:1]
        for made in self.sockets:
            try:
                made.send(octet)
            except OSError:
                pass

    def alive(self):
        """How many are still open: nothing was said that ends them."""
        count = 0
        for made in self.sockets:
            try:
                if made.recv(100, socket.MSG_PEEK) if not isinstance(made, ssl.SSLSocket) else made.recv(100):
                    count += 1
            except (BlockingIOError, ssl.SSLWantReadError):
                count += 1
            except OSError:
                pass
        return count

    def close(self):
        for made in self.sockets:
            made.close()


def crowds(server):
    login = f"a LOGIN {server.address('anne')} \"{PASSWORD}\"".encode()
    idle = login + b"|b SELECT INBOX|c IDLE"
    mail = b"EHLO c.example|MAIL FROM:<a@outside.example>|RCPT TO:<anne@%s>|DATA" % server.domain.encode()
    return [
        Crowd(server, "SMTP, silent", "smtp"),
        Crowd(server, "IMAP, silent", "imap"),
        Crowd(server, "POP3, silent", "pop3"),
        Crowd(server, "TLS that never begins", "imaps", "none"),
        Crowd(server, "TLS, half a first message", "imaps", "half"),
        Crowd(server, "IMAP over TLS, silent", "imaps", "complete"),
        Crowd(server, "SMTP over TLS, silent", "submissions", "complete"),
        Crowd(server, "IMAP, logged in, IDLE", "imap", first=idle),
        Crowd(server, "IMAP over TLS, logged in, IDLE", "imaps", "complete", first=idle),
        Crowd(server, "SMTP, an octet of a command a second", "smtp", drip=b"EHLO c.example " * 20),
        Crowd(server, "SMTP, an octet of a message a second", "smtp", first=mail, drip=b"Subject: x\r\n"),
        Crowd(server, "IMAP, an octet of a command a second", "imap", drip=b"a LOGIN anne x" * 20),
    ]


def good_smtp(server, number):
    with wire.Smtp(server.smtp, source="127.1.0.1") as client:
        assert client.reply() == 220
        greeted = time.monotonic()
        assert client.command("EHLO good.example") == 250
        assert client.command("MAIL FROM:<good@outside.example>") == 250
        assert client.command(f"RCPT TO:<paul@{server.domain}>") == 250
        assert client.command("DATA") == 354
        assert client.command(f"From: good@outside.example\r\nSubject: {number}\r\n\r\nx\r\n.") == 250
        return greeted


def good_imap(server, number):
    with wire.Lines(server.imap, source="127.1.0.2") as client:
        assert client.line().startswith(b"* OK")
        greeted = time.monotonic()
        assert client.tagged(f'LOGIN {server.address("paul")} "{PASSWORD}"'.encode())[-1].startswith(b"a OK")
        assert client.tagged(b"SELECT INBOX")[-1].startswith(b"a OK")
        assert client.tagged(b"FETCH 1:* (FLAGS)")[-1].startswith((b"a OK", b"a BAD"))
        return greeted


def good_pop3(server, number):
    with wire.Lines(server.pop3, source="127.1.0.3") as client:
        assert client.line().startswith(b"+OK")
        greeted = time.monotonic()
        assert client.pop(f"USER {server.address('paul')}".encode()).startswith(b"+OK")
        assert client.pop(f"PASS {PASSWORD}".encode()).startswith((b"+OK", b"-ERR [IN-USE]"))
        return greeted


class Good:
    """Good clients, one after the other; what they waited, and what went wrong."""

    def __init__(self, server):
        self.server, self.greetings, self.dialogues, self.failures = server, [], [], []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        number = 0
        while not self.over.is_set():
            start = time.monotonic()
            try:
                greeted = (good_smtp, good_imap, good_pop3)[number % 3](self.server, number)
                self.greetings.append(greeted - start)
                self.dialogues.append(time.monotonic() - start)
            except (OSError, AssertionError) as wrong:
                self.failures.append(f"{number}: {wrong!r}")
            number += 1
            self.over.wait(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def flood(connections, seconds, say=print):
    """The whole run; a dict of figures."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < connections + 500:
        raise SystemExit(f"{connections} connections need as many open files; the limit here is {hard}")
    server = Server()
    figures = {"connections": connections, "kinds": {}}
    try:
        server.deliver("From: a@b.example\r\nSubject: x\r\n\r\nx\r\n", "paul")
        for work in (good_smtp, good_imap, good_pop3):
            work(server, 0)
        with Good(server) as calm:
            time.sleep(min(5, seconds))
        figures["calm"] = calm
        kinds = crowds(server)
        share = connections // len(kinds)
        with Good(server) as busy:
            start = before = resident(server)
            for index, crowd in enumerate(kinds):
                crowd.open(share, index * share)
                time.sleep(0.3)
                now = resident(server)
                figures["kinds"][crowd.name] = (now - before) / share
                say(f"{crowd.name:42} {(now - before) / share / 1024:8.1f} KiB each")
                before = now
            used, begun = cpu_seconds(server), time.monotonic()
            for second in range(seconds):
                tick = time.monotonic()
                for crowd in kinds:
                    crowd.step(second)
                time.sleep(max(0.0, 1 - (time.monotonic() - tick)))
            figures["cpu"] = (cpu_seconds(server) - used) / (time.monotonic() - begun)
            figures["resident"] = resident(server)
            figures["alive"] = {crowd.name: crowd.alive() for crowd in kinds}
        figures["busy"] = busy
        figures["start"] = start
        for crowd in kinds:
            crowd.close()
        log = server.log.read_text(errors="replace")
        figures["refused"] = log.count('"connection_refused"')
    finally:
        figures["status"] = server.close()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    figures = flood(options.connections, options.seconds)
    print(f"\n{sum(figures['alive'].values())} of {options.connections} hostile connections open at the end:")
    for name, count in figures["alive"].items():
        print(f"  {name:42} {count}")
    print(f"resident: {figures['start'] / 2**20:.0f} MiB before, {figures['resident'] / 2**20:.0f} MiB at the end; "
          f"{figures['cpu']:.2f} CPU seconds a second; {figures['refused']} refused")
    for name in ("calm", "busy"):
        good = figures[name]
        print(f"good clients, {name}: {len(good.dialogues)} served, {len(good.failures)} failed; "
              f"greeting p50 {percentile(good.greetings, .5) * 1000:.1f} ms, p99 {percentile(good.greetings, .99) * 1000:.1f} ms; "
              f"dialogue p50 {percentile(good.dialogues, .5) * 1000:.1f} ms, p99 {percentile(good.dialogues, .99) * 1000:.1f} ms")
        for failure in good.failures[:5]:
            print("  ", failure)
    bad = figures["status"] != 0 or figures["busy"].failures or figures["resident"] > 1 << 30
    bad = bad or percentile(figures["busy"].greetings, 0.99) > 0.1
    print("FAILED" if bad else "as the goal says: a new client is greeted within 100 ms (p99), at most 1 GiB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
