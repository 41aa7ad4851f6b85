"""facteur backup, verify, restore: the real program, under load, killed, and damaged."""
import fcntl
import json
import os
import pathlib
import poplib
import random
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("powercut", "upgrade")]
import kills  # noqa: E402
import load  # noqa: E402
import served  # noqa: E402
from server import FACTEUR, Server  # noqa: E402


def known(ledger, user):
    """The numbers that are in INBOX for certain now."""
    with ledger.lock:
        return {number for number, places in ledger.places[user].items() if places == {"INBOX"}}


class BackupTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.server = Server(tempfile.mkdtemp(prefix="facteur-backup-"))
        self.addCleanup(self.server.close)
        self.folder = self.server.home / "backup"
        self.server.start()
        self.server.add_accounts()

    def run_it(self, *arguments):
        return subprocess.run([FACTEUR, *map(str, arguments), "-c", str(self.server.config)], text=True,
                              capture_output=True, timeout=120)

    def answer(self, *arguments, code=0):
        done = self.run_it(*arguments, "--json")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def serve_restored(self, *arguments):
        """Restores into a new folder and serves that in place of the old one."""
        self.server.kill()
        fresh = self.server.home / f"data-{time.monotonic_ns()}"
        restored = self.answer("restore", self.folder, "--to", fresh, *arguments)
        self.server.data.rename(self.server.home / f"old-{time.monotonic_ns()}")
        fresh.rename(self.server.data)
        self.server.start()
        return restored

    def under_load(self, work):
        """Calls work(ledger) while mail comes in, moves and goes by all protocols."""
        ledger = load.Ledger()
        crew = load.workers(self.server, ledger, random.randrange(10000))
        for worker in crew:
            worker.start()
        try:
            time.sleep(1)
            return work(ledger)
        finally:
            for worker in crew:
                worker.stopping = True
            for worker in crew:
                worker.join(30)

    def fill(self, count=5):
        client = load.Smtp(self.server.ports["exchanger"])
        for number in range(1, count + 1):
            for command in ("MAIL FROM:<someone@outside.test>", f"RCPT TO:<imap1@{load.DOMAIN}>", "DATA"):
                client.command(command)
            client.send(load.message(number) + ".\r\n")
            self.assertEqual(client.reply(), 250)
        client.close()

    def test_under_load_all_that_was_acknowledged_before_is_in_it_and_the_second_run_copies_less(self):
        def twice(ledger):
            out = []
            for _ in range(2):
                before = {user: known(ledger, user) for user in ("smtp", "lmtp")}
                out.append((before, self.answer("backup", self.folder)))
                time.sleep(0.3)
            return out
        (first_known, first), (second_known, second) = self.under_load(twice)
        self.assertGreater(len(first_known["smtp"]), 20)
        self.assertLess(second["written"], second["bytes"] * 0.75)
        self.assertEqual(second["generations"], 2)
        checked = self.answer("verify", self.folder)
        self.assertEqual((checked["findings"], checked["damaged"], checked["unreadable"]), ([], [], 0))
        self.assertGreater(checked["messages"], len(second_known["smtp"]) + len(second_known["lmtp"]))
        for before, generation in ((first_known, first), (second_known, second)):
            self.serve_restored("--at", generation["generation"])
            for user, numbers in before.items():
                rows = load.look(self.server, user)["INBOX"]
                self.assertEqual(numbers - {number for _, number, _, _ in rows}, set())
                self.assertTrue(all(whole for _, _, whole, _ in rows))
            for user in ("imap1", "imap2"):  # One moment: no message of a MOVE is in both folders or in none.
                seen = load.look(self.server, user)
                everywhere = [number for rows in seen.values() for _, number, _, _ in rows]
                self.assertEqual(len(everywhere), len(set(everywhere)))

    def test_restored_it_serves_the_same(self):
        self.under_load(lambda ledger: kills.fill_queue(self.server, ledger, 10))
        for entry in json.loads(self.server.facteur("queue", "list", "--json")):
            self.run_it("queue", "hold", entry["id"])  # Some are delivered meanwhile.
        client = load.Imap(self.server.ports["imap"], "imap1")
        for command in ("CREATE &AOk-t&AOk-", "SELECT INBOX", "STORE 1:2 +FLAGS (\\Seen $Important)",
                        "COPY 1 &AOk-t&AOk-", "CREATE Gone", "DELETE Gone"):
            self.assertTrue(client.ask(command)[1], client.answer)
        client.close()
        self.server.facteur("alias", "add", f"team@{load.DOMAIN}", f"imap1@{load.DOMAIN}")
        time.sleep(0.3)
        before = served.all_of(self.server)
        self.assertTrue(before["queue"])
        self.answer("backup", self.folder)
        self.fill()  # What came later is not in it.
        keys = {path.name: path.read_bytes() for path in (self.server.data / "keys").iterdir()}
        restored = self.serve_restored("--moved")
        self.assertEqual(served.all_of(self.server), before)
        self.assertEqual(restored["queued"], len(before["queue"]))
        self.assertEqual({path.name: path.read_bytes() for path in (self.server.data / "keys").iterdir()}, keys)
        configuration = self.server.data / ("restored" + str(self.server.config))
        self.assertEqual(configuration.read_bytes(), self.server.config.read_bytes())
        for path in (configuration, *self.folder.rglob("*")):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)
        # And a backup of what was restored goes on in the same folder.
        self.assertLess(self.answer("backup", self.folder)["written"], 1 << 20)
        self.assertEqual(self.answer("verify", self.folder)["findings"], [])

    def names(self):
        """What clients call the messages of INBOX, with their contents: by IMAP (RFC 9051, RFC 8474) and POP3."""
        client = load.Imap(self.server.ports["imap"], "imap1")
        selected, fetched = (client.ask(command)[0] for command in
                             ("SELECT INBOX (CONDSTORE)", "UID FETCH 1:* (UID EMAILID MODSEQ BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        client.close()
        validity = re.search(rb"UIDVALIDITY (\d+)", selected)[1]
        found = {}
        for part in re.split(rb"\* \d+ FETCH ", fetched)[1:]:
            subject = re.search(rb"Subject: ([^\r]*)", part)[1]
            found[validity, re.search(rb"UID (\d+)", part)[1]] = subject
            found[re.search(rb"EMAILID \(([^)]*)\)", part)[1]] = subject
        pop3 = poplib.POP3("127.0.0.1", self.server.ports["pop3"], timeout=30)
        pop3.user(f"imap1@{load.DOMAIN}")
        pop3.pass_(load.PASSWORD)
        for line in pop3.uidl()[1]:
            number, unique = line.split()
            found["uidl", unique] = next(x for x in pop3.top(int(number), 0)[1] if x.startswith(b"Subject: "))[9:]
        pop3.quit()
        return found, int(validity), int(re.search(rb"HIGHESTMODSEQ (\d+)", selected)[1])

    def test_R18_after_a_loss_no_name_is_given_to_another_message(self):
        self.fill(3)
        self.answer("backup", self.folder)
        self.imap1(*(("APPEND INBOX", f"Subject: lost {number}\r\n\r\n".encode()) for number in range(3)))
        seen, validity, modseq = self.names()
        for loss in range(2):  # The same backup twice.
            restored = self.serve_restored()
            self.assertFalse(restored["moved"])
            self.assertFalse((self.server.data / "log/restored").exists())
            self.imap1(*(("APPEND INBOX", f"Subject: new {loss} {number}\r\n\r\n".encode()) for number in range(3)))
            now, *later = self.names()
            self.assertEqual(len(now), 18)
            self.assertGreater(later[0], validity)
            self.assertGreater(later[1], modseq)
            for name, subject in now.items():
                self.assertEqual(seen.setdefault(name, subject), subject, name)
            validity, modseq = later
            # A new account has eight mailboxes: the calendar must have come past their numbers before it tells two
            # restores of one backup apart.
            time.sleep(max(0, validity + 9 - time.time()) if loss == 0 else 0)
        self.assertEqual(self.run_it("fsck").returncode, 0)

    def test_killed_at_any_moment_the_earlier_generation_stays_and_the_next_run_completes(self):
        def kill_some(ledger):
            self.answer("backup", self.folder)
            for delay in (0.01, 0.03, 0.05, 0.08, 0.12):
                process = subprocess.Popen([FACTEUR, "backup", self.folder, "-c", self.server.config],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay)
                process.kill()
                process.wait()
                self.assertEqual(self.answer("verify", self.folder)["findings"], [])
            return self.answer("backup", self.folder), known(ledger, "lmtp")
        generation, _ = self.under_load(kill_some)
        checked = self.answer("verify", self.folder)
        self.assertEqual((checked["findings"], checked["generation"]), ([], generation["generation"]))

    def test_a_flipped_byte_is_reported_with_its_file(self):
        self.fill()
        self.answer("backup", self.folder)
        def reported(path):
            done = self.run_it("verify", self.folder)
            self.assertEqual(done.returncode, 1, path)
            self.assertIn(str(path.relative_to(self.folder)), done.stderr)
        for path in sorted(self.folder.glob("*/*")):
            good = path.read_bytes()
            flipped = bytearray(good)
            flipped[random.randrange(len(good))] ^= 1 << random.randrange(8)
            path.write_bytes(flipped)
            reported(path)
            path.write_bytes(good[:-1])
            reported(path)
            if path.parent.name != "manifests":  # A manifest that is not there is one generation less.
                path.unlink()
                reported(path)
            path.write_bytes(good)
        self.assertEqual(self.answer("verify", self.folder)["findings"], [])

    def messages(self, user, folder):
        """(content, flags, date) of each message, sorted."""
        box = served.mailboxes_of(self.server, user).get(folder, {"messages": []})
        return sorted((m["sha256"], tuple(m["flags"]), m["date"]) for m in box["messages"])

    def imap1(self, *commands):
        client = load.Imap(self.server.ports["imap"], "imap1")
        for command in commands:
            self.assertTrue(client.ask(*([command] if isinstance(command, str) else command))[1], client.answer)
        client.close()

    def test_one_account_one_folder_and_one_message_come_back_into_the_running_server(self):
        self.fill(6)
        large = b"Subject: a large one\r\n\r\n" + random.randbytes(3 << 20).hex().encode() + b"\r\n"
        twice = b"Subject: twice\r\n\r\nsame\r\n"
        self.imap1("CREATE Projects/2026", "CREATE Empty", ("APPEND Projects (\\Flagged)", large), ("APPEND Projects", twice),
                   ("APPEND Projects", twice), "SELECT INBOX", "STORE 2 +FLAGS (\\Seen $Important)", "COPY 3:4 Projects/2026")
        folders = ("INBOX", "Projects", "Projects/2026")
        before = {folder: self.messages("imap1", folder) for folder in folders}
        self.answer("backup", self.folder)
        address = f"imap1@{load.DOMAIN}"
        expunge = "STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE"
        self.imap1("SELECT INBOX", *expunge, "SELECT Projects", *expunge, "SELECT Projects/2026", *expunge, "DELETE Empty")
        listed = self.answer("restore", self.folder, "--account", address, "--folder", "INBOX", "--list")
        self.assertEqual(len(listed), 6)
        self.assertIn(self.messages("imap1", "INBOX"), ([],))
        # One message, by its id; a client that looks meanwhile sees it come.
        one = next(message for message in listed if message["subject"] == "message 2")
        watcher = load.Imap(self.server.ports["imap"], "imap1")
        watcher.ask("SELECT INBOX")
        restored = self.answer("restore", self.folder, "--account", address, "--message", str(one["id"]))
        self.assertEqual((restored["restored"], restored["present"]), (1, 0))
        self.assertIn(b"1 EXISTS", watcher.ask("NOOP")[0])
        watcher.close()
        self.assertIn(self.messages("imap1", "INBOX")[0], before["INBOX"])
        self.assertIn("$Important", self.messages("imap1", "INBOX")[0][1])
        # One folder with those below it; of two with the same content one is there already.
        self.imap1(("APPEND Projects", twice))
        restored = self.answer("restore", self.folder, "--account", address, "--folder", "Projects")
        self.assertEqual((restored["restored"], restored["present"]), (4, 1))
        self.assertEqual(self.messages("imap1", "Projects/2026"), before["Projects/2026"])
        self.assertEqual([m[0] for m in self.messages("imap1", "Projects")], [m[0] for m in before["Projects"]])
        # The whole account: only what is missing; again: nothing.
        restored = self.answer("restore", self.folder, "--account", address)
        self.assertEqual((restored["restored"], restored["present"], restored["unreadable"]), (5, 6, 0))
        self.assertEqual(self.messages("imap1", "INBOX"), before["INBOX"])
        self.assertIn("Empty", served.mailboxes_of(self.server, "imap1"))
        self.assertEqual(self.answer("restore", self.folder, "--account", address)["restored"], 0)
        # Into another folder, of another account, of a stopped server.
        self.server.kill()
        self.answer("restore", self.folder, "--account", address, "--folder", "INBOX", "--for", f"imap2@{load.DOMAIN}",
                    "--into", "Back", "--match", "message 3")
        self.server.start()
        self.assertEqual(len(self.messages("imap2", "Back")), 1)
        self.assertIn(self.messages("imap2", "Back")[0], before["INBOX"])
        for wrong in (("--account", f"nobody@{load.DOMAIN}"), ("--account", address, "--folder", "Nothing"),
                      ("--account", address, "--message", "999999")):
            self.assertEqual(self.run_it("restore", self.folder, *wrong).returncode, 1)
        self.assertEqual(self.run_it("restore", self.folder).returncode, 2)
        self.assertEqual(self.run_it("restore", self.folder, "--to", "/x", "--account", address).returncode, 2)

    def test_of_a_stopped_server_and_what_is_refused(self):
        self.fill()
        self.server.stop()
        first = self.answer("backup", self.folder)
        self.assertEqual(self.answer("backup", self.folder, "--keep", "1")["generations"], 1)
        self.assertNotIn(first["generation"], self.run_it("backup", self.folder, "--list").stdout)
        self.assertEqual(self.run_it("restore", self.folder, "--to", self.server.data).returncode, 1)
        self.assertEqual(self.run_it("restore", self.folder, "--to", self.server.home / "x", "--at", "no").returncode, 1)
        self.assertEqual(self.run_it("verify", self.server.home / "nothing").returncode, 1)
        lock = os.open(self.folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        for arguments in (("backup", self.folder), ("verify", self.folder)):
            self.assertEqual(self.run_it(*arguments).returncode, 5)
        os.close(lock)
        # A key that cannot be read ends the backup: without it the rest is of little use.
        with self.server.config.open("a") as file:
            file.write('[[tls.certificate]]\ncertificate = "/nonexistent/mx.crt"\nkey = "/nonexistent/mx.key"\n')
        done = self.run_it("backup", self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/mx", done.stderr)
        self.assertEqual(len(list(self.folder.glob("manifests/*.json"))), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
