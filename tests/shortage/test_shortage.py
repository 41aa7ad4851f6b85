"""A disk without room and a process without descriptors, under the real program."""
import base64
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "powercut"))
import load  # noqa: E402
from server import Server  # noqa: E402


def deliver(port, number, user="smtp", size=2000):
    """The code of the first reply that is not good, or of the last one."""
    client = load.Smtp(port)
    try:
        for command in ("MAIL FROM:<load@outside.test>", f"RCPT TO:<{user}@{load.DOMAIN}>", "DATA"):
            code = client.command(command)
            if code >= 400:
                return code
        client.send(load.message(number, size) + ".\r\n")
        return client.reply()
    finally:
        client.close()


def submit(server, number, recipient="someone@dead.test"):
    client = load.Smtp(server.ports["submission"])
    secret = base64.b64encode(f"\0smtp@{load.DOMAIN}\0{load.PASSWORD}".encode()).decode()
    client.command(f"AUTH PLAIN {secret}")
    for command in (f"MAIL FROM:<smtp@{load.DOMAIN}>", f"RCPT TO:<{recipient}>", "DATA"):
        code = client.command(command)
        if code >= 400:
            return code
    client.send(load.message(number, 2000, f"smtp@{load.DOMAIN}") + ".\r\n")
    return client.reply()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Shortage(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="facteur-shortage-"))
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    def start(self, data=None):
        server = Server(self.home / "server", data)
        self.addCleanup(self.end, server)
        server.start()
        server.add_accounts()
        return server

    @staticmethod
    def end(server):
        server.kill()
        for sink in (server.sink, server.dead):
            sink.shutdown()
            sink.server_close()


@unittest.skipUnless(os.geteuid() == 0, "needs root: a file system of its own")
class FullDisk(Shortage):
    """RELIABILITY R5."""
    ROOM = 700 << 20

    def setUp(self):
        super().setUp()
        self.disk = self.home / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.ROOM}", "none", self.disk],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here: " + mounted.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk])

    def fill(self):
        """Takes all room that is left, to the last octet."""
        with open(self.disk / "filler", "ab") as filler:
            block = b"x" * (1 << 20)
            while block:
                try:
                    os.write(filler.fileno(), block)
                except OSError:
                    block = block[:len(block) // 2]

    def test_r5_full_disk_refuses_new_mail_lets_delete_and_recovers(self):
        server = self.start(self.disk / "data")
        for number in range(1, 101):
            self.assertEqual(deliver(server.ports["exchanger"], number), 250)
        self.assertEqual(submit(server, 101), 250)
        client = load.Imap(server.ports["imap"], "smtp")
        client.ask("CREATE doomed")
        before, good = client.ask("SELECT INBOX")
        self.assertIn(b"* 100 EXISTS", before)
        texts, good = client.ask("UID FETCH 1:100 (BODY.PEEK[])")
        self.assertTrue(good)

        # The reserve is made by the first round of the background.
        reserve, deadline = self.disk / "data/ballast/ballast", time.monotonic() + 20
        while not reserve.exists() or os.stat(reserve).st_size < 64 << 20:
            self.assertLess(time.monotonic(), deadline, "no reserve")
            time.sleep(0.1)
        time.sleep(0.5)
        self.fill()
        accepted, code, number = 0, 250, 200
        deadline = time.monotonic() + 30
        while code == 250 and time.monotonic() < deadline:
            number += 1
            code = deliver(server.ports["exchanger"], number, size=200_000)
            accepted += code == 250
        self.assertEqual(code, 452)
        self.assertEqual(submit(server, 900), 452)
        load_text = load.message(901).encode()
        self.assertFalse(client.ask("APPEND INBOX", load_text)[1])
        self.assertRegex(client.answer, rb"NO \[(UNAVAILABLE|OVERQUOTA)\]")

        self.fill()  # What was still free.
        self.assertEqual(os.statvfs(self.disk).f_bavail, 0)
        for command in ("UID STORE 1:10 +FLAGS (\\Deleted)", "UID EXPUNGE 1:10", "DELETE doomed"):
            self.assertTrue(client.ask(command)[1], f"{command}: {client.answer}")
        waiting = [entry["id"] for entry in json.loads(server.facteur("queue", "list", "--json"))]
        self.assertEqual(len(waiting), 1)
        server.facteur("queue", "delete", waiting[0])
        self.assertEqual(server.waiting(), [])

        # All that was there is there, whole, and nothing else but what was acknowledged.
        client = load.Imap(server.ports["imap"], "smtp")
        seen, good = client.ask("EXAMINE INBOX")
        self.assertIn(b"* %d EXISTS" % (90 + accepted), seen)
        again, good = client.ask("UID FETCH 11:100 (BODY.PEEK[])")
        self.assertTrue(good)
        for part in range(11, 101):
            self.assertIn(f"X-Number: {part}\r\n".encode(), again)
            self.assertIn(f"END {part}\r\n".encode(), again)

        (self.disk / "filler").unlink()
        begin = time.monotonic()
        while deliver(server.ports["exchanger"], 1000) != 250:
            self.assertLess(time.monotonic() - begin, 10, "service has not come back")
            time.sleep(0.2)
        self.assertTrue(client.ask("APPEND INBOX", load_text)[1], client.answer)
        self.assertEqual(server.stop(), 0)


class Descriptors(Shortage):
    """RELIABILITY R6."""

    def test_r6_without_descriptors_it_waits_quietly_and_comes_back(self):
        server = self.start()
        self.assertEqual(deliver(server.ports["exchanger"], 1), 250)
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, before[1]))
        crowd = []
        for _ in range(60):
            one = socket.create_connection(("127.0.0.1", server.ports["exchanger"]), 5)
            one.settimeout(0.2)
            crowd.append(one)
        time.sleep(1)
        begin, cpu = time.monotonic(), cpu_seconds(pid)
        time.sleep(3)
        share = (cpu_seconds(pid) - cpu) / (time.monotonic() - begin)
        self.assertIsNone(server.process.poll())
        self.assertLess(share, 0.05, "it spins")
        greeted = 0
        for one in crowd:
            try:
                greeted += one.recv(3) == b"220"
            except TimeoutError:
                pass
        self.assertGreater(greeted, 0)
        self.assertLess(greeted, 60, "the limit was not felt")
        # Those that were let in are served.
        self.assertTrue(any(self.noop(one) for one in crowd[:greeted]))
        for one in crowd:
            one.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        begin = time.monotonic()
        while True:
            try:
                if deliver(server.ports["exchanger"], 2) == 250:
                    break
            except (OSError, load.Gone):
                pass
            self.assertLess(time.monotonic() - begin, 10, "service has not come back")
        self.assertEqual(server.stop(), 0)

    @staticmethod
    def noop(one):
        one.settimeout(2)
        try:
            one.recv(4096)
            one.sendall(b"NOOP\r\n")
            return one.recv(4096).startswith(b"250")
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
