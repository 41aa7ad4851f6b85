#!/usr/bin/env python3
"""Does the time of an answer tell who exists (RELIABILITY G19, S15)? Known and unknown names in random order, over each
way in; medians compared without what the brake holds back, and the Mann-Whitney test.

  timing.py [--samples N] [--threads N]         default 10,000 of each kind (DECISIONS: medians count)
"""
import argparse
import base64
import math
import pathlib
import random
import statistics
import sys
import threading
import time

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "interop")]

from harness import Server  # noqa: E402
import wire  # noqa: E402

KNOWN = [f"known{i}" for i in range(20)]
# A cheap hash, so that everything else shows; and no end of guesses.
MORE = '[directory]\nargon2_memory = "8 MiB"\nargon2_passes = 1\n[limits]\nguesses_per_login = 1000000\n'


def fresh_address():
    return f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def clocked(client, octets):
    start = time.perf_counter()
    client.send(octets)
    line = client.line()
    return time.perf_counter() - start, line


def smtp_auth(server, name):
    with wire.Smtp(server.submission, source=fresh_address()) as client:
        client.reply()
        client.command("EHLO c.example")
        took, line = clocked(client, b"AUTH PLAIN " + base64.b64encode(f"\0{name}@example.org\0wrong".encode()) + b"\r\n")
        assert line.startswith(b"535"), line
        return took


def imap_login(server, name):
    with wire.Lines(server.imap, source=fresh_address()) as client:
        client.line()
        took, line = clocked(client, f"a LOGIN {name}@example.org wrong\r\n".encode())
        assert line.startswith(b"a NO"), line
        return took


def pop3_pass(server, name):
    with wire.Lines(server.pop3, source=fresh_address()) as client:
        client.line()
        assert client.pop(f"USER {name}@example.org".encode()).startswith(b"+OK")
        took, line = clocked(client, b"PASS wrong\r\n")
        assert line.startswith(b"-ERR"), line
        return took


def scram(client, name, begin, answer):
    first = f"n=,r={random.getrandbits(80):x}".replace("n=", f"n={name}@example.org", 1)
    client.send(begin + base64.b64encode(b"n,," + first.encode()) + b"\r\n")
    got = base64.b64decode(client.line().split()[-1]).decode()
    nonce = got.split(",")[0]
    final = base64.b64encode(f"c=biws,{nonce},p={base64.b64encode(b'p' * 32).decode()}".encode()) + b"\r\n"
    took, line = clocked(client, final)
    assert line.startswith(answer), line
    return took


def imap_scram(server, name):
    with wire.Lines(server.imap, source=fresh_address()) as client:
        client.line()
        return scram(client, name, b"a AUTHENTICATE SCRAM-SHA-256 ", b"a NO")


def scram_challenge(server, name):
    """The first answer of SCRAM, which has no delay to hide behind."""
    with wire.Lines(server.imap, source=fresh_address()) as client:
        client.line()
        first = base64.b64encode(f"n,,n={name}@example.org,r={random.getrandbits(80):x}".encode())
        took, line = clocked(client, b"a AUTHENTICATE SCRAM-SHA-256 " + first + b"\r\n")
        assert line.startswith(b"+ "), line
        return took


def pop3_user(server, name):
    with wire.Lines(server.pop3, source=fresh_address()) as client:
        client.line()
        took, line = clocked(client, f"USER {name}@example.org\r\n".encode())
        assert line.startswith(b"+OK"), line
        return took


def vrfy(server, name):
    with wire.Smtp(server.smtp, source=fresh_address()) as client:
        client.reply()
        client.command("EHLO c.example")
        took, line = clocked(client, f"VRFY {name}@example.org\r\n".encode())
        assert line.startswith(b"252"), line
        return took


NOISE = 20e-6  # Less apart than this is nothing: POP3 USER, which looks nobody up, differs by as much.
HELD = 0.5  # What the brake holds the first refusal back.
WAYS = [("SMTP AUTH PLAIN", smtp_auth, HELD), ("IMAP LOGIN", imap_login, HELD), ("POP3 PASS", pop3_pass, HELD),
        ("IMAP SCRAM, the end", imap_scram, HELD), ("IMAP SCRAM, the challenge", scram_challenge, 0),
        ("POP3 USER", pop3_user, 0), ("SMTP VRFY", vrfy, 0)]


def sampled(server, way, samples, threads):
    """Times of known and of unknown names, taken in random order by several threads."""
    work = [True] * samples + [False] * samples
    random.shuffle(work)
    times, wrong, lock = {True: [], False: []}, [], threading.Lock()

    def run():
        while True:
            with lock:
                if not work or wrong:
                    return
                known = work.pop()
            name = random.choice(KNOWN) if known else f"ghost{random.randrange(10**6)}"
            try:
                took = way(server, name)
                with lock:
                    times[known].append(took)
            except (OSError, AssertionError) as problem:
                wrong.append(problem)

    crew = [threading.Thread(target=run) for _ in range(threads)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    if wrong:
        raise wrong[0]
    return times[True], times[False]


def mann_whitney(one, other):
    """The two-sided probability that both are of one distribution (normal approximation)."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    n, m = len(one), len(other)
    deviation = (rank_sum - n * (n + 1) / 2 - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(deviation) / math.sqrt(2))


class Compared:
    """Times of known and unknown names, without what is waited on purpose: that would hide any difference."""

    def __init__(self, known, unknown, held):
        self.known, self.unknown = ([t - held for t in times] for times in (known, unknown))
        self.seconds = statistics.median(self.known) - statistics.median(self.unknown)
        # Of the smaller median; of the noise, where that is smaller or below nothing.
        self.share = self.seconds / max(min(statistics.median(self.known), statistics.median(self.unknown)), NOISE)
        self.chance = mann_whitney(self.known, self.unknown)
        self.soonest = min(self.known + self.unknown)

    def tells(self, most):
        """Whether somebody could tell one from the other: medians apart by this share, and not by chance; or one not held."""
        apart = abs(self.share) >= most and abs(self.seconds) >= NOISE and self.chance < 0.05
        return apart or self.soonest < 0


def start(more=MORE):
    return Server(more=more, accounts=KNOWN)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--most", type=float, default=1, help="percent that medians may differ by, without what is waited on purpose")
    options = parser.parse_args()
    server, bad = start(), 0
    try:
        for name, way, held in WAYS:
            threads = options.threads if held else 2
            known, unknown = sampled(server, way, options.samples, threads)
            compared = Compared(known, unknown, held)
            tells = compared.tells(options.most / 100)
            bad += tells
            print(f"{name:28} known {statistics.median(known) * 1000:9.3f} ms, unknown {statistics.median(unknown) * 1000:9.3f} ms: "
                  f"{compared.seconds * 1000:+.3f} ms, without what is waited on purpose {compared.share * 100:+.2f} %, "
                  f"p = {compared.chance:.3f}{'  TELLS' if tells else ''}", flush=True)
    finally:
        server.close()
    print(f"FAILED: {bad} medians differ" if bad else f"medians differ by less than {options.most} % or 20 us, or by chance (p > 0.05)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
