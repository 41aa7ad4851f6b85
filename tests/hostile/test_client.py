"""S4, S5: servers that would make our client go on in the clear, or take their words for those of another."""
import json
import socket
import threading
import unittest

import wire
from cases import Hostile
from harness import free_ports, wait_for


class Peer:
    """A server that plays one script after the other: what it says, line by line of the client."""

    def __init__(self, port):
        self.heard, self.script = [], []
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(20)
                try:
                    self.talk(peer)
                except OSError:
                    pass

    def talk(self, peer):
        lines = peer.makefile("rb")
        for said in self.script:
            peer.sendall(said)
            heard = lines.readline()
            if not heard:
                return
            self.heard.append(heard)
        while heard := lines.readline():
            self.heard.append(heard)


GREETING, HELLO = b"220 mx.remote.example\r\n", b"250-mx\r\n250 STARTTLS\r\n"


class Client(Hostile):
    """What comes behind the reply to STARTTLS was said by whoever is on the way: the attempt ends, the mail waits."""

    @classmethod
    def setUpClass(cls):
        [port] = free_ports(1)
        cls.peer = Peer(port)
        cls.more = (f'[delivery]\nallow_loopback = true\n[[delivery.route]]\ndomains = ["remote.example"]\n'
                    f'host = "127.0.0.1"\nport = {port}\n')
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        cls.peer.listener.close()
        super().tearDownClass()

    SCRIPTS = [
        ("a reply behind 220", [GREETING, HELLO, b"220 go\r\n250 injected\r\n"]),
        ("a hello behind 220", [GREETING, HELLO, b"220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n"]),
        ("a hello and all that follows", [GREETING, HELLO, b"220 go\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"]),
        ("half a line behind 220", [GREETING, HELLO, b"220 go\r\n2"]),
        ("replies to what was not said", [GREETING + b"250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n221 bye\r\n"]),
        ("a reply that never ends", [GREETING, b"250-" + b"x" * 200_000]),
        ("a line that never ends", [b"220 " + b"x" * 1_000_000]),
        ("a code that is none", [b"999 hello\r\n"]),
        ("a code of letters", [b"2x0 hello\r\n"]),
        ("a NUL", [b"220 mx\0\r\n", b"250\0\r\n"]),
        ("no TLS behind 220", [GREETING, HELLO, b"220 go\r\n", b"not TLS at all\r\n" * 100]),
        ("IMAP that knows us already", [b"* PREAUTH welcome\r\n"]),
    ]

    def test_scripts(self):
        for name, script in self.SCRIPTS:
            with self.case("S4", name=name):
                self.peer.script, self.peer.heard = script, []
                with wire.SUBMISSIONS.open(self.server) as client:
                    client.command("MAIL FROM:<anne@example.org>")
                    self.assertEqual(client.command("RCPT TO:<x@remote.example>"), 250, client.text)
                    client.command("DATA")
                    self.assertEqual(client.command("From: anne@example.org\r\nSubject: secret\r\n\r\nsecret text\r\n."), 250)
                wait_for(self.tried)
                # Nothing of the letter was said in the clear, and it is not lost.
                self.assertNotIn(b"secret", b"".join(self.peer.heard))
                self.assertIn("x@remote.example", self.server.facteur("queue", "list"))
                self.server.facteur("queue", "delete", self.waiting()["id"])

    def waiting(self):
        """The one letter in the queue."""
        [entry] = json.loads(self.server.facteur("queue", "list", "--json"))
        return entry

    def tried(self):
        return self.waiting()["recipients"][0]["attempts"] > 0


if __name__ == "__main__":
    unittest.main()
