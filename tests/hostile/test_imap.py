"""S3, S9, S35, S40 to S44, S46, S83, S84 over IMAP: literals, depth, numbers, mailbox names, injection."""
import base64
import time
import unittest

import wire
from cases import Hostile, cpu_seconds, resident
from harness import PASSWORD

# RELIABILITY 4.5. Each as a quoted string where it can be one, else as a literal.
NAMES = [b"../x", b"..", b".", b"/", b"/etc/passwd", b"a/../../b", b"INBOX/../other", b"~root", b"#news", b"n" * 65536,
         b"a\0b", b"a\r\nb OK", b"&", b"&AAA-", b"&AAoADQ-", b"\xc0\xae\xc0\xae/x", b"\xff\xfe", b"CON", b"dovecot.index",
         b"trail/", b"//x", b"x//y", b"/".join([b"l"] * 10000), b"\xe2\x80\xaeevil", b"%", b"*", b"in%box*", b"",
         b"\x1b[2J", b"a\tb", b"\x7f", b"user/paul/INBOX", b"Other Users/paul", b"Shared Folders/x", b"../paul/INBOX",
         b"paul@example.org", b"INBOX/../../paul", b"\\Seen", b"NIL", b"{5}", b'a"b', b"a\\b", b"!\x01"]

# Sent after login; what the last line must begin with (or the server says BYE). RELIABILITY 4.8.
SELECTED_BOMBS = [
    ("S41", b"FETCH 1 " + b"(" * 50000),
    ("S41", b"FETCH 1 (" + b"FLAGS " * 9000 + b")"),
    ("S41", b"FETCH 1 BODY[" + b"1." * 20000 + b"TEXT]"),
    ("S41", b"FETCH 1 BODY[HEADER.FIELDS (" + b"X " * 20000 + b")]"),
    ("S41", b"SEARCH " + b"NOT " * 15000 + b"ALL"),
    ("S41", b"SEARCH " + b"OR " * 20000 + b"ALL"),
    ("S41", b"SEARCH " + b"(" * 60000 + b"ALL"),
    ("S41", b"SEARCH " + b"(" * 30000 + b"ALL" + b")" * 30000),
    ("S41", b"SEARCH CHARSET " + b"X" * 5000 + b" ALL"),
    ("S41", b"STORE 1 +FLAGS (" + b" ".join(b"k%d" % i for i in range(10000)) + b")"),
    ("S41", b"ID (" + b'"a" "b" ' * 8000 + b")"),
    ("S41", b"LIST (" + b"SUBSCRIBED " * 5000 + b') "" "*"'),
    ("S41", b'LIST "" (' + b"x " * 20000 + b")"),
    ("S41", b"STATUS INBOX (" + b"MESSAGES " * 7000 + b")"),
    ("S41", b"SELECT INBOX (QRESYNC (1 1 " + b"1:2," * 10000 + b"))"),
    ("S41", b"ENABLE " + b"X " * 30000),
    ("S40", b"CREATE {2147483647+}"), ("S40", b"CREATE {2147483648+}"), ("S40", b"CREATE {4294967295+}"),
    ("S40", b"CREATE {4294967296+}"), ("S40", b"CREATE {9223372036854775807+}"), ("S40", b"CREATE {18446744073709551615+}"),
    ("S40", b"CREATE {18446744073709551616+}"), ("S40", b"CREATE {9999999999999999999999+}"), ("S40", b"CREATE {-1+}"),
    ("S40", b"CREATE {+}"), ("S40", b"CREATE {}"), ("S40", b"CREATE {1 }"), ("S40", b"CREATE {0x10}"),
    ("S40", b"CREATE {1e9}"), ("S40", b"CREATE {4294967296}"), ("S40", b"CREATE {9223372036854775808}"),
    ("S40", b"APPEND INBOX {4294967296}"), ("S40", b"APPEND INBOX {9223372036854775807}"),
    ("S40", b"APPEND INBOX {18446744073709551616}"), ("S40", b"APPEND INBOX {0}"), ("S40", b"APPEND INBOX {52428801}"),
    ("S40", b"APPEND INBOX {4294967296+}"), ("S40", b"APPEND INBOX ~{9999999999999}"),
    ("S40", b"APPEND INBOX (" + b"f " * 9000 + b") {1}"), ("S40", b"APPEND nowhere {99}"),
    ("S84", b"FETCH 0 FLAGS"), ("S84", b"FETCH 4294967296 FLAGS"), ("S84", b"FETCH 18446744073709551616 FLAGS"),
    ("S84", b"FETCH -1 FLAGS"), ("S84", b"FETCH 1:-1 FLAGS"), ("S84", b"FETCH 1: FLAGS"), ("S84", b"FETCH :1 FLAGS"),
    ("S84", b"FETCH 1,,2 FLAGS"), ("S84", b"FETCH , FLAGS"), ("S84", b"FETCH ** FLAGS"), ("S84", b"FETCH 01 FLAGS X"),
    ("S84", b"FETCH 1 BODY[]<0.0>"), ("S84", b"FETCH 1 BODY[]<4294967296.1>"), ("S84", b"FETCH 1 BODY[]<-1.1>"),
    ("S84", b"FETCH 1 BODY[]<1.18446744073709551616>"), ("S84", b"FETCH 1 BODY[0]"), ("S84", b"FETCH 1 BODY[4294967296]"),
    ("S84", b"FETCH 1 BODY[1.0.1]"), ("S84", b"FETCH 1 BODY[1..1]"), ("S84", b"FETCH 1 BODY[1.]"),
    ("S84", b"FETCH 1 (FLAGS) (CHANGEDSINCE -1)"), ("S84", b"FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)"),
    ("S84", b"FETCH 1 (FLAGS) (CHANGEDSINCE 18446744073709551616)"),
    ("S84", b"STORE 1 (UNCHANGEDSINCE 18446744073709551616) FLAGS ()"), ("S84", b"SEARCH LARGER 18446744073709551616"),
    ("S84", b"SEARCH SMALLER -1"), ("S84", b"SEARCH UID 0"), ("S84", b"SEARCH YOUNGER 0"), ("S84", b"SEARCH YOUNGER 99999999999"),
    ("S84", b"SEARCH SINCE 32-Jan-2026"), ("S84", b"SEARCH SINCE 1-Foo-2026"), ("S84", b"SEARCH MODSEQ 9223372036854775808"),
    ("S84", b"SELECT INBOX (QRESYNC (4294967296 1))"), ("S84", b"SELECT INBOX (QRESYNC (1 9223372036854775808))"),
]
# The same, but these may well succeed: only the time counts.
LEGAL_BOMBS = [
    ("S42", b"FETCH " + b"1:*," * 15000 + b"1 FLAGS"),
    ("S42", b"UID FETCH " + b",".join(b"%d" % i for i in range(1, 11000)) + b" FLAGS"),
    ("S42", b"UID FETCH " + b",".join(b"%d" % i for i in range(20000, 9000, -1)) + b" FLAGS"),
    ("S42", b"UID FETCH 1:4294967295,4294967295:1 FLAGS"),
    ("S42", b"SEARCH UID 1:4294967295"),
    ("S42", b'LIST "" "' + b"%*" * 4000 + b'a"'),
    ("S42", b'LIST "" "' + b"*" * 8000 + b'x"'),
    ("S42", b'LIST "" "' + b"%/" * 4000 + b'"'),
    ("S42", b'SEARCH BODY "' + b"a" * 8000 + b'b"'),
    ("S42", b'SEARCH HEADER X "' + b"ab" * 4000 + b'"'),
    ("S42", b"SEARCH " + b" ".join([b"ALL"] * 900)),
    ("S42", b"SEARCH " + b" ".join([b'TEXT "x"'] * 400)),
    ("S42", b"FETCH 1:* (ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE UID)"),
    ("S42", b"THREAD REFERENCES UTF-8 ALL"), ("S42", b"SORT (SUBJECT) UTF-8 ALL"),
]
GREETED = [  # Before login: refused, bounded, three mistakes at most.
    ("S40", b"LOGIN {2147483648+}"), ("S40", b"LOGIN {4294967295+}"), ("S40", b"LOGIN {9999999999999999999+}"),
    ("S40", b"LOGIN {4097+}"), ("S40", b"LOGIN {8192+}"), ("S40", b"LOGIN {65536}"), ("S40", b"LOGIN {-1+}"),
    ("S40", b"NOSUCH {10+}"), ("S40", b"LOGIN anne {8000000}"), ("S40", b"AUTHENTICATE PLAIN {99999999+}"),
    ("S41", b"ID (" + b'"a" "b" ' * 900 + b")"), ("S41", b"ID " + b"(" * 7000), ("S41", b"X " + b"(" * 7000),
    ("S35", b"LOGIN an\0ne secret"), ("S35", b'LOGIN "anne\0" "secret"'), ("S35", b"NO\0OP"), ("S35", b"\0"),
    ("S46", b"LOGIN anne\tpaul secret"), ("S46", b'LOGIN "anne" "sec\ret"'), ("S46", b'LOGIN "an\x01ne" x'),
    ("S84", b"LOGIN"), ("S84", b"LOGIN anne"), ("S84", b"SELECT INBOX"), ("S84", b"FETCH 1 BODY[]"),
    ("S84", b"APPEND INBOX {10}"), ("S84", b"LIST \"\" *"), ("S84", b"UID"), ("S84", b"UID FETCH"),
]
WAYS = [("imap", "none"), ("imap", "starttls"), ("imaps", "implicit")]


