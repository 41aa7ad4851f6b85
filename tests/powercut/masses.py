#!/usr/bin/env python3
"""kill -9 behind and within changes of many messages (COPY, MOVE, STORE, EXPUNGE of hundreds and thousands).

usage: masses.py [--rounds N] [--messages N] [--seed S] [--dir DIR]
  --rounds N     how many changes, each with a kill (12)
  --messages N   in the mailbox at the beginning (1500)
Such a change is one record, and the messages' own records get it afterwards (docs/decisions/0019): a kill comes before
the answer, with it, or while it is carried. What was answered must be there, with the UIDs that were told; what was not
answered may be there or not, and nothing else may have changed. At the end, and now and then, `facteur fsck` must find
nothing. Ends with 1 and says what was wrong.
"""
import argparse
import imaplib
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

import load
from server import Server

USER = f"{load.MAILBOXES[0]}@{load.DOMAIN}"
BOXES = ("INBOX", "Archive", "Other")
imaplib._MAXLINE = 10_000_000


def fill(server, count):
    """An mbox of `count` numbered messages, imported."""
    path = pathlib.Path(server.home) / "many.mbox"
    line = "a line of text\n"
    with path.open("w") as out:
        for number in range(count):
            out.write(f"From x@example.net Mon Jun  1 12:00:00 2020\nFrom: x@example.net\nX-Number: {number}\n"
                      f"Subject: number {number}\n\n{line * (number % 7 + 1)}\n")
    server.facteur("import", USER, str(path))


class Mailbox:
    """Looking at an account from outside."""

    @staticmethod
    def session(server):
        client = imaplib.IMAP4("127.0.0.1", server.ports["imap"], timeout=60)
        client.login(USER, load.PASSWORD)
        return client

    @staticmethod
    def seen(server):
        """All that is there: {box: {uid: (number, deleted, EMAILID)}}."""
        client = Mailbox.session(server)
        there = {}
        for box in BOXES:
            kind, answer = client.select(box, readonly=True)
            if kind != "OK":
                raise AssertionError(f"SELECT {box}: {answer}")
            found = there[box] = {}
            if int(answer[0]) == 0:
                continue
            kind, answer = client.uid("FETCH", "1:*", "(FLAGS EMAILID BODY.PEEK[HEADER.FIELDS (X-Number)])")
            for item in answer:
                if not isinstance(item, tuple):
                    continue
                head = item[0].decode()
                uid = int(re.search(r"UID (\d+)", head).group(1))
                number = int(re.search(rb"X-Number: (\d+)", item[1]).group(1))
                if uid in found:
                    raise AssertionError(f"{box}: UID {uid} twice")
                email = re.search(r"EMAILID \((\S+)\)", head).group(1)
                found[uid] = (number, "\\Deleted" in head, email)
        client.logout()
        return there


def ranges(text):
    """"1:3,7" as [1, 2, 3, 7]."""
    out = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        out += range(int(first), int(last or first) + 1)
    return out


def some_of(uids, chance):
    """A run of neighbours, at least 300 where there are so many, as a set and as text."""
    uids = sorted(uids)
    length = min(len(uids), chance.randint(300, max(300, len(uids))))
    first = chance.randint(0, len(uids) - length)
    chosen = uids[first:first + length]
    return chosen, f"{chosen[0]}:{chosen[-1]}"


