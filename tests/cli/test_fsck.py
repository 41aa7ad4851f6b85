"""facteur fsck on the real program: whatever is deleted or damaged on the disk, the rest is as it was."""
import hashlib
import imaplib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from harness import FACTEUR, PASSWORD, Server  # noqa: E402

CLEAN, REPAIRED, PROBLEMS = 0, 6, 7


def letter(number, size=0):
    return (f"From: someone@outside.example\r\nTo: anne@example.org\r\nSubject: letter {number}\r\n"
            f"Message-ID: <letter{number}@outside.example>\r\n\r\nmarker-{number}-end\r\n" + "x" * size + "\r\n")


def fsck(server, *arguments):
    done = subprocess.run([FACTEUR, "fsck", "--json", *arguments, "-c", str(server.config)], text=True,
                          capture_output=True, timeout=120)
    answer = json.loads(done.stdout) if done.stdout else {}
    return done.returncode, answer, done.stderr


def login(server, name="anne"):
    client = imaplib.IMAP4("127.0.0.1", server.imap, timeout=30)
    client.login(server.address(name), PASSWORD)
    client.enable("QRESYNC")
    return client


def replies(client, command, *arguments):
    """All untagged responses of one command, as they came."""
    tag = client._new_tag()
    client.send(tag + b" " + " ".join((command, *arguments)).encode() + b"\r\n")
    out = []
    while True:
        line = client.readline()
        if line.startswith(tag):
            if b" OK" not in line:
                raise AssertionError(line)
            return out
        while line.rstrip().endswith(b"}"):
            size = int(line.rstrip()[line.rstrip().rindex(b"{") + 1:-1])
            line += hashlib.sha256(client.read(size)).hexdigest().encode() + client.readline()
        out.append(line.replace(rb"\Recent ", b"").replace(rb" \Recent", b"").replace(rb"\Recent", b""))  # Each session has its own.


def state(server, name="anne"):
    """Everything IMAP shows of an account."""
    client = login(server, name)
    out = {}
    boxes = [line.decode().split('"/" ')[1].strip().strip('"') for line in client.list()[1]]
    for box in sorted(boxes):
        selected = replies(client, "EXAMINE", f'"{box}"')
        out[box] = [sorted(line for line in selected if b"RECENT" not in line)]
        if any(b" 0 EXISTS" in line for line in selected):
            continue
        out[box].append(replies(client, "FETCH", "1:*", "(UID MODSEQ FLAGS INTERNALDATE RFC822.SIZE EMAILID THREADID)"))
        out[box].append(replies(client, "FETCH", "1:*", "(ENVELOPE BODY.PEEK[])"))
        out[box].append(replies(client, "UID FETCH", "1:*", "(UID FLAGS)", "(CHANGEDSINCE 1 VANISHED)"))
    client.logout()
    return out


