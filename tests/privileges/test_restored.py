"""What root restores and backs up belongs to whom it must; and a keeper that is the first process of a container."""
import imaplib
import json
import os
import pathlib
import pwd
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import harness  # noqa: E402
from harness import FACTEUR, PASSWORD, Server, wait_for  # noqa: E402


def letter(number):
    return f"From: someone@outside.example\r\nSubject: letter {number}\r\n\r\nmarker-{number}\r\n"


class OfRoot(unittest.TestCase):
    """As root, with another user for the server."""

    def setUp(self):
        if os.getuid() != 0:
            self.skipTest("needs root")
        before, harness.PROCESSES = harness.PROCESSES, "three"
        self.addCleanup(setattr, harness, "PROCESSES", before)
        self.server = Server()
        self.addCleanup(lambda: self.assertEqual(self.server.close(), 0))
        self.user = pwd.getpwnam(harness.USER)
        self.backup = self.server.home / "backup"
        for number in range(3):
            self.server.deliver(letter(number))

    def letters(self, name="anne"):
        with imaplib.IMAP4("127.0.0.1", self.server.imap, timeout=30) as client:
            client.login(self.server.address(name), PASSWORD)
            client.select("INBOX", readonly=True)
            found = client.fetch("1:*", "(BODY.PEEK[])")[1]
        return sorted(one[1].split(b"marker-")[1].strip().decode() for one in found if isinstance(one, tuple))

    def as_user(self, *command):
        return subprocess.run(command, user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[],
                              capture_output=True).returncode

    def test_mail_restored_into_a_stopped_server_belongs_to_its_user(self):
        self.server.facteur("backup", self.backup)
        self.server.stop()
        done = json.loads(self.server.facteur("--json", "restore", self.backup, "--account", self.server.address("anne"),
                                              "--for", self.server.address("paul")))
        self.assertEqual(done["restored"], 3)
        for path in (self.server.data / "log", self.server.data / "index"):
            for below in (path, *path.rglob("*")):
                self.assertEqual(below.stat().st_uid, self.user.pw_uid, below)
        self.server.start()
        self.server.deliver(letter(4), to="paul")
        self.assertEqual(wait_for(lambda: len(now := self.letters("paul")) > 3 and now), ["0", "1", "2", "4"])

    def test_a_backup_of_a_stopped_server_is_not_for_its_user(self):
        self.backup.mkdir()  # Everybody may look into it.
        self.server.stop()
        self.server.facteur("backup", self.backup)
        keys = [path for path in self.backup.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
        self.assertNotEqual(keys, [])
        for key in keys:
            self.assertNotEqual(self.as_user("cat", key), 0)
        self.assertNotEqual(self.as_user("ls", self.backup), 0)
        self.server.start()

    def test_a_restored_folder_is_served_at_once(self):
        """docs/keeping-mail.md, A new machine."""
        self.server.facteur("backup", self.backup)
        self.server.stop()
        self.server.data.rename(self.server.home / "lost")
        done = json.loads(self.server.facteur("--json", "restore", self.backup, "--to", self.server.data))
        self.assertEqual((done["user"], done["messages"], done["damaged"]), (harness.USER, 3, []))
        restored = self.server.data / "restored"
        self.assertEqual((restored.stat().st_uid, restored.stat().st_mode & 0o077), (0, 0))
        self.assertNotEqual(self.as_user("cat", str(restored) + str(self.server.config)), 0)
        key = self.server.home / "lost/keys/self-signed.key"
        self.server.start()
        self.assertEqual((self.server.data / "keys/self-signed.key").read_bytes(), key.read_bytes())
        self.server.deliver(letter(4))
        self.assertEqual(self.letters(), ["0", "1", "2", "4"])
        self.server.facteur("fsck")  # Ends with 0, or this fails.

    def test_a_keeper_may_be_the_first_process(self):
        """As in a container without an init of its own."""
        own = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, text=True)
        if own.returncode != 0:
            self.skipTest(f"no namespace of processes here: {own.stderr.strip()}")
        self.server.stop()
        before = self.server.starts()
        with open(self.server.log, "ab") as log:
            outer = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", FACTEUR, "serve", "-c",
                                      self.server.config], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: outer.poll() is not None or self.server.starts() > before)
            self.assertIsNone(outer.poll())
            self.server.deliver(letter(5))
            children = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            self.assertEqual(len(children), 1)
            os.kill(int(children[0]), signal.SIGTERM)
            self.assertEqual(outer.wait(30), 0)
        finally:
            if outer.poll() is None:
                outer.kill()
                outer.wait()
        self.server.start()


if __name__ == "__main__":
    unittest.main(verbosity=2)
