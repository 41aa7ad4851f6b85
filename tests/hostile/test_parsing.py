"""S30, S31, S34: messages made to cost their reader, and text that would hide, taken in and read by IMAP and POP3."""
import unittest

import wire
from cases import Hostile, cpu_seconds, resident

HEAD = b"From: a@outside.example\r\nSubject: bomb\r\n"


def nested(count, piece=lambda i: b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"):
    return b"".join(piece(i) % (i, i) for i in range(count))


# What, and the message: about a megabyte, or what the class asks for.
NESTING = [
    ("10,000 multiparts in each other", HEAD + nested(10_000)),
    ("10,000 multiparts of one boundary", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 10_000),
    ("10,000 messages in each other", HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 10_000),
    ("messages and multiparts in turn",
     HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" * 5_000),
    ("100,000 comments in each other", b"From: a@outside.example\r\nTo: " + b"(" * 100_000 + b" x@y.example\r\n\r\nx\r\n"),
    ("100,000 comments in Content-Type", HEAD + b"Content-Type: text/" + b"(" * 100_000 + b"plain\r\n\r\nx\r\n"),
    ("100,000 comments in Received", HEAD + b"Received: " + b"(" * 100_000 + b"\r\n\r\nx\r\n"),
    ("100,000 groups", HEAD + b"To: " + b"a:" * 100_000 + b";\r\n\r\nx\r\n"),
    ("20,000 parts", HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 20_000 + b"--b--\r\n"),
    ("a part that holds itself by its boundary",
     HEAD + (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n--b--\r\n") * 5_000),
]
COSTLY = [
    ("50,000 addresses in To", b"From: a@outside.example\r\nTo: " + b"Anne <a@b.example>, " * 45_000 + b"c@d.example\r\n\r\nx\r\n"),
    ("40,000 To fields", b"From: a@outside.example\r\n" + b"To: a@b.example\r\n" * 40_000 + b"\r\nx\r\n"),
    ("50,000 parts of one parameter",
     HEAD + b"Content-Type: text/plain" + b"".join(b"; n*%d*=a" % i for i in range(50_000)) + b"\r\n\r\nx\r\n"),
    ("50,000 parameters", HEAD + b"Content-Type: text/plain" + b"; a=b" * 50_000 + b"\r\n\r\nx\r\n"),
    ("50,000 references", HEAD + b"References: " + b" ".join(b"<%d@x>" % i for i in range(50_000)) + b"\r\n\r\nx\r\n"),
    ("50,000 encoded words", b"From: a@outside.example\r\nSubject: " + b"=?utf-8?q?a?= " * 50_000 + b"\r\n\r\nx\r\n"),
    ("one field folded 100,000 times", b"From: a@outside.example\r\nSubject: a" + b"\r\n b" * 100_000 + b"\r\n\r\nx\r\n"),
    ("a megabyte of Re:", b"From: a@outside.example\r\nSubject: " + b"Re: " * 200_000 + b"\r\n\r\nx\r\n"),
    ("lines that look like boundaries",
     HEAD + nested(100) + b"--b50\r\n" * 100_000),
    ("boundaries that begin alike",
     HEAD + b"Content-Type: multipart/mixed; boundary=" + b"b" * 60 + b"\r\n\r\n" + (b"--" + b"b" * 59 + b"\r\n") * 15_000),
    ("names of one hash",  # Two pairs of letters that many a simple hash takes for one.
     HEAD + b"".join(b"X-" + bytes(b"Aa"[0] if i >> k & 1 else b"BB"[0] for k in range(14)) + b": y\r\n" for i in range(16_000)) + b"\r\nx\r\n"),
    ("base64 of nothing but marks", HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=!a=" * 250_000 + b"\r\n"),
    ("quoted-printable marks", HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + (b"=\r\n" * 300_000) + b"\r\n"),
    ("HTML that never closes", HEAD + b"Content-Type: text/html\r\n\r\n" + (b"<a b=\"" * 10 + b"\r\n") * 15_000),
]
# What, the message, and its reply: who is too large is told so (RFC 3463 X.3.4), and who comes round again (X.4.6). Above
# all are taken: none of them breaks a limit.
REFUSED = [
    ("a header of more than a megabyte", HEAD + b"X: " + b"(" * (1 << 20) + b"\r\n\r\nx\r\n", 552, b"5.3.4"),
    ("a megabyte of fields", HEAD + b"Received: (\r\n" * 90_000 + b"\r\nx\r\n", 552, b"5.3.4"),
    ("a header that does not end", HEAD + b"To: " + b"a:" * (1 << 19), 552, b"5.3.4"),
    ("a thousand stations", HEAD + b"Received: by mx; Fri, 20 Nov 2026 10:00:00 +0000\r\n" * 1_000 + b"\r\nx\r\n", 554, b"5.4.6"),
]
# What, Content-Type and header, body; and what a reader must not be given as text.
HIDDEN = [
    ("UTF-7", b"text/html; charset=utf-7", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-", b"<script"),
    ("overlong UTF-8", b"text/html; charset=utf-8", b"\xc0\xbcscript\xc0\xbe", b"<script"),
    ("three octets for one", b"text/html; charset=utf-8", b"\xe0\x80\xbcscript", b"<script"),
    ("ISO-2022-JP left open", b"text/html; charset=iso-2022-jp", b"\x1b$B<script>alert(1)</script>", b"<script"),
    ("UTF-16", b"text/html; charset=utf-16", b"\xff\xfe<\0s\0c\0r\0i\0p\0t\0", b"\0"),
    ("NULs", b"text/html", b"<scr\xef\xbf\xbdipt>", b"\0"),
    ("a charset that is none", b"text/plain; charset=x-evil", b"\xff\xfe\xfd", b"\xff"),
    ("half a character", b"text/plain; charset=utf-8", b"caf\xc3", b"\xc3\r"),
]


class Parsing(Hostile):
    """Each is taken in by LMTP and read whole; it costs less than what a quadratic reader would need by far."""

    def deliver(self, text):
        with wire.LMTP.open(self.server) as client:
            client.command("MAIL FROM:<a@outside.example>")
            client.command("RCPT TO:<anne@example.org>")
            self.assertEqual(client.command("DATA"), 354)
            text = text if text.endswith(b"\r\n") else text + b"\r\n"
            client.send(text.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            code = client.reply()
            self.said = client.text
            return code

    def read(self, client, what):
        lines = client.tagged(b"FETCH * " + what)
        self.assertTrue(lines[-1].startswith((b"a OK", b"a NO")), lines[-1][:200])
        return b"\r\n".join(lines)

    def test_bombs(self):
        # What the server makes at its first message, and what it keeps of each for readers, is not counted: a reader of
        # more than linear memory needs gigabytes.
        slack = 40 << 20
        self.deliver(HEAD + b"\r\nx\r\n")
        for identity, table in (("S30", NESTING), ("S31", COSTLY)):
            for name, text in table:
                with self.case(identity, name=name):
                    before, start = resident(self.server), cpu_seconds(self.server)
                    self.assertEqual(self.deliver(text), 250)
                    with wire.imap(self.server, "anne") as client:
                        client.tagged(b"SELECT INBOX")
                        for what in (b"ENVELOPE", b"BODYSTRUCTURE", b"(BODY.PEEK[1.1.1] BODY.PEEK[HEADER.FIELDS (TO)])"):
                            self.read(client, what)
                        client.tagged(b"SEARCH TEXT nowhere SUBJECT nothing")
                    self.assertLess(cpu_seconds(self.server) - start, 2)
                    self.assertLess(resident(self.server) - before, 3 * len(text) + slack)

    def test_what_breaks_a_limit(self):
        for name, text, code, status in REFUSED:
            with self.case("S12", name=name):
                start = cpu_seconds(self.server)
                self.assertEqual(self.deliver(text), code)
                self.assertIn(status, self.said.split()[1:2])
                self.assertLess(cpu_seconds(self.server) - start, 2)

    def test_text_that_hides(self):
        for name, kind, body, never in HIDDEN:
            with self.case("S34", name=name):
                text = (b"From: a@outside.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: " + kind
                        + b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body + b"\r\n")
                file = self.server.home / "hidden.eml"
                file.write_bytes(text)
                shown = self.server.facteur("message", "show", file).encode()
                self.assertNotIn(never, shown.lower())
                self.assertFalse(any(octet < 32 and octet not in b"\n\t" for octet in shown), shown)
                if b"\0" not in text:
                    self.assertEqual(self.deliver(text), 250)
                    with wire.imap(self.server, "anne") as client:
                        client.tagged(b"SELECT INBOX")
                        self.assertIn(body, self.read(client, b"BODY.PEEK[TEXT]"))  # Octets stay as they came.


if __name__ == "__main__":
    unittest.main()
