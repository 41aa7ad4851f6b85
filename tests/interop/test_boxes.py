"""Import and export beside other programs: Python's mailbox module, neomutt, and what IMAP shows."""
import email
import imaplib
import json
import mailbox
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness

# It would change all line ends to CRLF: octets travel as they are.
imaplib.MapCRLF = re.compile(rb"(?!)")

ODD = [
    b"Subject: plain\r\nFrom: a@b.example\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n\r\nHello\r\n",
    b"Subject: quoted\r\n\r\nFrom here on\r\n>From there\r\n\r\nFrom a Sat Jan  3 01:05:34 1996\r\nX: y\r\n",
    b"Subject: no end\r\n\r\nno line end",
    b"Subject: header only\r\n",
    b"Subject: Unix\n\nlines of another kind\n",
    b"Subject: mixed\r\n\r\nmixed\nlines\rhere\r\n",
    b"Status: RO\r\nX-Keywords: mine\r\nSubject: fields of its own\r\n\r\nx\r\n",
    "Subject: =?utf-8?q?caf=C3=A9?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ncafé\r\n".encode(),
]
FLAGS = [r"\Seen", r"\Answered \Flagged", r"\Draft", "", "work $Forwarded", r"\Deleted", r"\Seen todo", ""]


class BoxesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(accounts=("anne", "bert", "carl", "dora", "emma"))
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="facteur-boxes-"))
        imap = cls.imap("anne")
        imap.create('"Lists/K&APY-ln.de"')
        for box in ("INBOX", '"Lists/K&APY-ln.de"'):
            for number, (text, flags) in enumerate(zip(ODD, FLAGS)):
                date = f'"{number + 1:02}-Feb-2003 04:05:06 +0000"'
                assert imap.append(box, f"({flags})", date, text)[0] == "OK"
        # Large enough to travel in pieces.
        assert imap.append("Archive", "()", None, b"Subject: large\r\n\r\n" + b"a line of it\r\n" * 300_000)[0] == "OK"
        imap.logout()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def imap(cls, name):
        client = imaplib.IMAP4("127.0.0.1", cls.server.imap)
        client._encoding = "utf-8"
        client.login(cls.server.address(name), harness.PASSWORD)
        return client

    def contents(self, name):
        """All of an account: mailbox -> [(flags, date, octets)], in order."""
        imap = self.imap(name)
        out = {}
        for line in imap.list()[1]:
            box = line.decode().split(' "/" ', 1)[1]
            if imap.select(box, readonly=True)[1] == [b"0"]:
                continue
            rows = []
            for part in imap.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    head = part[0].decode()
                    flags = " ".join(sorted(f.decode() for f in imaplib.ParseFlags(part[0]) if f != rb"\Recent"))
                    rows.append((flags, head.split('INTERNALDATE "')[1].split('"')[0], part[1]))
            out[box] = rows
        imap.logout()
        return out

    def import_into(self, name, source, *more):
        return json.loads(self.server.facteur("import", self.server.address(name), source, "--json", *more))

    def round_trip(self, name, lossless, *options):
        target = self.folder / name
        told = json.loads(self.server.facteur("export", self.server.address("anne"), target, "--json", *options))
        self.assertEqual(told["exported"], 17)
        self.assertEqual(self.import_into(name, target)["imported"], 17)
        wanted, got = self.contents("anne"), self.contents(name)
        if not lossless:  # Keywords do not fit into names of single files.
            for boxes in (wanted, got):
                for box, rows in boxes.items():
                    boxes[box] = [(" ".join(f for f in flags.split() if f[0] == "\\"), *rest) for flags, *rest in rows]
        self.assertEqual(got, wanted)
        again = self.import_into(name, target)
        self.assertEqual((again["imported"], again["known"]), (0, 17))
        return target

    def test_mbox_round_trip_and_other_readers(self):
        target = self.round_trip("bert", True)
        box = mailbox.mbox(target / "INBOX.mbox")
        self.assertEqual([m["Subject"] for m in box][0], "plain")
        self.assertIn("R", box[0].get_flags())
        self.assertEqual({"A", "F"}, set("AF") & set(box[1].get_flags()))
        self.assertEqual(self.subjects_in_neomutt(target / "INBOX.mbox"), len(ODD))
        self.round_trip_dialect(target)

    def subjects_in_neomutt(self, box):
        """How many messages neomutt finds in a mailbox: it copies them all elsewhere."""
        out = self.folder / (box.name + ".copy")
        rc = self.folder / "muttrc"
        rc.write_text(f"""set spoolfile="{box}"
set folder="{self.folder}"
set mbox_type=mbox
set confirmcreate=no
set confirmappend=no
set wait_key=no
set quit=yes
set delete=no
set move=no
set read_only=yes
""")
        keys = self.folder / "keys"
        keys.write_text(f'push "<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>{out}<enter><exit>"\n')
        harness.run("script", "-q", "-e", "-c", f"neomutt -n -F {rc} -f {box} -e 'source {keys}'", "/dev/null",
                    env={"TERM": "xterm", "HOME": str(self.folder)}, stdin="", timeout=60)
        text = harness.wait_for(lambda: out.exists() and out.read_bytes())
        return sum(1 for line in text.split(b"\n") if line.startswith(b"Subject: "))

    def round_trip_dialect(self, reference):
        other = self.folder / "mboxcl2"
        self.server.facteur("export", self.server.address("anne"), other, "--dialect", "mboxcl2")
        self.assertEqual(self.import_into("bert", other)["imported"], 0)  # The same messages, octet for octet.
        # What is not ours is not written over.
        alien = self.folder / "alien"
        alien.mkdir()
        (alien / "INBOX.mbox").write_text("From me Sat Jan  3 01:05:34 1996\nSubject: mine\n\nx\n")
        with self.assertRaises(AssertionError):
            self.server.facteur("export", self.server.address("anne"), alien)
        self.assertIn("Subject: mine", (alien / "INBOX.mbox").read_text())

    def test_maildir_round_trip_and_other_readers(self):
        target = self.round_trip("carl", True, "--format", "maildir")
        box = mailbox.Maildir(target, factory=None)
        self.assertEqual(len(box), len(ODD))
        self.assertIn("Lists.K&APY-ln&AC4-de", box.list_folders())
        self.assertEqual(self.subjects_in_neomutt(target), len(ODD))
        flags = {m["Subject"]: set(m.get_flags()) for m in box}
        self.assertEqual(flags["quoted"], {"R", "F"} | (flags["quoted"] & set("S")))
        # A second export writes nothing, and follows the flags.
        imap = self.imap("anne")
        imap.select("Archive")
        imap.store("1", "+FLAGS", r"\Flagged")
        told = json.loads(self.server.facteur("export", self.server.address("anne"), target, "--format", "maildir", "--json"))
        self.assertEqual((told["exported"], told["there"]), (0, 17))
        self.assertTrue(any(":2,F" in n for n in os.listdir(target / ".Archive/cur")))
        imap.store("1", "-FLAGS", r"\Flagged")
        imap.logout()

    def test_eml_round_trip(self):
        self.round_trip("dora", False, "--format", "eml")

    def test_all_formats_keep_octets_of_any_kind(self):
        """Messages of lines that formats of mailboxes stumble over, in every dialect, back octet for octet."""
        chance = random.Random(7)
        lines = [b"From ", b">From x", b">>From ", b"From a Sat Jan  3 01:05:34 1996", b"", b" ", b"Content-Length: 3",
                 b"Status: RO", b"X-Facteur-Fields: Status", b"Lines: 1", b"\tx", b"--b", b"X-UID: 1", b"From: a@b",
                 "été".encode(), b"\xe9\xff", b"x" * 1200, b".", b"begin 644 a", b"MIME-Version: 1.0"]
        ends = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"]
        messages = []
        for _ in range(40):
            end = chance.choice(ends)
            body = b"".join(chance.choice(lines) + (end if chance.random() < 0.9 else chance.choice(ends))
                            for _ in range(chance.randrange(12)))
            head = b"".join(chance.choice(lines[6:]) + end for _ in range(chance.randrange(4)))
            messages.append(chance.choice([b"Subject: x" + end, b"", b"From x" + end]) + head + end + body)
            if chance.random() < 0.3:
                messages[-1] = messages[-1].rstrip(b"\r\n") or b"x"
        self.add_account("hal")
        imap = self.imap("hal")
        imap.create("Odd")
        for text in messages:
            self.assertEqual(imap.append("Odd", "", None, text)[0], "OK")
        imap.logout()
        wanted = self.contents("hal")["Odd"]
        self.assertEqual([octets for _, _, octets in wanted], messages)
        ways = [("--dialect", dialect) for dialect in ("mboxo", "mboxrd", "mboxcl", "mboxcl2")]
        for number, way in enumerate(ways + [("--format", "maildir"), ("--format", "eml")]):
            with self.subTest(way=way):
                target = self.folder / f"odd{number}"
                self.server.facteur("export", self.server.address("hal"), target, *way)
                self.add_account(f"hal{number}")
                self.import_into(f"hal{number}", target)
                self.assertEqual(self.contents(f"hal{number}")["Odd"], wanted)
                self.assertEqual(self.import_into(f"hal{number}", target)["imported"], 0)

    def add_account(self, name):
        self.server.facteur("account", "add", self.server.address(name), stdin=harness.PASSWORD + "\n")

    def test_an_import_that_is_killed_goes_on(self):
        source = self.folder / "killed.mbox"
        source.write_bytes(b"".join(b"From a@b Sat Jan  3 01:05:34 1996\nSubject: %d\n\n%s\n" % (n, b"a line\n" * 500)
                                    for n in range(3_000)))
        self.add_account("ida")
        command = [harness.FACTEUR, "import", self.server.address("ida"), source, "--into", "INBOX", "-c", self.server.config]
        stopped = 0
        for wait in (0.05, 0.1, 0.2, 0.3):
            running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(wait)
            running.send_signal(signal.SIGKILL)
            stopped += running.wait() == -signal.SIGKILL
        self.assertGreater(stopped, 0)
        told = json.loads(self.server.facteur(*command[1:-2], "--json"))
        self.assertEqual(told["imported"] + told["known"], 3_000)
        subjects = [row[2].split(b"\r\n", 1)[0] for row in self.contents("ida")["INBOX"]]
        self.assertEqual(subjects, [b"Subject: %d" % n for n in range(3_000)])

    def test_quota_holds_for_an_import_and_can_be_ignored(self):
        source = self.folder / "many.mbox"
        box = mailbox.mbox(source)
        for number in range(30):
            box.add(mailbox.mboxMessage(email.message_from_string(f"Subject: {number}\n\n" + "a line\n" * 15_000)))
        box.flush()
        self.server.facteur("account", "add", self.server.address("gus"), stdin=harness.PASSWORD + "\n")
        self.server.facteur("account", "quota", self.server.address("gus"), 2_500_000)
        arguments = ("import", self.server.address("gus"), source, "--into", "INBOX", "--json")
        told = json.loads(self.server.facteur(*arguments, check=False))
        self.assertIn("quota", told["error"])
        self.assertLess(told["imported"], 30)
        kept = sum(len(row[2]) for row in self.contents("gus")["INBOX"])
        self.assertEqual(kept > 0, told["imported"] > 0)
        self.assertLessEqual(kept, 2_500_000)
        told = json.loads(self.server.facteur(*arguments, "--ignore-quota"))
        self.assertEqual(len(self.contents("gus")["INBOX"]), 30)
        # What is there already needs no room.
        again = json.loads(self.server.facteur(*arguments))
        self.assertEqual((again["imported"], again["known"]), (0, 30))

    def test_what_python_writes_is_read(self):
        there = self.folder / "python"
        there.mkdir()
        box = mailbox.mbox(there / "Work.mbox")
        message = mailbox.mboxMessage(email.message_from_bytes(b"Subject: from Python\n\nFrom here\n"))
        message.set_flags("RF")
        message.set_from("me@example.org", True)
        box.add(message)
        box.add(mailbox.mboxMessage(email.message_from_bytes(b"Subject: second\n\nx\n")))
        box.flush()
        boxes = mailbox.Maildir(there / "dir")
        boxes.add(mailbox.MaildirMessage(email.message_from_bytes(b"Subject: in a Maildir\n\ny\n")))
        boxes.add_folder("Sub").add(mailbox.MaildirMessage(email.message_from_bytes(b"Subject: below\n\nz\n")))
        (there / "one.eml").write_bytes(b"Subject: alone\nDate: Fri, 21 Nov 1997 09:55:06 -0600\n\nw\n")
        told = self.import_into("emma", there, "--into", "Old")
        self.assertEqual(told["imported"], 5)
        got = self.contents("emma")
        self.assertEqual(got['Old/Work'][0], (r"\Flagged \Seen", got['Old/Work'][0][1],
                                              b"Subject: from Python\r\n\r\nFrom here\r\n"))
        self.assertEqual(got['Old/dir/Sub'][0][2], b"Subject: below\r\n\r\nz\r\n")
        self.assertEqual(got['Old'][0][1:], ("21-Nov-1997 15:55:06 +0000", b"Subject: alone\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n\r\nw\r\n"))

    def test_a_maildir_without_its_empty_folders_is_read(self):
        """As archives and version control keep it: only folders with files in them; names as on Windows."""
        root = self.folder / "packed"
        for place, name in (("cur", "1491941793.M41850P8566.mx1,S=20;2,FS"), (".Old/new", "1035478339.27041_118.foo"),
                            (".Old.Older/cur", "1035478340.27041_119.foo:2,R")):
            (root / place).mkdir(parents=True, exist_ok=True)
            (root / place / name).write_bytes(f"Subject: {place}\n\nx\n".encode())
        shutil.copytree(root / ".Old", self.folder / "no inbox" / ".Old")
        (self.folder / "trees" / "new").mkdir(parents=True)
        (self.folder / "trees" / "new" / "a.eml").write_bytes(b"Subject: no Maildir\n\nx\n")
        self.add_account("joe")
        self.assertEqual(self.import_into("joe", root)["imported"], 3)
        self.assertEqual(self.import_into("joe", self.folder / "no inbox", "--into", "B")["imported"], 1)
        self.assertEqual(self.import_into("joe", self.folder / "trees", "--into", "C")["imported"], 1)
        got = {box.strip('"'): [(flags, text.split(b"\r\n")[0]) for flags, _, text in rows]
               for box, rows in self.contents("joe").items()}
        self.assertEqual(got, {"INBOX": [(r"\Flagged \Seen", b"Subject: cur")], "Old": [("", b"Subject: .Old/new")],
                               "Old/Older": [(r"\Answered", b"Subject: .Old.Older/cur")],
                               "B/Old": [("", b"Subject: .Old/new")], "C/new": [("", b"Subject: no Maildir")]})

    def test_a_stopped_server(self):
        source = self.folder / "offline.eml"
        source.write_bytes(b"Subject: offline\r\n\r\nx\r\n")
        self.server.stop()
        try:
            self.assertEqual(self.import_into("emma", source, "--into", "Offline")["imported"], 1)
            self.assertEqual(self.import_into("emma", source, "--into", "Offline")["known"], 1)
        finally:
            self.server.start()
        self.assertEqual(self.contents("emma")["Offline"][0][2], b"Subject: offline\r\n\r\nx\r\n")
        failed = subprocess.run([harness.FACTEUR, "import", "nobody@example.org", source, "-c", self.server.config],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(failed.returncode, 1, failed.stderr)
        self.assertIn("nobody@example.org", failed.stderr)


if __name__ == "__main__":
    unittest.main()
