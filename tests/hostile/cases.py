"""The count of cases by class of RELIABILITY.md, and the test class that all of tests/hostile derive from."""
import collections
import time
import unittest

from harness import Server

COUNTED = collections.Counter()

# Listeners without `plaintext_login`, to try passwords in clear on.
STRICT = "\n".join(f'[[listener]]\naddress = "127.0.0.1"\nport = {{{p}}}\nprotocol = "{p}"\ntls = "starttls"\n'
                   for p in ("submission", "imap", "pop3"))


class Hostile(unittest.TestCase):
    """One server for all tests of a class; `case` counts and names each row."""

    more = ""
    accounts = ("anne", "paul")

    @classmethod
    def setUpClass(cls):
        cls.server = Server(more=cls.more, accounts=cls.accounts)

    @classmethod
    def tearDownClass(cls):
        log = cls.server.log.read_text(errors="replace")
        status = cls.server.close()
        assert status == 0, f"facteur ended with status {status}"
        for line in log.splitlines():
            assert "bug_caught" not in line, line

    def case(self, identity, **what):
        """`with self.case("S1", variant=...):` one row of a table, of that class."""
        COUNTED[identity] += 1
        return self.subTest(case=identity, **what)


def cpu_seconds(server):
    """Processor time the server has used so far."""
    fields = open(f"/proc/{server.process.pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def resident(server):
    """Octets of memory the server holds."""
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def timed(work):
    start = time.monotonic()
    work()
    return time.monotonic() - start