def message(subject=b"x"):
    return (b"From: a@b.example\r\nSubject: " + subject + b"\r\n\r\nbody\r\n")


class Imap(Hostile):
    """One command, and what must come of it: a refusal, the end, or a quick answer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with wire.imap(cls.server, "anne") as client:
            for i in range(20):
                client.send(b"a APPEND INBOX {%d+}\r\n" % len(message()) + message() + b"\r\n")
                assert client.until()[-1].startswith(b"a OK")
        for name in ("anne", "paul"):
            cls.server.deliver("From: a@b.example\r\nSubject: for " + name + "\r\n\r\nsecret of " + name + "\r\n", name)

    def refused(self, lines):
        """The command was not obeyed: NO, BAD, BYE, or a hung-up connection."""
        last = lines[-1] if lines else b""
        self.assertFalse(last.startswith(b"a OK"), last)
        self.assertLess(sum(map(len, lines)), 5000)

    def test_before_login(self):
        for port, tls in WAYS:
            for identity, text in GREETED:
                with self.case(identity, port=port, tls=tls, text=text[:40]):
                    with wire.imap(self.server, port=port, tls=tls) as client:
                        before = resident(self.server)
                        client.send(b"a " + text + b"\r\n")
                        client.send(b"b LOGOUT\r\n")
                        said = client.rest()
                        self.assertNotIn(b"a OK", said)
                        self.assertLess(len(said), 5000)
                        self.assertLess(resident(self.server) - before, 4 << 20)

    def test_after_login(self):
        for port, tls in (WAYS[0], WAYS[2]):
            for identity, text in SELECTED_BOMBS:
                with self.case(identity, port=port, text=text[:40]):
                    with wire.imap(self.server, "anne", port, tls) as client:
                        client.tagged(b"SELECT INBOX")
                        before, start = resident(self.server), cpu_seconds(self.server)
                        self.refused(client.tagged(text))
                        self.assertLess(cpu_seconds(self.server) - start, 0.5)
                        self.assertLess(resident(self.server) - before, 8 << 20)

    def test_costly_but_legal(self):
        for identity, text in LEGAL_BOMBS:
            with self.case(identity, text=text[:40]), wire.imap(self.server, "anne") as client:
                client.tagged(b"SELECT INBOX")
                start = cpu_seconds(self.server)
                lines = client.tagged(text)
                self.assertLess(cpu_seconds(self.server) - start, 0.5)
                self.assertTrue(lines and lines[-1].startswith((b"a ", b"* BYE")))

    def test_a_million_commands_in_one_go(self):
        with self.case("S42", what="NOOP"), wire.imap(self.server, "anne") as client:
            before = resident(self.server)
            client.send(b"".join(b"a%d NOOP\r\n" % i for i in range(20000)) + b"end LOGOUT\r\n")
            said = client.rest()
            self.assertEqual(said.count(b"NOOP completed"), 20000)
            self.assertLess(resident(self.server) - before, 8 << 20)

    def test_mailbox_names(self):
        """S43: a name is a name and no path: it is made literally or refused, and leads nowhere else."""
        before = sorted(str(p) for p in self.server.home.rglob("*") if "log" not in p.name and p.suffix == "")
        for verb in (b"CREATE", b"SELECT", b"DELETE", b"SUBSCRIBE", b"STATUS", b"RENAME", b"APPEND", b"COPY"):
            for name in NAMES:
                with self.case("S43", verb=verb, name=name[:30]), wire.imap(self.server, "anne") as client:
                    if verb == b"COPY":
                        client.tagged(b"SELECT INBOX")
                    octets = b"{%d+}\r\n" % len(name) + name
                    text = {b"STATUS": b"STATUS %s (MESSAGES)", b"RENAME": b"RENAME nothing %s",
                            b"COPY": b"COPY 1 %s", b"APPEND": b"APPEND %s {1+}\r\nx"}.get(verb, verb + b" %s") % octets
                    lines = client.tagged(text)
                    self.assertNotIn(b"secret of paul", b"".join(lines))
                    if b"\0" in name or b"\r" in name or b"\n" in name:
                        self.refused(lines)
        with wire.imap(self.server, "anne") as client:
            listed = client.tagged(b'LIST "" *')
            for line in listed[:-1]:
                self.assertTrue(line.startswith((b"* LIST", b"* OK")), line)
                self.assertFalse(any(octet < 32 for octet in line), line)
            self.assertTrue(listed[-1].startswith(b"a OK"))
        after = sorted(str(p) for p in self.server.home.rglob("*") if "log" not in p.name and p.suffix == "")
        self.assertEqual(len(before), len(after))

    def test_other_accounts(self):
        """S44: everything one account can ask for is its own."""
        commands = [b"SELECT %s", b"EXAMINE %s", b"STATUS %s (MESSAGES)", b"DELETE %s", b"APPEND %s {1+}\r\nx",
                    b"RENAME %s mine", b"LIST \"\" %s", b"LSUB \"\" %s"]
        names = [b"paul/INBOX", b"~paul", b"#user/paul", b"user.paul", b"/paul/INBOX", b"paul@example.org/INBOX",
                 b"\"Other Users/paul/INBOX\"", b"INBOX/../paul"]
        for command in commands:
            for name in names:
                with self.case("S44", command=command, name=name), wire.imap(self.server, "anne") as client:
                    lines = client.tagged(command % name)
                    if command.startswith((b"LIST", b"LSUB")):
                        self.assertEqual(len(lines), 1, lines)
                    else:
                        self.refused(lines)
        with wire.imap(self.server, "paul") as client:
            self.assertTrue(any(b"1 EXISTS" in line for line in client.tagged(b"SELECT INBOX")))

    def test_acting_as_another(self):
        """RFC 4422 §3.4.1 and S46: authorisation identities, and control characters inside of SASL."""
        for text in (b"paul@example.org\0anne@example.org\0%s", b"paul\0anne@example.org\0%s", b"\0anne@example.org\0%s\0x",
                     b"\0anne@example.org\tpaul\0%s", b"\0anne@example.org\r\npaul\0%s", b"\0\0%s", b"\0anne@example.org\0",
                     b"anne@example.org\0%s", b"\0anne@example.org\0\0%s", b"\0anne@example.org \0%s",
                     b"\0anne@example.org\n\0%s", b"\0*\0%s", b"\0anne@example.org,paul@example.org\0%s", b"\0nopassword=y\0%s"):
            octets = base64.b64encode(text.replace(b"%s", PASSWORD.encode()))
            for port, tls in (WAYS[0], WAYS[2]):
                with self.case("S46", port=port, text=text), wire.imap(self.server, port=port, tls=tls) as client:
                    lines = client.tagged(b"AUTHENTICATE PLAIN " + octets)
                    self.assertTrue(lines[-1].startswith((b"a NO", b"a BAD", b"* BYE")), lines)

    def test_other_protocols(self):
        """S9: three mistakes at most, nothing of them said again."""
        for line in (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\n\r\n", b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
                     b"POST / HTTP/1.1\r\n\r\na LOGIN x y\r\nb LOGIN x y\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n\r\n\r\n",
                     b"USER x\r\nPASS y\r\nSTAT\r\nQUIT\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nx\r\ny\r\nz\r\n",
                     b"{}\r\n[]\r\n()\r\n\"\r\n"):
            with self.case("S9", protocol="IMAP", line=line[:16]), wire.imap(self.server) as client:
                client.send(line)
                said = client.rest()
                self.assertLessEqual(said.count(b"\r\n"), 5)
                self.assertNotIn(b"HTTP", said)

    def test_starttls_injection(self):
        for octets in (b"b LOGIN anne x\r\n", b"b NOOP\r\n", b"b LOGOUT\r\n", b"b", b"\r\n", b"b CAPABILITY\r\n", b"\0"):
            for cut in (None, 5, 12):
                with self.case("S3", protocol="IMAP", octets=octets, cut=cut), wire.imap(self.server) as client:
                    client.send(b"a STARTTLS\r\n" + octets, cut)
                    said = client.rest()
                    self.assertNotIn(b"b OK", said)
                    self.assertNotIn(b"b NO", said)
                    self.assertNotIn(b"b BAD", said)

    def test_log_lines(self):
        """S83: whatever names hold, one event is one line of printable ASCII."""
        for octets in (b"x\xe2\x80\xaey", b"a\x1b[31mred", b"new\nline", b"\xff\xfe", b"%s%n", b"{\"a\":1}", b"${jndi:ldap://x}"):
            with self.case("S83", octets=octets), wire.imap(self.server) as client:
                client.send(b"a LOGIN {%d+}\r\n%s {1+}\r\nx\r\nb LOGOUT\r\n" % (len(octets), octets))
                client.rest()
        for octets in (b"ehlo\x1b[31m", b"x\xe2\x80\xaey.example", b"a\"b"):
            with self.case("S83", helo=octets), wire.Smtp(self.server.smtp) as client:
                client.reply()
                client.send(b"EHLO " + octets + b"\r\nMAIL FROM:<\"\x7f\"@x.example>\r\nQUIT\r\n")
                client.rest()
        time.sleep(0.2)
        for line in self.server.log.read_bytes().splitlines():
            self.assertTrue(line.startswith(b"{") and line.endswith(b"}"), line)
            self.assertTrue(all(32 <= octet < 127 for octet in line), line)


if __name__ == "__main__":
    unittest.main()
