#!/usr/bin/env python3
"""kill -9 under mixed load, again and again (RELIABILITY.md G4): nothing acknowledged may be lost.

usage: kills.py [--kills N] [--queued N] [--fresh N] [--seed S] [--dir DIR]
  --kills N    how often (20)
  --queued N   messages that wait in the queue meanwhile, for a host that hangs (0)
  --fresh N    a new store every N kills (50)
The queue is compared at every kill, with many queued ones at every 20th. Ends with 1 if anything was lost, doubled,
changed or torn, or if a start took longer than 1 s (p99) and says what.
"""
import argparse
import random
import sys
import tempfile
import threading
import time

import load
from server import Server, run_load


def fill_queue(server, ledger, count):
    """`count` messages for the host that hangs, over a few connections, sent in one go."""
    import base64
    secret = base64.b64encode(f"\0smtp@{load.DOMAIN}\0{load.PASSWORD}".encode()).decode()

    def some(numbers):
        client = load.Smtp(server.ports["submission"])
        client.command(f"AUTH PLAIN {secret}")
        for start in range(0, len(numbers), 20):
            part = numbers[start:start + 20]
            for number in part:
                client.send(f"MAIL FROM:<smtp@{load.DOMAIN}>\r\nRCPT TO:<n{number}@dead.test>\r\nDATA\r\n")
                if [client.reply() for _ in range(3)] != [250, 250, 354]:
                    raise AssertionError(client.text)
                client.send(load.message(number, 300, f"smtp@{load.DOMAIN}") + ".\r\n")
                if client.reply() != 250:
                    raise AssertionError(client.text)
                ledger.queued[number] = {"there"}
        client.close()

    numbers = [ledger.number() for _ in range(count)]
    crew = [threading.Thread(target=some, args=(numbers[i::8],)) for i in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--queued", type=int, default=0)
    parser.add_argument("--fresh", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", default=tempfile.gettempdir())
    options = parser.parse_args()
    chance = random.Random(options.seed)
    problems, starts, extra, open_operations, acknowledged, most_extra = [], [], 0, 0, 0, 0
    server = ledger = None
    begin = time.monotonic()
    for kill in range(options.kills):
        if kill % options.fresh == 0:
            if server:
                acknowledged += ledger.acknowledged
                server.close()
            ledger = load.Ledger()
            server = Server(tempfile.mkdtemp(prefix="facteur-kills-", dir=options.dir))
            server.start()
            server.add_accounts()
            if options.queued:
                fill_queue(server, ledger, options.queued)
                print(f"{len(ledger.queued)} messages are queued", flush=True)
        run_load(server, ledger, options.seed * 100000 + kill, chance.uniform(0.2, 1.2), server.kill)
        still_open = ledger.open()
        starts.append(server.start())
        look_at_queue = not options.queued or kill % 20 == 19 or kill == options.kills - 1
        found, more = server.check(ledger, queue=look_at_queue)
        problems += [f"kill {kill + 1}: {text}" for text in found]
        extra += more
        open_operations += still_open
        if look_at_queue and not options.queued and more > still_open:
            problems.append(f"kill {kill + 1}: {more} present, {still_open} were open")
        if found or kill % 20 == 19:
            print(f"kill {kill + 1}: start {starts[-1]:.3f} s, {ledger.acknowledged} acknowledged in this store, "
                  f"{len(problems)} problems", flush=True)
            for text in found[:10]:
                print("  " + text, flush=True)
    acknowledged += ledger.acknowledged
    server.close()
    starts.sort()
    p99 = starts[min(len(starts) - 1, int(len(starts) * 0.99))]
    print(f"{options.kills} kills, seed {options.seed}, {options.queued} queued: {acknowledged} acknowledged, "
          f"{len(problems)} problems; present but not acknowledged {extra}, open operations {open_operations}; "
          f"ready again after {starts[len(starts) // 2]:.3f} s (median), {p99:.3f} s (p99), {starts[-1]:.3f} s (most); "
          f"{time.monotonic() - begin:.0f} s")
    for text in problems[:50]:
        print(text)
    return 1 if problems or p99 > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
