"""Every store of every earlier version opens and serves what it served then, with its index and without it."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import served
import load
from server import Server

STORES = sorted((pathlib.Path(__file__).resolve().parent / "stores").glob("*.tar.xz"))


class Upgrade(unittest.TestCase):
    maxDiff = 4000

    def opens(self, archive, without_index):
        wanted = json.loads(archive.with_suffix("").with_suffix(".json").read_text())
        wanted.pop("origin")
        server = Server(tempfile.mkdtemp(prefix="facteur-upgrade-"))
        try:
            server.data.mkdir()
            subprocess.run(["tar", "-xJf", archive, "-C", server.data], check=True)
            if without_index:
                shutil.rmtree(server.data / "index")
            server.start()
            self.assertEqual(served.all_of(server), wanted)
            # And it goes on from there: a new message gets the next UID.
            number = 9000
            client = load.Smtp(server.ports["exchanger"])
            for command in ("MAIL FROM:<someone@outside.test>", f"RCPT TO:<imap1@{load.DOMAIN}>", "DATA"):
                client.command(command)
            client.send(load.message(number) + ".\r\n")
            self.assertEqual(client.reply(), 250)
            client.close()
            inbox = served.mailboxes_of(server, "imap1")["INBOX"]
            before = wanted["mailboxes"]["imap1"]["INBOX"]
            self.assertEqual(inbox["messages"][:-1], before["messages"])
            self.assertEqual(inbox["messages"][-1]["uid"], before["uidnext"])
            self.assertGreater(inbox["highestmodseq"], before["highestmodseq"])
            self.assertEqual(server.stop(), 0)
        finally:
            server.close()

    def test_there_are_stores(self):
        self.assertTrue(STORES)

    def test_every_store(self):
        for archive in STORES:
            for without_index in (False, True):
                with self.subTest(archive=archive.name, without_index=without_index):
                    self.opens(archive, without_index)
