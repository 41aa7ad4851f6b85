"""S3, S6 to S9, S12, S13, S18, S35, S47, S84: commands, addresses, parameters and floods over every way in."""
import unittest

import wire
from cases import STRICT, Hostile, cpu_seconds, resident
from harness import PASSWORD, free_ports

# RELIABILITY 4.2, only example.org is local; and the code an outsider gets. None: any refusal.
RELAY = [
    ("<victim%remote.example@example.org>", 550),
    ('<"victim@remote.example"@example.org>', 550),
    ("<@example.org:victim@remote.example>", 550),
    ("<@example.org,@x.example:victim@remote.example>", 550),
    ("<victim@remote.example@example.org>", 501),
    ("<remote.example!victim@example.org>", 550),
    ("<victim@[127.0.0.1]>", 550),
    ("<victim@[IPv6:::1]>", 550),
    ("<victim%remote.example@[127.0.0.1]>", 550),
    ("<victim@remote.example%example.org>", 501),
    ("<<victim@remote.example>>", 501),
    ("<victim@example.org\0.remote.example>", 501),
    ("<victim@example.org(.remote.example>", 501),
    ("<=?utf-8?q?victim=40remote.example=3e?=@example.org>", 550),
    ("<-oQ/tmp@example.org>", 550),
    ("<|/bin/id@example.org>", 550),
    ("</etc/passwd@example.org>", 550),
    ("<${run{/bin/id}}@example.org>", 550),
    ("<victim+../../x@example.org>", 501),
    ("<" + "a" * 65 + "@example.org>", 501),
    ("<a@" + "b" * 64 + ".example>", 501),
    ("<a@" + "b" * 60 + ("." + "c" * 60) * 4 + ">", 501),
    ("<victim@remote.example>", 550),
    ("<victim@sub.example.org>", 550),
    ("<victim@example.org.remote.example>", 550),
    ("<victim@xexample.org>", 550),
    ("<victim@remote.example,anne@example.org>", 501),
    ("<anne@example.org> <victim@remote.example>", 501),
    ("<anne@example.org>,<victim@remote.example>", 501),
    ("<victim@127.0.0.1>", None),
    ("<victim@localhost>", 550),
    ("<victim@[]>", 501),
    ("<victim@remote.example.>", None),
    ("<>", 501),
    ("<postmaster>", 250),
    ("<PostMaster>", 250),
    ("<anne+shop@example.org>", 250),
    ("<ANNE@EXAMPLE.ORG>", 250),
]

