"""Every message of every corpus beside the checkout, stored by IMAP and fetched again: the same octets."""
import hashlib
import os
import pathlib
import re
import socket
import unittest

import harness

# Where messages lie, and not tables, scripts and keys.
CORPORA = ["arc-valimail", "bounces-sisimai", "dkim-chasquid", "dkim-mail-auth", "dkim2-mail-auth", "eai-arnt",
           "html-mimekit", "imap-fetch-stalwart", "imap-imaptest", "jmap-golden-stalwart", "mbox-mimekit", "mime-gmime",
           "mime-jwz", "mime-mail-parser", "mime-mimekit", "mime-python", "mime-ruby-mail", "mime-summary", "mime4j",
           "reports-mail-auth", "reports-parsedmarc", "rspamd-messages", "smtp-data-stalwart", "spamassassin-data",
           "threads-notmuch", "unit-postfix"]
AT_ONCE = 60  # Messages of one APPEND (RFC 3502).


def corpora():
    if found := os.environ.get("FACTEUR_CORPORA"):
        return pathlib.Path(found)
    above = [folder / "shared/corpora" for folder in harness.ROOT.parents]
    return next((folder for folder in above if folder.is_dir()), None)


class Client:
    """IMAP without a library between: any octet may be sent and must come back."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.file = self.socket.makefile("rb")
        self.number = 0
        self.file.readline()

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, *pieces):
        """Sends a command; its responses, each a list of text and literals, up to the tagged one."""
        self.number += 1
        tag = f"t{self.number}".encode()
        self.socket.sendall(tag + b" " + b"".join(pieces) + b"\r\n")
        responses = []
        while True:
            response = []
            line = self.file.readline()
            while found := re.search(rb"~?\{(\d+)\}\r\n$", line):
                response += [line, self.file.read(int(found[1]))]
                line = self.file.readline()
            responses.append(response + [line])
            if line.startswith(tag + b" ") and not response:
                assert line.startswith(tag + b" OK"), line
                return responses


@unittest.skipUnless(corpora(), "the corpora are not here")
class CorporaTest(unittest.TestCase):
    def test_what_is_appended_is_fetched_octet_for_octet(self):
        server = harness.Server()
        client = Client(server.imap)
        try:
            client.ask(b'LOGIN "%s" "%s"' % (server.address("anne").encode(), harness.PASSWORD.encode()))
            octets = 0
            for name in CORPORA:
                folder = corpora() / name
                if not folder.is_dir():
                    continue
                # APPEND takes no empty message (RFC 3502 §3: that is how one is called off).
                contents = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
                contents = [one for one in contents if 0 < len(one) < 8_000_000]
                octets += sum(map(len, contents))
                self.assertGreater(len(contents), 0, name)
                client.ask(b'CREATE "%s"' % name.encode())
                for start in range(0, len(contents), AT_ONCE):
                    pieces = [piece for one in contents[start:start + AT_ONCE]
                              for piece in (b" ~{%d+}\r\n" % len(one), one)]
                    client.ask(b'APPEND "%s"' % name.encode(), *pieces)
                client.ask(b'EXAMINE "%s"' % name.encode())
                got = [response[1] for response in client.ask(b"FETCH 1:* BODY.PEEK[]") if len(response) > 1]
                self.assertEqual(len(got), len(contents), name)
                different = [i for i, (a, b) in enumerate(zip(contents, got)) if a != b]
                self.assertEqual(different, [], name)
                # The parts say the same of it: sizes, and the octets of header and text together.
                rows = client.ask(b"FETCH 1:* (RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
                for content, row in zip(contents, (r for r in rows if len(r) > 1)):
                    self.assertIn(b"RFC822.SIZE %d " % len(content), row[0] + b" ")
                    self.assertEqual(hashlib.sha256(b"".join(row[1::2])).digest(), hashlib.sha256(content).digest())
                print(f"{name}: {len(got)} messages the same")
            print(f"{octets} octets")
        finally:
            client.close()
            server.close()


if __name__ == "__main__":
    unittest.main()
