"""S1, S2, S11: what ends a message and what does not, over every way in."""
import socket
import threading
import unittest

import wire
from cases import Hostile
from harness import free_ports, wait_for

# RELIABILITY 4.1. True: it holds a CR, LF or NUL that stands alone, so the message is refused.
VARIANTS = {
    "LF.LF": (b"\n.\n", True),
    "LF.CRLF": (b"\n.\r\n", True),
    "CRLF.LF": (b"\r\n.\n", True),
    "CR.CR": (b"\r.\r", True),
    "CR.CRLF": (b"\r.\r\n", True),
    "CRLF.CR": (b"\r\n.\r", True),
    "CR.LF": (b"\r.\n", True),
    "LF.CR": (b"\n.\r", True),
    "CRLF NUL.CRLF": (b"\r\n\0.\r\n", True),
    "CRLF.NUL CRLF": (b"\r\n.\0\r\n", True),
    "CRLF.SP CRLF": (b"\r\n. \r\n", False),
    "CRLF.CRCRLF": (b"\r\n.\r\r\n", True),
    "LF.CRCRLF": (b"\n.\r\r\n", True),
    "VT.CRLF": (b"\x0b.\r\n", False),
    "NEL.CRLF": (b"\xc2\x85.\r\n", False),
    "LS.CRLF": (b"\xe2\x80\xa8.\r\n", False),
    "CRLF..CRLF": (b"\r\n..\r\n", False),
    # The true end behind a stray CR: it ends, and the message is refused.
    "CRCRLF.CRLF": (b"\r\r\n.\r\n", True),
}
BEHIND = b"MAIL FROM:<smug@x.example>\r\nRCPT TO:<paul@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


def message(door, server, subject):
    sender = door.sender(server)
    return (f"From: {sender}\r\nTo: anne@example.org\r\nSubject: {subject}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{abs(hash(subject))}@outside.example>\r\n\r\ntext").encode()


class Smuggling(Hostile):
    """RFC 5321 §4.1.1.4: only CRLF dot CRLF ends a message."""

    def envelope(self, door, parameters=""):
        client = door.open(self.server)
        self.assertEqual(client.command(f"MAIL FROM:<{door.sender(self.server)}>{parameters}"), 250)
        self.assertEqual(client.command("RCPT TO:<anne@example.org>"), 250)
        return client

    def nothing_smuggled(self):
        with wire.imap(self.server, "paul") as client:
            client.tagged(b"EXAMINE INBOX")
            self.assertEqual(client.tagged(b"SEARCH ALL")[0], b"* SEARCH")

    def check(self, client, bare):
        """After the content: refused and closed, or taken once; the smuggled MAIL has no reply of its own."""
        self.assertEqual(client.reply(), 554 if bare else 250, client.text)
        if bare:
            self.assertEqual(client.replies(), [])
        else:
            self.assertEqual(client.command("NOOP"), 250)

    def test_data_variants_by_every_door(self):
        for door in wire.DOORS:
            for parameters in ("", " BODY=8BITMIME SMTPUTF8"):
                for name, (octets, bare) in VARIANTS.items():
                    with self.case("S1", door=door.name, variant=name, parameters=parameters):
                        with self.envelope(door, parameters) as client:
                            self.assertEqual(client.command("DATA"), 354)
                            client.send(message(door, self.server, name) + octets + BEHIND)
                            self.check(client, bare)
        self.nothing_smuggled()

    def test_data_variants_cut_inside(self):
        for door in (wire.EXCHANGER, wire.SUBMISSIONS, wire.LMTP):
            for name, (octets, bare) in VARIANTS.items():
                with self.case("S1", door=door.name, variant=name, cut="each octet"):
                    for cut in range(len(octets) + 1):
                        with self.envelope(door) as client:
                            self.assertEqual(client.command("DATA"), 354)
                            start = message(door, self.server, name)
                            client.send(start + octets + BEHIND, len(start) + cut)
                            self.check(client, bare)
        self.nothing_smuggled()

    def test_bdat_variants_by_every_door(self):
        for door in wire.DOORS:
            for name, (octets, bare) in VARIANTS.items():
                with self.case("S1", door=door.name, variant=name, framing="BDAT"):
                    with self.envelope(door) as client:
                        whole = message(door, self.server, name) + octets + BEHIND
                        client.send(b"BDAT %d LAST\r\n" % len(whole) + whole)
                        self.check(client, bare)
        self.nothing_smuggled()

    def test_last_octets_before_the_connection_closes(self):
        for door in wire.DOORS:
            for name, (octets, _) in VARIANTS.items():
                if name == "CRCRLF.CRLF":
                    continue
                with self.case("S1", door=door.name, variant=name, then="close"):
                    with self.envelope(door) as client:
                        self.assertEqual(client.command("DATA"), 354)
                        client.send(message(door, self.server, "cut-off") + octets)
        with wire.imap(self.server, "anne") as client:
            client.tagged(b"EXAMINE INBOX")
            self.assertEqual(client.tagged(b"SEARCH SUBJECT cut-off")[0], b"* SEARCH")