SYNTAX = [  # Behind "MAIL FROM:", with the code.
    ("<(any@victim.example>", 501),
    ("<;id;@x.example>", 501),
    ('<";id;"@x.example>', 250),  # A legal local part: no shell will ever see it.
    ("<a@b.example> SIZE=-1", 501),
    ("<a@b.example> SIZE=99999999999999999999", None),
    ("<a@b.example> SIZE=18446744073709551616", None),
    ("<a@b.example> SIZE=9223372036854775808", 552),
    ("<a@b.example> SIZE=4294967296", 552),
    ("<a@b.example> SIZE=2147483648", 552),
    ("<a@b.example> SIZE=0", 250),
    ("<a@b.example> SIZE=1e3", 501),
    ("<a@b.example> SIZE=0x10", 501),
    ("<a@b.example> SIZE= 10", 501),
    ("<a@b.example> SIZE=10 SIZE=10", 501),
    ("<a@b.example> BODY=7BIT BODY=8BITMIME", 501),
    ("<a@b.example> BODY=", 501),
    ("<a@b.example> SMTPUTF8 SMTPUTF8", 501),
    ("<a@b.example> ENVID=a+0D+0ARCPT", 501),
    ("<a@b.example> ENVID=a+00b", 501),
    ("<a@b.example> ENVID=" + "e" * 200, 501),
    ("<a@b.example> RET=FULL RET=HDRS", 501),
    ("<a@b.example> AUTH=a+0D@x", 501),
    ("<a@b.example> UNKNOWN=1", 555),
    ("<a@b.example> " + "X" * 1000 + "=1", None),
    ("<a@b.example> ==", 501),
    ("<a\0@b.example>", 501),
    ("<a@b.example>\x1b[2J", 501),
    ('<"a\\"@b.example>', 501),
    ('<"a\tb"@c.example>', 501),
    ("<a@b..example>", 501),
    ("<.a@b.example>", None),
    ("<a@-b-.example>", None),
    ("<a@[300.1.1.1]>", 501),
    ("<a@[IPv6:12345::]>", 501),
    ("<a@[x:y]>", None),
    ("<\xe9@b.example>", None),
    ("<a@b.example", 501),
    ("a@b.example>", None),
]
RCPT = [  # Behind "RCPT TO:<anne@example.org>".
    (" ORCPT=rfc822;a+0Ab", 501),
    (" ORCPT=rfc822;a+00b", 501),
    (" ORCPT=rfc822", 501),
    (" ORCPT=;a", 501),
    (" ORCPT=rfc822;a+zz", 501),
    (" ORCPT=rfc822;a+4", 501),
    (" ORCPT=rfc822;" + "a" * 600, 501),
    (" ORCPT=rfc822;a ORCPT=rfc822;b", 501),
    (" NOTIFY=NEVER,FAILURE", 501),
    (" NOTIFY=", 501),
    (" NOTIFY=SUCCESS NOTIFY=FAILURE", 501),
    (" NOTIFY=SUCCESS\0", 501),
    (" X=Y", 555),
    (" ORCPT=rfc822;a+3Cscript+3E NOTIFY=FAILURE", 250),
]

FIRST_LINES = [  # S9: what other protocols open with.
    b"GET / HTTP/1.1\r\nHost: mx.example.org\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nEHLO x\r\nMAIL FROM:<a@b.example>\r\n"
    b"RCPT TO:<anne@example.org>\r\nDATA\r\nx\r\n.\r\n",
    b"PUT /x HTTP/1.0\r\n\r\nQUIT\r\n",
    b"HEAD / HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"CONNECT remote.example:25 HTTP/1.1\r\n\r\nNOOP\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PROPFIND / HTTP/1.1\r\nDepth: infinity\r\n\r\n",
    b"INVITE sip:x@example.org SIP/2.0\r\nNOOP\r\n",
    b"Host: example.org\r\nNOOP\r\n",
    b"a1 CAPABILITY\r\nNOOP\r\n",
    b"a1 LOGIN anne secret\r\nNOOP\r\n",
    b"a1 STARTTLS\r\nNOOP\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\nNOOP\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,
]