def fill(server, count=120):
    for number in range(count // 4):
        server.deliver(letter(number))
    client = login(server)
    client.create("Work")
    for number in range(count // 4, count):
        client.append("INBOX" if number % 3 else "Work", r"(\Seen)" if number % 2 else None, None, letter(number).encode())
    client.select("INBOX")
    client.store("1:20", "+FLAGS", r"(\Flagged urgent)")
    client.copy("5:15", "Work")
    client._simple_command("MOVE", "12:15", "Archive")
    client.store("2,4,6", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.logout()


def records_of(path):
    """(position, length of the payload, type) of each record of a segment (docs/store-format.md)."""
    octets = path.read_bytes()
    at = 1024
    while octets[at:at + 4] == b"FGRP":
        length, count = struct.unpack(">II", octets[at + 20:at + 28])
        inside = at + 48
        for _ in range(count):
            size, kind = struct.unpack(">IB", octets[inside + 8:inside + 13])
            yield inside, size, kind
            inside += 16 + size
        at += length


def find_record(server, marker):
    """The segment, the body with this text, and the transaction behind it."""
    for path in sorted((server.data / "log").glob("*.seg")):
        octets = path.read_bytes()
        records = list(records_of(path))
        for number, (at, size, kind) in enumerate(records):
            if kind == 1 and marker in octets[at:at + 16 + size]:
                following = next(record for record in records[number + 1:] if record[2] == 4)
                return path, (at, size), following[:2]
    raise AssertionError("not in the log")


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        octet = file.read(1)[0]
        file.seek(at)
        file.write(bytes([octet ^ 1]))


class Fsck(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def test_without_the_index_all_is_as_it_was(self):
        fill(self.server)
        before = state(self.server)
        code, answer, errors = fsck(self.server)
        self.assertEqual(code, CLEAN, (answer, errors))
        self.assertEqual(self.server.stop(), 0)
        code, answer, _ = fsck(self.server)
        self.assertEqual((code, answer["problems"]), (CLEAN, 0), answer)
        self.assertGreater(answer["store"]["index_keys"], 1000)
        self.assertEqual(answer["accounts"], 2)
        shutil.rmtree(self.server.data / "index")
        code, answer, _ = fsck(self.server, "--repair")
        self.assertEqual(code, REPAIRED, answer)
        self.assertIn("index was missing", answer["store"]["problems"][0])
        code, answer, errors = fsck(self.server)
        self.assertEqual(code, CLEAN, (answer, errors))
        self.server.start()
        self.assertEqual(state(self.server), before)

    def test_a_running_server_is_checked_under_load(self):
        fill(self.server, 40)
        stop, failures, sent = threading.Event(), [], [0]

        def load(base):
            number = base
            while not stop.is_set():
                try:
                    self.server.deliver(letter(number), "paul")
                    sent[0] += 1
                except OSError as wrong:
                    failures.append(wrong)
                number += 1

        before = state(self.server)
        threads = [threading.Thread(target=load, args=(base,)) for base in (10_000, 20_000)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(6):
                code, answer, errors = fsck(self.server, "--repair")
                self.assertEqual((code, answer["problems"]), (CLEAN, 0), (answer, errors))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(sent[0], 10)
        self.assertEqual(state(self.server), before)
        code, answer, errors = fsck(self.server)
        self.assertEqual(code, CLEAN, (answer, errors))

    def test_a_damaged_content_is_named_and_the_others_are_served(self):
        fill(self.server, 40)
        self.server.stop()
        path, (at, size), _ = find_record(self.server, b"marker-7-end")
        flip(path, at + 16 + size // 2)
        code, answer, _ = fsck(self.server, "--repair")
        self.assertEqual((code, answer["left"]), (PROBLEMS, 1), answer)
        places = answer["store"]["unreadable"]
        self.assertEqual({place["account"] for place in places}, {"anne@example.org"})
        self.server.start()
        client = login(self.server)
        for place in places:
            client.select(place["folder"], readonly=True)
            served = 0
            for uid in client.uid("SEARCH", "ALL")[1][0].split():
                data = client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")[1]
                whole = bool(data and isinstance(data[0], tuple) and b"marker-" in data[0][1])
                self.assertEqual(whole, int(uid) != place["uid"], uid)
                served += whole
            self.assertGreater(served, 5)
        client.logout()

    def test_a_message_whose_record_is_lost_is_filed_in_lost_and_found(self):
        fill(self.server, 40)
        self.server.deliver(letter(777), "paul")
        before = state(self.server)
        self.server.stop()
        path, _, (at, size) = find_record(self.server, b"marker-777-end")
        flip(path, at + 16 + size // 2)
        shutil.rmtree(self.server.data / "index")
        code, answer, _ = fsck(self.server)
        self.assertEqual((code, answer["lost"]["found"]), (PROBLEMS, 1), answer)
        code, answer, errors = fsck(self.server, "--repair")
        self.assertEqual(code, REPAIRED, (answer, errors))
        self.assertEqual(answer["lost"]["into"], [{"address": "anne@example.org", "messages": 1}])
        code, answer, errors = fsck(self.server)
        self.assertEqual(code, CLEAN, (answer, errors))
        self.server.start()
        after = state(self.server)
        found = after.pop("lost+found")
        self.assertEqual(after, before)
        self.assertTrue(any(b"letter 777" in line for line in found[2]))
        code, answer, errors = fsck(self.server)
        self.assertEqual(code, CLEAN, (answer, errors))

    def test_a_segment_that_cannot_be_read_does_not_end_the_server(self):
        for number in range(30):
            self.server.deliver(letter(number, 20_000))
        self.server.stop()
        self.server.start()  # The segment is mapped from now on.
        client = login(self.server)
        client.select("INBOX", readonly=True)
        self.assertEqual(len(client.fetch("1:*", "(BODY.PEEK[])")[1]), 60)
        segment = sorted((self.server.data / "log").glob("*.seg"))[0]
        _, (at, _), _ = find_record(self.server, b"marker-15-end")
        with open(segment, "r+b") as file:
            file.truncate(at)  # A touch of what was behind is a bus error.
        code, answer, _ = fsck(self.server)
        self.assertEqual(code, PROBLEMS, (answer, _))
        self.assertEqual(len(answer["store"]["unreadable"]), 15, answer["store"]["problems"])
        served = 0
        for number in range(1, 31):
            data = client.fetch(str(number), "(BODY.PEEK[])")[1]
            served += bool(data and isinstance(data[0], tuple) and b"marker-" in data[0][1])
        self.assertEqual(served, 15)
        client.logout()
        self.server.deliver(letter(5000))
        self.assertIsNone(self.server.process.poll())


if __name__ == "__main__":
    unittest.main(verbosity=2)