class Round:
    """One change, and what it may have come to."""

    def __init__(self, before, chance):
        self.before, self.chance = before, chance
        self.box = chance.choice([box for box in BOXES if before[box]])
        self.to = chance.choice([box for box in BOXES if box != self.box])
        self.verb = chance.choice(["COPY", "MOVE", "STORE", "EXPUNGE"])
        if self.verb == "EXPUNGE" and not any(what[1] for what in before[self.box].values()):
            self.verb = "STORE"
        self.uids, self.text = some_of(before[self.box], chance)

    def perform(self, client):
        """The answer: COPYUID's pairs for COPY and MOVE. Raises when the connection ends first."""
        client.select(self.box)
        if self.verb == "STORE":
            kind, answer = client.uid("STORE", self.text, "+FLAGS.SILENT", "(\\Deleted)")
        elif self.verb == "EXPUNGE":
            kind, answer = client.expunge()
        else:
            kind, answer = client.uid(self.verb, self.text, self.to)
        if kind != "OK":
            raise AssertionError(f"{self}: {kind} {answer}")
        told = client.untagged_responses.get("COPYUID") or client.response("COPYUID")[1]
        if self.verb in ("COPY", "MOVE") and told and told[0]:
            _, source, target = told[0].decode().split()
            return dict(zip(ranges(source), ranges(target)))
        return {}

    def __str__(self):
        return f"{self.verb} {len(self.uids)} of {self.box}" + (f" to {self.to}" if self.verb in ("COPY", "MOVE") else "")

    def wrong(self, after, answered, pairs):
        """What is not as it must be; nothing if all is well."""
        expected = {box: dict(self.before[box]) for box in BOXES}
        here = expected[self.box]
        if self.verb == "STORE":
            for uid in self.uids:
                here[uid] = (here[uid][0], True, here[uid][2])
        elif self.verb == "EXPUNGE":
            expected[self.box] = {uid: what for uid, what in here.items() if not what[1]}
        if self.verb in ("STORE", "EXPUNGE"):
            if after == expected or (not answered and after == self.before):
                return ""
            return f"{self}: neither done nor not done" if not answered else f"{self}: not as it was answered"
        # New UIDs may be told to nobody: compared by what they are of, and with COPYUID where that was told.
        came = {uid: what for uid, what in after[self.to].items() if uid not in self.before[self.to]}
        kept = {uid: what for uid, what in after[self.to].items() if uid in self.before[self.to]}
        if kept != self.before[self.to]:
            return f"{self}: messages of the target changed"
        if not came and not answered and after == self.before:
            return ""
        moved = {uid: here.pop(uid) for uid in self.uids} if self.verb == "MOVE" else {uid: here[uid] for uid in self.uids}
        if after[self.box] != here:
            return f"{self}: the source is not as it must be"
        # A message that is in the target already is not moved there a second time: it is the same one (EMAILID).
        there = {what[2] for what in kept.values()}
        coming = [uid for uid in self.uids if self.verb == "COPY" or moved[uid][2] not in there]
        if [what[0] for _, what in sorted(came.items())] != [moved[uid][0] for uid in coming]:
            return f"{self}: {len(came)} came, not those {len(coming)}"
        if any(after[self.to].get(pairs.get(uid, 0), (moved[uid][0],))[0] != moved[uid][0] for uid in self.uids):
            return f"{self}: COPYUID told other UIDs"
        others = [box for box in BOXES if box not in (self.box, self.to)]
        return f"{self}: another mailbox changed" if any(after[box] != self.before[box] for box in others) else ""


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--messages", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", default=tempfile.gettempdir())
    options = parser.parse_args()
    chance = random.Random(options.seed)
    problems, answers, kills, told = [], 0, 0, 0
    server = Server(tempfile.mkdtemp(prefix="facteur-masses-", dir=options.dir))
    try:
        server.start()
        server.add_accounts()
        fill(server, options.messages)
        client = Mailbox.session(server)
        for box in BOXES[1:]:
            client.create(box)
        client.logout()
        before = Mailbox.seen(server)
        for number in range(1, options.rounds + 1):
            if not any(before.values()) or sum(map(len, before.values())) > 8 * options.messages:
                break
            change = Round(before, chance)
            client = Mailbox.session(server)
            # A third is killed within it, another third behind its answer, at once or while it is carried; behind the
            # others the next change comes at once, so that several wait to be carried.
            timer = threading.Timer(chance.uniform(0, 0.04), server.kill) if number % 3 == 0 else None
            if timer:
                timer.start()
            try:
                pairs, answered = change.perform(client), True
            except (OSError, imaplib.IMAP4.abort):
                pairs, answered = {}, False
            answers += answered
            if timer:
                timer.join()
            elif number % 3 == 1:
                time.sleep(chance.choice([0, 0, 0.005, 0.02, 0.1]))
                server.kill()
            if timer or number % 3 == 1:
                kills += 1
                server.start()
            if answered and change.verb in ("COPY", "MOVE") and len(pairs) != len(change.uids):
                problems.append(f"round {number}: {change}: COPYUID tells of {len(pairs)}")
            after = Mailbox.seen(server)
            if wrong := change.wrong(after, answered, pairs):
                problems.append(f"round {number}: {wrong}")
            if number % 4 == 0 or number == options.rounds:
                try:
                    server.facteur("fsck")
                except AssertionError as found:
                    problems.append(f"round {number}, after {change}: {found}")
            before = after
            for problem in problems[told:]:
                print(problem, flush=True)
            told = len(problems)
            print(f"{number}: {change}, {'answered' if answered else 'not answered'}: "
                  f"{', '.join(f'{box} {len(what)}' for box, what in after.items())}", flush=True)
    finally:
        server.close()
    print(f"{number} changes, {kills} kills; {answers} were answered; {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