class Commands(Hostile):
    """One command, and what must come of it."""

    def test_relay_tricks(self):
        for door in wire.OUTSIDERS:
            for recipient, expected in RELAY:
                with self.case("S6", door=door.name, recipient=recipient):
                    with door.open(self.server) as client:  # A new one each time: guessing gets slow (S8).
                        self.assertEqual(client.command("MAIL FROM:<a@outside.example>"), 250)
                        code = client.command(f"RCPT TO:{recipient}")
                        if expected:
                            self.assertEqual(code, expected, client.text)
                        else:
                            self.assertGreaterEqual(code, 500, client.text)

    def test_relay_tricks_need_a_login_on_submission(self):
        for door in (wire.SUBMISSION, wire.SUBMISSION_TLS, wire.SUBMISSIONS):
            with door.open(self.server, greet=False) as client:
                client.command("EHLO c.outside.example")
                for recipient, _ in RELAY:
                    with self.case("S6", door=door.name, recipient=recipient, login="none"):
                        self.assertIn(client.command("MAIL FROM:<a@outside.example>"), (530, 421, 0))
                        self.assertNotEqual(client.command(f"RCPT TO:{recipient}") // 100, 2)
                    if client.over or not client.command("NOOP"):
                        client = door.open(self.server, greet=False)
                        client.command("EHLO c.outside.example")

    def test_mail_parameters(self):
        for door in (wire.EXCHANGER, wire.EXCHANGER_TLS, wire.LMTP):
            for tail, expected in SYNTAX:
                with self.case("S7", door=door.name, mail=tail), door.open(self.server) as client:
                    code = client.command(f"MAIL FROM:{tail}".encode("latin-1"))
                    self.assertIn(code, (expected,) if expected else range(500, 556), client.text)

    def test_rcpt_parameters(self):
        for door in wire.DOORS:
            with door.open(self.server) as client:
                self.assertEqual(client.command(f"MAIL FROM:<{door.sender(self.server)}>"), 250)
                for tail, expected in RCPT:
                    with self.case("S7", door=door.name, rcpt=tail):
                        self.assertEqual(client.command(f"RCPT TO:<anne@example.org>{tail}"), expected, client.text)

    def test_nul_at_each_position(self):
        for door in (wire.EXCHANGER, wire.SUBMISSIONS, wire.LMTP):
            for command in (door.hello + " c.example", f"MAIL FROM:<{door.sender(self.server)}>", "NOOP", "VRFY anne",
                            "RSET", "HELP"):
                for at in range(len(command) + 1):
                    with self.case("S35", door=door.name, command=command, at=at), door.open(self.server) as client:
                        text = (command[:at] + "\0" + command[at:]).encode()
                        self.assertIn(client.command(text), (500, 501), client.text)
                        self.assertEqual(client.command("RCPT TO:<anne@example.org>"), 503)

    def test_other_protocols(self):
        for door in wire.DOORS:
            for line in FIRST_LINES:
                if line[0] == 0x16 and door.tls != "none":
                    continue
                with self.case("S9", door=door.name, line=line[:20]), door.open(self.server, greet=False) as client:
                    client.send(line)
                    client.finish()
                    self.assertEqual(len(client.replies()), 1)
                    self.assertNotIn(b"HTTP", client.text)

    def test_content_before_354(self):
        for door in wire.OUTSIDERS:
            with self.case("S9", door=door.name, what="content before 354"), door.open(self.server) as client:
                client.send(b"MAIL FROM:<a@outside.example>\r\nRCPT TO:<anne@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n")
                self.assertEqual(client.replies(), [250, 250, 554])

    def test_starttls_injection(self):
        injected = [b"MAIL FROM:<x@x.example>\r\n", b"NOOP\r\n", b"QUIT\r\n", b"EHLO x\r\n", b"R", b"\r\n",
                    b"AUTH PLAIN AGEAYg==\r\n", b"RSET\r\nMAIL FROM:<x@x.example>\r\n", b"STARTTLS\r\n", b"\0", b"\n"]
        for port in ("smtp", "submission"):
            for octets in injected:
                for cut in (None, 8, 10):
                    with self.case("S3", port=port, octets=octets, cut=cut):
                        with wire.SmtpDoor("", port).open(self.server) as client:
                            client.send(b"STARTTLS\r\n" + octets, cut)
                            code = client.reply()
                            # Either the octets came with it, and the session ends; or behind it, and TLS swallows them.
                            if code == 220:
                                self.assertNotIn(b"250", client.rest())
                            else:
                                self.assertEqual((code // 100, client.replies()), (5, []))

    def test_starttls_forgets(self):
        for port in ("smtp", "submission"):
            with self.case("S3", port=port, what="transaction"), wire.SmtpDoor("", port).open(self.server) as client:
                if port == "smtp":
                    client.command("MAIL FROM:<a@outside.example>")
                self.assertEqual(client.command("STARTTLS"), 220)
                client.start_tls()
                self.assertEqual(client.command("RCPT TO:<anne@example.org>"), 503)

    def test_vrfy_and_expn_tell_nothing(self):
        for door in wire.DOORS:
            with door.open(self.server) as client:
                for name in ("anne", "anne@example.org", "nobody", "postmaster", "<anne@example.org>", "|/bin/id"):
                    with self.case("S8", door=door.name, vrfy=name):
                        self.assertEqual(client.command("VRFY " + name), 252)
                with self.case("S8", door=door.name, what="EXPN"):
                    self.assertEqual(client.command("EXPN staff"), 502)

    def test_proxy_headers_of_outsiders(self):
        lines = [b"XCLIENT ADDR=127.0.0.1 LOGIN=anne\r\n", b"XFORWARD NAME=x ADDR=10.0.0.1\r\n",
                 b"PROXY TCP4 10.0.0.1 10.0.0.2 1 25\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + b"\x7f" * 12 + b"\r\n"]
        for door in wire.DOORS:
            for line in lines:
                with self.case("S47", door=door.name, line=line[:9]), door.open(self.server, greet=False) as client:
                    client.send(line)
                    self.assertGreaterEqual(client.reply(), 500)
                    client.rest()


class Submitted(Hostile):
    """S18 and RELIABILITY 4.3: whose name a message may carry."""

    HEAD = "To: paul@example.org\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <x@example.org>\r\n"

    def content(self, door, fields):
        client = door.open(self.server)
        client.command(f"MAIL FROM:<{door.sender(self.server)}>")
        self.assertEqual(client.command("RCPT TO:<paul@example.org>"), 250)
        client.command("DATA")
        client.send((fields + self.HEAD + "\r\nx\r\n.\r\n").encode("latin-1"))
        code = client.reply()
        client.socket.close()
        return code

    CLIENT = [
        ("two From", "From: anne@example.org\r\nFrom: paul@example.org\r\n"),
        ("two From, the other first", "From: paul@example.org\r\nFrom: anne@example.org\r\n"),
        ("two addresses", "From: anne@example.org, paul@example.org\r\n"),
        ("somebody else", "From: paul@example.org\r\n"),
        ("somebody else's domain", "From: ceo@bank.example\r\n"),
        ("own name in the display name", 'From: "anne@example.org" <paul@example.org>\r\n'),
        ("own name in a comment", "From: paul@example.org (anne@example.org)\r\n"),
        ("a group of two", "From: us: anne@example.org, paul@example.org;\r\n"),
        ("own name in a route", "From: <@example.org:paul@example.org>\r\n"),
    ]

    def test_submission_as_somebody_else(self):
        for door in (wire.SUBMISSION, wire.SUBMISSION_TLS, wire.SUBMISSIONS):
            for name, fields in self.CLIENT:
                with self.case("S18", door=door.name, what=name):
                    self.assertEqual(self.content(door, fields), 550)
            with self.case("S18", door=door.name, what="as oneself"):
                self.assertEqual(self.content(door, "From: Anne <anne@example.org>\r\n"), 250)

    # What a verifier must never be in doubt about: RELIABILITY S20 and 4.3 (a1 to a7 are about other fields).
    SERVER = [
        ("a8: two From", "From: a@victim.example\r\nFrom: b@evil.example\r\n"),
        ("a8: two From in other case", "From: a@victim.example\r\nFROM: b@evil.example\r\n"),
        ("a9: a blank before the first", " From: a@victim.example\r\nFrom: b@evil.example\r\n"),
        ("a9: a tab before the first", "\tFrom: a@victim.example\r\nFrom: b@evil.example\r\n"),
        ("a9: nothing but that", " From: a@victim.example\r\n"),
        ("a10: a blank behind the name", "From : a@victim.example\r\nFrom: b@evil.example\r\n"),
        ("a11: the colon in the next line", "From\r\n : a@victim.example\r\nFrom: b@evil.example\r\n"),
        ("a11: nothing but that", "From\r\n : a@victim.example\r\n"),
        ("a12: a broken From and Sender", "From: nobody\r\nSender: a@victim.example\r\n"),
        ("a12: no From, but Sender", "Sender: a@victim.example\r\n"),
        ("a13: a broken From and Resent-From", "From: <>\r\nResent-From: a@victim.example\r\n"),
        ("a13: no From, but Resent-From", "Resent-From: a@victim.example\r\n"),
        ("a14: two domains", "From: a@victim.example, b@evil.example\r\n"),
        ("a14: two domains and Sender", "From: a@victim.example, b@evil.example\r\nSender: b@evil.example\r\n"),
        ("a14: two addresses and no Sender", "From: a@evil.example, b@evil.example\r\n"),
        ("a15: an encoded word", "From: =?utf-8?b?PGFAdmljdGltLmV4YW1wbGU+?=, b@evil.example\r\n"),
        ("a15: an encoded word alone", "From: =?utf-8?b?PGFAdmljdGltLmV4YW1wbGU+?=\r\n"),
        ("a15: an encoded word before the @", "From: =?utf-8?q?a=40victim.example=00?=@evil.example\r\n"),
        ("a16: a route", "From: <@a.example,@b.example:a@victim.example>\r\n"),
        ("a17: an escaped comma", "From: <a@victim.example>\\,<b@evil.example>\r\n"),
        ("a18: an address before the brackets", "From: a@victim.example,<b@evil.example\r\n"),
        ("a18: an address as the name", "From: a@victim.example <b@evil.example>\r\n"),
        ("a19: an address behind the brackets", "From: <b@evil.example>a@victim.example\r\n"),
        ("empty", "From:\r\n"),
        ("blank", "From: \r\n \r\n"),
        ("a group", "From: a@victim.example: b@evil.example;\r\n"),
        ("a comment within", "From: a@victim.example(.evil.example)\r\n <b@evil.example>\r\n"),
        ("blanks within", "From: a@victim.example .evil.example\r\n"),
        ("a quote without end", 'From: "a@victim.example <b@evil.example>\r\n'),
        ("two sets of brackets", "From: <a@victim.example> <b@evil.example>\r\n"),
        ("two at signs", "From: a@victim.example@evil.example\r\n"),
        ("a group of nobody", "From: Team:;\r\nSender: a@victim.example\r\n"),
        ("a group of two domains", "From: Team: a@victim.example, b@evil.example;\r\nSender: b@evil.example\r\n"),
        ("behind a group", "From: Team: b@evil.example; a@victim.example\r\n"),
        ("a comment that an encoded word begins", 'From: =?utf-8?q?(?= ")<a@victim.example>,(" <b@evil.example>\r\n'),
        ("brackets in an encoded word", "From: =?utf-8?q?<a@victim.example>?= <b@evil.example>\r\n"),
    ]
    CLEAR = [
        ("an address", "From: b@evil.example\r\n"),
        ("a name with a comma", 'From: "Roux, Benja" <b@evil.example>\r\n'),
        ("two of one domain and Sender", "From: b@evil.example, C <c@evil.example>\r\nSender: b@evil.example\r\n"),
        ("its own name", "From: b@evil.example <b@evil.example>\r\n"),
        ("a group of one", "From: Team: B <b@evil.example>;\r\n"),
        ("a comma behind", "From: b@evil.example,\r\n"),
        ("a comma in an encoded word", "From: =?utf-8?q?Roux,_Benja?= <b@evil.example>\r\n"),
        ("folded", "From:\r\n Benja\r\n\t<b@evil.example> (Roux)\r\n"),
    ]

    def test_doubtful_authors_at_the_exchanger(self):
        for door in (wire.EXCHANGER, wire.EXCHANGER_TLS):
            for name, fields in self.SERVER:
                with self.case("S20", door=door.name, what=name):
                    self.assertEqual(self.content(door, fields), 550)
            for name, fields in self.CLEAR:
                with self.case("S20", door=door.name, what=name):
                    self.assertEqual(self.content(door, fields), 250)
            for name, sender, code in (("a2", "<(any@victim.example>", 501), ("a7", "<@a.example:b@victim.example>", 250),
                                       ("a4", '<"x)(y"@victim.example>', 250), ("a5", "<x@victim.example(.evil>", 501),
                                       ("a6", "<x@victim.example'.evil>", 501)):
                with self.case("S21", door=door.name, what=name), door.open(self.server) as client:
                    self.assertEqual(client.command("MAIL FROM:" + sender), code)


class Floods(Hostile):
    """S12 and G11: what does not end, is cut; what we hold of it stays small."""

    def test_a_line_without_end(self):
        for door in wire.DOORS:
            for octet in (b"A", b" ", b"\r", b"\0", b"<"):
                with self.case("S12", door=door.name, octet=octet), door.open(self.server) as client:
                    before = resident(self.server)
                    sent = 0
                    while sent < 64 << 20 and not client.over:
                        client.send(octet * 65536)
                        sent += 65536
                        client.socket.settimeout(0.01 if sent < 1 << 20 else 0.5)
                        try:
                            client.more()
                        except TimeoutError:
                            pass
                        if client.said:
                            break
                    self.assertTrue(client.said.startswith(b"500") or client.over)
                    self.assertLess(sent, 2 << 20)
                    self.assertLess(resident(self.server) - before, 4 << 20)

    def test_many_of_everything(self):
        for door in (wire.EXCHANGER, wire.SUBMISSIONS, wire.LMTP):
            sender = door.sender(self.server)
            with self.case("S12", door=door.name, what="wrong commands"), door.open(self.server) as client:
                client.send(b"WHAT\r\n" * 500)
                client.finish()
                codes = client.replies()
                self.assertLessEqual(len(codes), 22)
                self.assertEqual(codes[-1], 421)
            with self.case("S12", door=door.name, what="a million NOOPs"), door.open(self.server) as client:
                client.send(b"NOOP\r\n" * 2000)
                self.assertEqual([client.reply() for _ in range(2000)], [250] * 2000)
            with self.case("S12", door=door.name, what="1,001 recipients"), door.open(self.server) as client:
                client.command(f"MAIL FROM:<{sender}>")
                client.send(b"".join(b"RCPT TO:<anne+%d@example.org>\r\n" % i for i in range(1001)))
                codes = [client.reply() for _ in range(1001)]
                self.assertEqual((codes[999], codes[1000]), (250, 452))
            with self.case("S12", door=door.name, what="a field of 5 MB"), door.open(self.server) as client:
                client.command(f"MAIL FROM:<{sender}>")
                client.command("RCPT TO:<anne@example.org>")
                client.command("DATA")
                client.send(f"From: {sender}\r\nX: ".encode() + b"x" * (5 << 20) + b"\r\n\r\nx\r\n.\r\n")
                self.assertIn(client.reply(), (552, 554), client.text)
            with self.case("S12", door=door.name, what="200,000 fields"), door.open(self.server) as client:
                client.command(f"MAIL FROM:<{sender}>")
                client.command("RCPT TO:<anne@example.org>")
                client.command("DATA")
                before = cpu_seconds(self.server)
                client.send(f"From: {sender}\r\n".encode() + b"X: y\r\n" * 200_000 + b"\r\nx\r\n.\r\n")
                self.assertIn(client.reply(), (250, 552, 554), client.text)
                self.assertLess(cpu_seconds(self.server) - before, 2)
            with self.case("S12", door=door.name, what="101 Received"), door.open(self.server) as client:
                client.command(f"MAIL FROM:<{sender}>")
                client.command("RCPT TO:<anne@example.org>")
                client.command("DATA")
                client.send(f"From: {sender}\r\n".encode() + b"Received: by x\r\n" * 101 + b"\r\nx\r\n.\r\n")
                self.assertEqual(client.reply(), 554)


class Clear(Hostile):
    """S13: no password in the clear, over any protocol; none in the log."""

    @classmethod
    def setUpClass(cls):
        cls.ports = dict(zip(("submission", "imap", "pop3"), free_ports(3)))
        cls.more = STRICT.format(**cls.ports)
        super().setUpClass()

    def test_submission(self):
        for line in ("AUTH PLAIN AGFubmVAZXhhbXBsZS5vcmcAY29ycmVjdCBob3JzZQ==", "AUTH PLAIN", "AUTH LOGIN", "AUTH CRAM-MD5",
                     "AUTH SCRAM-SHA-256 biwsbj1hbm5lLHI9eA==", "AUTH LOGIN YW5uZUBleGFtcGxlLm9yZw==", "AUTH EXTERNAL ="):
            with self.case("S13", line=line[:16]), wire.Smtp(self.ports["submission"]) as client:
                client.reply()
                client.send(b"EHLO c\r\n")
                client.reply()
                self.assertIn(client.command(line), (502, 503, 504, 523, 530, 538), client.text)
                self.assertEqual(client.command("MAIL FROM:<anne@example.org>"), 530)

    def test_imap(self):
        for line in (f'LOGIN anne@example.org "{PASSWORD}"', "AUTHENTICATE PLAIN",
                     "AUTHENTICATE PLAIN AGFubmVAZXhhbXBsZS5vcmcAY29ycmVjdCBob3JzZQ==", "AUTHENTICATE LOGIN",
                     "AUTHENTICATE CRAM-MD5", "AUTHENTICATE SCRAM-SHA-256",
                     "AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm5lLHI9eA=="):
            with self.case("S13", line=line), wire.Lines(self.ports["imap"]) as client:
                greeting = client.line()
                self.assertIn(b"LOGINDISABLED", greeting)
                self.assertNotIn(b"AUTH=", greeting)
                done = client.tagged(line.encode())
                self.assertFalse(done[-1].startswith((b"a OK", b"+")), done)
                self.assertFalse(client.tagged(b"SELECT INBOX")[-1].startswith(b"a OK"))

    def test_pop3(self):
        for line in (b"USER anne@example.org", b"PASS " + PASSWORD.encode(), b"AUTH PLAIN",
                     b"AUTH PLAIN AGFubmVAZXhhbXBsZS5vcmcAY29ycmVjdCBob3JzZQ==", b"AUTH CRAM-MD5",
                     b"AUTH SCRAM-SHA-256", b"AUTH SCRAM-SHA-256 biwsbj1hbm5lLHI9eA==", b"AUTH",
                     b"APOP anne@example.org c4c9334bac560ecc979e58001b3e22fb"):
            with self.case("S13", line=line[:9]), wire.Lines(self.ports["pop3"]) as client:
                client.line()
                self.assertTrue(client.pop(line).startswith(b"-ERR"))
                self.assertTrue(client.pop(b"STAT").startswith(b"-ERR"))

    def test_no_password_in_the_log_or_on_disk(self):
        with wire.SUBMISSIONS.open(self.server), wire.imap(self.server, "anne"), wire.pop3(self.server, "paul"):
            pass
        secrets = [PASSWORD.encode(), b"AGFubmVAZXhhbXBsZS5vcmcAY29ycmVjdCBob3JzZQ"]
        for file in [self.server.log, *self.server.data.rglob("*")]:
            if not file.is_file() or file.is_socket():
                continue
            with self.case("S16", file=file.name):
                content = file.read_bytes()
                for secret in secrets:
                    self.assertNotIn(secret, content)

    def test_cram_md5_is_not_offered(self):
        for name, said in (("submission", lambda: self.ehlo()), ("imap", lambda: self.capability()),
                           ("pop3", lambda: self.capa())):
            with self.case("S16", protocol=name):
                self.assertNotIn(b"CRAM-MD5", said())

    def ehlo(self):
        with wire.Smtp(self.server.submissions, True) as client:
            client.reply()
            client.send(b"EHLO c\r\nQUIT\r\n")
            return client.rest()

    def capability(self):
        with wire.imap(self.server, port="imaps", tls="implicit") as client:
            return b"".join(client.tagged(b"CAPABILITY"))

    def capa(self):
        with wire.pop3(self.server, port="pop3s", tls="implicit") as client:
            client.send(b"CAPA\r\nQUIT\r\n")
            return client.rest()


if __name__ == "__main__":
    unittest.main()
