"""S3, S9, S35, S43, S46, S49, S84 over POP3."""
import base64
import unittest

import wire
from cases import Hostile, resident
from harness import PASSWORD

WAYS = [("pop3", "none"), ("pop3", "starttls"), ("pop3s", "implicit")]
NUMBERS = [b"0", b"-1", b"2", b"2147483647", b"2147483648", b"4294967295", b"4294967296", b"4294967297",
           b"9223372036854775807", b"9223372036854775808", b"18446744073709551615", b"18446744073709551616",
           b"18446744073709551617", b"1e0", b"0x1", b"1.0", b"1 1 1", b"+1", b"*", b"1:1", b"\0", b"1\0", b"", b"9" * 3000]


class Pop3(Hostile):
    """One command, and what must come of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("anne", "paul"):
            cls.server.deliver(f"From: a@b.example\r\nSubject: for {name}\r\n\r\nsecret of {name}\r\n.\r\n..x\r\n", name)

    def test_numbers(self):
        for port, tls in WAYS:
            for verb in (b"RETR", b"DELE", b"LIST", b"UIDL", b"TOP"):
                with wire.pop3(self.server, "anne", port, tls) as client:
                    for number in NUMBERS:
                        if verb in (b"LIST", b"UIDL") and number == b"":
                            continue
                        with self.case("S84", port=port, tls=tls, verb=verb, number=number[:30]):
                            if client.over:
                                client = wire.pop3(self.server, "anne", port, tls)
                            client.pop(b"NOOP")
                            text = verb + b" " + number + (b" 0" if verb == b"TOP" else b"")
                            self.assertTrue(client.pop(text).startswith(b"-ERR"))
                    client.pop(b"QUIT")

    def test_top_lines(self):
        with wire.pop3(self.server, "anne") as client:
            for lines, good in ((b"2147483647", True), (b"4294967296", True), (b"18446744073709551615", None),
                                (b"18446744073709551616", None), (b"-1", False), (b"x", False)):
                with self.case("S84", verb="TOP", lines=lines):
                    said = client.pop(b"TOP 1 " + lines)
                    if good is not None:
                        self.assertEqual(said.startswith(b"+OK"), good, said)
                    if said.startswith(b"+OK"):
                        while client.line() != b".":
                            pass
            client.pop(b"QUIT")

    def test_nothing_is_deleted_before_quit(self):
        """S49: a connection that breaks, or ends in clear behind TLS, deletes nothing."""
        for port, tls in WAYS:
            for how in ("close", "half-close", "reset", "a wrong command"):
                with self.case("S49", port=port, tls=tls, how=how):
                    with wire.pop3(self.server, "anne", port, tls) as client:
                        self.assertTrue(client.pop(b"DELE 1").startswith(b"+OK"))
                        if how == "half-close":
                            client.rest()
                        elif how == "reset":
                            self.assertTrue(client.pop(b"RSET").startswith(b"+OK"))
                        elif how == "a wrong command":
                            client.pop(b"QUITX")
                    for _ in range(50):
                        with wire.Lines(self.server.pop3) as again:
                            again.line()
                            again.pop(b"USER anne@example.org")
                            if again.pop(b"PASS " + PASSWORD.encode()).startswith(b"+OK"):
                                self.assertTrue(again.pop(b"STAT").startswith(b"+OK 1 "))
                                again.pop(b"QUIT")
                                break
                    else:
                        self.fail("the mailbox stays locked")

    def test_before_login(self):
        bombs = [b"USER " + b"x" * (1 << 20), b"USER an\0ne", b"PASS x", b"STAT", b"RETR 1", b"LIST", b"DELE 1", b"UIDL",
                 b"TOP 1 0", b"APOP anne@example.org c4c9334bac560ecc979e58001b3e22fb", b"APOP a b c d", b"AUTH " + b"A" * 9000,
                 b"AUTH PLAIN " + b"A" * 12000, b"AUTH PLAIN ====", b"AUTH PLAIN \0", b"USER", b"USER ", b"\0" * 100,
                 b"\x16\x03\x01\x00", b"STLS x", b"XTND XMIT", b"LANG " + b"x" * 2000, b"UTF8 x"]
        for port, tls in WAYS:
            for text in bombs:
                with self.case("S35" if b"\0" in text else "S12", port=port, tls=tls, text=text[:20]):
                    with wire.pop3(self.server, port=port, tls=tls) as client:
                        before = resident(self.server)
                        client.send(text + b"\r\nQUIT\r\n")
                        said = client.rest()
                        self.assertNotIn(b"secret of", said)
                        self.assertTrue(said.startswith(b"-ERR") or b"-ERR" in said, said)
                        self.assertLess(resident(self.server) - before, 4 << 20)

    def test_what_is_not_quite_a_command(self):
        """S9: octets meant for another protocol are not obeyed."""
        for port, tls in WAYS:
            for text in (b"QUIT now", b"QUIT HTTP/1.1", b"CAPA x", b"USER anne paul", b"USER a\tb", b"UTF8 USER", b" QUIT",
                         b"QUIT\t", b"STLS now"):
                with self.case("S9", port=port, tls=tls, text=text), wire.pop3(self.server, port=port, tls=tls) as client:
                    self.assertTrue(client.pop(text).startswith(b"-ERR"))
                    self.assertTrue(client.pop(b"CAPA").startswith(b"+OK"))
            for text in (b"QUIT now", b"STAT 1", b"NOOP x", b"RSET 1", b"LAST 1", b"DELE 1 1", b"RETR 1 1", b"TOP 1 0 0",
                         b"DELE 1;QUIT"):
                with self.case("S9", port=port, tls=tls, text=text), wire.pop3(self.server, "anne", port, tls) as client:
                    self.assertTrue(client.pop(text).startswith(b"-ERR"))
                    self.assertTrue(client.pop(b"STAT").startswith(b"+OK 1 "))
                    client.pop(b"QUIT")

    def test_acting_as_another(self):
        for text in (b"paul@example.org\0anne@example.org\0%s", b"\0anne@example.org\0%s\0x", b"\0anne@example.org\tpaul\0%s",
                     b"\0anne@example.org\r\nPASS\0%s", b"\0\0%s", b"\0anne@example.org\0", b"anne@example.org\0%s",
                     b"\0anne@example.org\n\0%s", b"\0nopassword=y\0%s"):
            octets = base64.b64encode(text.replace(b"%s", PASSWORD.encode()))
            for port, tls in WAYS:
                with self.case("S46", port=port, tls=tls, text=text), wire.pop3(self.server, port=port, tls=tls) as client:
                    self.assertTrue(client.pop(b"AUTH PLAIN " + octets).startswith(b"-ERR"))

    def test_other_protocols(self):
        for line in (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n", b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n",
                     b"a LOGIN x y\r\nb SELECT INBOX\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", b"\x16\x03\x01\x02\x00\x01\r\n"):
            with self.case("S9", protocol="POP3", line=line[:16]), wire.pop3(self.server) as client:
                client.send(line * 4)
                said = client.rest()
                self.assertLessEqual(said.count(b"\r\n"), 7)
                self.assertNotIn(b"+OK", said)
                self.assertNotIn(b"HTTP", said)

    def test_stls_injection(self):
        for octets in (b"USER anne\r\n", b"CAPA\r\n", b"QUIT\r\n", b"U", b"\r\n", b"AUTH PLAIN AGEAYg==\r\n", b"\0"):
            for cut in (None, 3, 6):
                with self.case("S3", protocol="POP3", octets=octets, cut=cut), wire.pop3(self.server) as client:
                    client.send(b"STLS\r\n" + octets, cut)
                    said = client.rest()
                    self.assertLessEqual(said.count(b"+OK"), 1)
                    self.assertNotIn(b"SASL", said)


if __name__ == "__main__":
    unittest.main()