class LenientSink(threading.Thread):
    """The exchanger of another domain that takes LF and CR for line ends too: it counts the messages it believes in."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.messages = []
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(20)
                self.talk(peer)

    def talk(self, peer):
        said, content = b"", None
        peer.sendall(b"220 sink.remote.example\r\n")
        while True:
            try:
                got = peer.recv(65536)
            except OSError:
                return
            if not got:
                return
            said += got
            # CR and LF each end a line here; CRLF ends one.
            text = said.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            *lines, last = text.split(b"\n")
            said = last
            for line in lines:
                if content is not None:
                    if line == b".":
                        self.messages.append(content)
                        content = None
                        peer.sendall(b"250 taken\r\n")
                    else:
                        content += line + b"\n"
                elif line[:4].upper() == b"DATA":
                    content = b""
                    peer.sendall(b"354 go on\r\n")
                elif line[:4].upper() == b"QUIT":
                    peer.sendall(b"221 bye\r\n")
                    return
                else:
                    peer.sendall(b"250 ok\r\n")


class SmugglingOut(Hostile):
    """What we relay is one message for a lenient peer too, or does not leave."""

    @classmethod
    def setUpClass(cls):
        [port] = free_ports(1)
        cls.sink = LenientSink(port)
        cls.more = (f'[delivery]\nallow_loopback = true\n[[delivery.route]]\ndomains = ["remote.example"]\n'
                    f'host = "127.0.0.1"\nport = {port}\n')
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        cls.sink.listener.close()
        super().tearDownClass()

    def test_relayed_variants_stay_one_message(self):
        door = wire.SUBMISSIONS
        for name, (octets, bare) in VARIANTS.items():
            with self.case("S2", variant=name):
                before = len(self.sink.messages)
                with door.open(self.server) as client:
                    client.command("MAIL FROM:<anne@example.org> BODY=8BITMIME")
                    self.assertEqual(client.command("RCPT TO:<x@remote.example>"), 250, client.text)
                    client.command("DATA")
                    client.send(message(door, self.server, name) + octets + BEHIND)
                    self.assertEqual(client.reply(), 554 if bare else 250)
                if not bare:
                    wait_for(lambda: len(self.sink.messages) > before)
                    self.assertEqual(len(self.sink.messages), before + 1)
                    self.assertIn(b"MAIL FROM:<smug@x.example>", self.sink.messages[-1].replace(b"\n..", b"\n."))


class Chunks(Hostile):
    """RFC 3030: BDAT is counted, and nothing confuses the count."""

    def open(self, door, recipient=True):
        client = door.open(self.server)
        if recipient:
            self.assertEqual(client.command(f"MAIL FROM:<{door.sender(self.server)}>"), 250)
            self.assertEqual(client.command("RCPT TO:<anne@example.org>"), 250)
        return client

    # What is sent, and the codes until the server closes or stops answering; 0: it closes.
    TABLE = [
        ("no number", b"BDAT\r\n", [501, 0]),
        ("a word", b"BDAT many\r\n", [501, 0]),
        ("a negative number", b"BDAT -1\r\n", [501, 0]),
        ("a plus sign", b"BDAT +5 LAST\r\n", [501, 0]),
        ("a hexadecimal number", b"BDAT 0x10 LAST\r\n", [501, 0]),
        ("a fraction", b"BDAT 1.5 LAST\r\n", [501, 0]),
        ("an exponent", b"BDAT 1e3 LAST\r\n", [501, 0]),
        ("2^64 - 1", b"BDAT 18446744073709551615\r\n", [552, 0]),
        ("2^64 - 1 and LAST", b"BDAT 18446744073709551615 LAST\r\n", [552, 0]),
        ("2^64", b"BDAT 18446744073709551616 LAST\r\n", [501, 0]),
        ("2^63", b"BDAT 9223372036854775808 LAST\r\n", [552, 0]),
        ("2^32 + 5", b"BDAT 4294967301 LAST\r\n", [552, 0]),
        ("forty digits", b"BDAT " + b"9" * 40 + b"\r\n", [501, 0]),
        ("another word behind the number", b"BDAT 5 FIRST\r\nabcde", [501, 0]),
        ("two words behind the number", b"BDAT 5 LAST LAST\r\nabcde", [501, 0]),
        ("no blank before LAST", b"BDAT 5LAST\r\nabcde", [501, 0]),
        ("a NUL in the number", b"BDAT 5\0 LAST\r\nabcde", [501]),
        ("nothing, and DATA", b"BDAT 0\r\nDATA\r\n", [250, 503]),
        ("a piece, then DATA", b"BDAT 4\r\nSub:DATA\r\n", [250, 503]),
        ("a piece, then MAIL", b"BDAT 4\r\nSub:MAIL FROM:<b@outside.example>\r\n", [250, 503]),
        ("a piece, RSET, then the last", b"BDAT 4\r\nSub:RSET\r\nBDAT 4 LAST\r\nMAIL", [250, 250, 503]),
        ("RSET, then a piece that looks like commands", b"RSET\r\nBDAT 6\r\nNOOP\r\nNOOP\r\n", [250, 503, 250]),
        ("a lone LF in a piece", b"BDAT 4\r\na\nbcNOOP\r\n", [554, 0]),
        ("a lone CR at the end of the last piece", b"BDAT 4 LAST\r\nabc\rNOOP\r\n", [554, 0]),
        ("a CR and a LF in two pieces", b"BDAT 1\r\n\rBDAT 1\r\n\n", [250, 250]),
        ("a NUL in a piece", b"BDAT 3\r\na\0bNOOP\r\n", [554, 0]),
        ("leading zeros", b"BDAT 0004\r\nSub:NOOP\r\n", [250, 250]),
    ]

    def test_counts(self):
        for door in wire.DOORS:
            for name, octets, expected in self.TABLE:
                for cut in (None, 6) if door in (wire.EXCHANGER, wire.SUBMISSIONS) else (None,):
                    with self.case("S11", door=door.name, what=name, cut=cut), self.open(door) as client:
                        client.send(octets, cut)
                        got = [client.reply() for code in expected if code]
                        self.assertEqual(got + ([0] if client.replies() == [] and expected[-1] == 0 else []), expected)

    def test_without_a_transaction_octets_are_swallowed(self):
        for door in wire.DOORS:
            with self.case("S11", door=door.name, what="no MAIL"), self.open(door, recipient=False) as client:
                client.send(b"BDAT 12 LAST\r\nNOOP\r\nNOOP\r\nNOOP\r\n")
                self.assertEqual(client.reply(), 503)
                self.assertEqual(client.reply(), 250)
                client.send(b"QUIT\r\n")
                self.assertEqual(client.replies(), [221])

    def test_tls_closed_inside_a_piece(self):
        """CVE-2026-45185: the close of TLS inside a chunk ends the session; octets in clear behind it are nothing."""
        for door in (wire.EXCHANGER_TLS, wire.SUBMISSION_TLS):
            for behind in (b"x", b"NOOP\r\n", b"BDAT 0 LAST\r\n", b"\x15\x03\x03\x00\x02\x01\x00"):
                with self.case("S11", door=door.name, behind=behind), self.open(door) as client:
                    client.send(b"BDAT 100 LAST\r\nhalf")
                    try:
                        client.socket.settimeout(5)
                        plain = client.socket.unwrap()
                        plain.sendall(behind)
                    except OSError:
                        continue  # The server has ended the connection: that is the point.
                    try:
                        self.assertNotIn(b"250", plain.recv(100))
                    except OSError:
                        pass
        self.assertEqual(self.open(wire.EXCHANGER).command("NOOP"), 250)


if __name__ == "__main__":
    unittest.main()
