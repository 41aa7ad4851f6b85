"""G11: what one connection can make the server hold, by the worst input of each protocol that does not end."""
import time
import unittest

import wire
from cases import COUNTED, resident
from harness import Server

KIB, MIB = 1 << 10, 1 << 20
BEFORE_LOGIN = 128 * KIB
INSIDE = 4 * MIB
CHEAP = '[directory]\nargon2_memory = "8 MiB"\nargon2_passes = 1\n'
ENVELOPE = ["MAIL FROM:<a@outside.example>", "RCPT TO:<anne@example.org>"]
MANY_RECIPIENTS = ENVELOPE[:1] + [f"RCPT TO:<anne+{'x' * 40}{i}@example.org>" for i in range(100)]
FIELDS = b"X-Field: v\r\n" + b"To: a@b.example,\r\n" * 55_000
CONTENT = b"From: a@outside.example\r\n\r\n" + b"a line of text\r\n" * 130_000

# What, door, commands that are answered, octets that follow, most octets each, connections.
SMTP = [
    ("a command without end", wire.EXCHANGER, [], b"MAIL FROM:<" + b"x" * 2000, BEFORE_LOGIN, 100),
    ("100 recipients", wire.EXCHANGER, MANY_RECIPIENTS, b"", BEFORE_LOGIN, 40),
    # Up to 64 MiB of all together (src/reception/large_headers.hpp); 100 of a megabyte would be 100.
    ("headers of a megabyte", wire.EXCHANGER, [*ENVELOPE, "DATA"], FIELDS, 900 * KIB, 100),
    ("content", wire.EXCHANGER_TLS, [*ENVELOPE, "DATA"], CONTENT, MIB, 20),
    ("content", wire.LMTP, [*ENVELOPE, "DATA"], CONTENT, MIB, 20),
    ("half a login", wire.SmtpDoor("submissions", "submissions", "implicit"), ["AUTH PLAIN"], b"A" * 12000, BEFORE_LOGIN, 60),
]
PIECE = b" {1000+}\r\n" + b"x" * 1000
STRANGE = [
    ("a command without end", b"a LOGIN " + b"x" * 8000),
    ("literals", b"a LOGIN {4096+}\r\n" + b"x" * 4096 + b" {4000+}\r\n" + b"y" * 3000),
    ("parentheses", b"a ID " + b"(" * 8000),
]
KNOWN = [
    ("a command without end", b"a SEARCH TEXT " + b"x" * 65000),
    ("a search in a search", b"a SEARCH " + b"OR SEEN " * 900 + b"ALL ALL"),
    ("APPEND", b"a APPEND INBOX {52428800+}\r\n" + b"line of text\r\n" * 140_000),
    ("many messages in one APPEND", b"a APPEND INBOX" + PIECE * 3000),
    ("answers that are not read", b"a FETCH 1:2 BODY[]\r\n" * 100),
]


class Memory(unittest.TestCase):
    """Each row has a server of its own, so that nothing freed before is used again and hides what is held."""

    def held(self, name, open_one, most, many, mail=0):
        COUNTED["G11"] += 1
        with self.subTest(case="G11", name=name):
            server = Server(more=CHEAP)
            clients = []
            try:
                if mail:
                    with wire.imap(server, "anne") as client:
                        message = b"From: a@b.example\r\n\r\n" + b"a line of text\r\n" * (mail // 16)
                        client.send(b"a APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
                        self.assertTrue(client.until()[-1].startswith(b"a OK"))
                for _ in range(4):  # What is made once is not counted.
                    open_one(server).socket.close()
                time.sleep(0.1)
                before = resident(server)
                clients = [open_one(server) for _ in range(many)]
                time.sleep(0.2)
                each = (resident(server) - before) / many
                print(f"    {name:50} {each / KIB:8.1f} KiB each", flush=True)
                self.assertLess(each, most)
            finally:
                for client in clients:
                    client.socket.close()
                self.assertEqual(server.close(), 0)

    def push(self, client, octets):
        """As much as the server takes: it may stop reading."""
        client.socket.settimeout(0.5)
        try:
            client.socket.sendall(octets)
        except OSError:
            pass
        return client

    def test_smtp(self):
        for name, door, commands, then, most, many in SMTP:
            def open_one(server):
                client = door.open(server)
                client.send(b"".join(command.encode() + b"\r\n" for command in commands))
                for _ in commands:
                    self.assertIn(client.reply(), (250, 334, 354))
                return self.push(client, then)
            self.held(f"{door.name}: {name}", open_one, most, many)

    def test_imap(self):
        for port, tls in (("imap", "none"), ("imaps", "implicit")):
            for name, octets in STRANGE if tls == "none" else STRANGE[:1]:
                self.held(f"{port}: {name}", lambda server: self.push(wire.imap(server, port=port, tls=tls), octets),
                          BEFORE_LOGIN, 60)

            def known(server, octets):
                client = wire.imap(server, "anne", port, tls)
                client.tagged(b"SELECT INBOX")
                return self.push(client, octets)

            for name, octets in KNOWN if tls == "none" else KNOWN[2:3]:
                self.held(f"{port}: {name}", lambda server: known(server, octets), INSIDE, 20,
                          4_000_000 if name.startswith("answers") else 0)

    def test_pop3(self):
        for port, tls in (("pop3", "none"),):
            for name, octets in (("a command without end", b"USER " + b"x" * 4000), ("half a login", b"AUTH PLAIN\r\n" + b"A" * 4000)):
                self.held(f"{port}: {name}", lambda server: self.push(wire.pop3(server, port=port, tls=tls), octets),
                          BEFORE_LOGIN, 60)
            self.held(f"{port}: answers that are not read",  # One session has the mailbox at a time.
                      lambda server: self.push(wire.pop3(server, port=port, tls=tls), b"USER anne@example.org\r\nPASS correct horse\r\n"
                                               + b"RETR 1\r\n" * 100), INSIDE, 5, 4_000_000)

    def test_tls(self):
        hello = b"\x16\x03\x01\x40\x00\x01\x01\xff\xf0\x03\x03" + b"r" * 16373
        for name, octets in (("half a record", hello[:8000]), ("a first message without end", hello + hello)):
            self.held(f"TLS: {name}", lambda server: self.push(wire.Lines(server.imaps), octets), BEFORE_LOGIN, 100)


if __name__ == "__main__":
    unittest.main()
