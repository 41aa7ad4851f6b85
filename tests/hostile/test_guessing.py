"""S8, S14: guessing addresses and passwords, from many places, over each protocol."""
import base64
import time
import unittest

import wire
from cases import Hostile
from harness import PASSWORD

CHEAP = '[directory]\nargon2_memory = "8 MiB"\nargon2_passes = 1\nlogin_cache = "0s"\n[limits]\nguesses_per_login = 8\n'


def smtp(server, source, password):
    with wire.Smtp(server.submission, source=source) as client:
        client.reply()
        client.command("EHLO c.example")
        return client.command("AUTH PLAIN " + base64.b64encode(f"\0anne@example.org\0{password}".encode()).decode())


def imap(server, source, password):
    with wire.Lines(server.imap, source=source) as client:
        client.line()
        done = client.tagged(f'LOGIN anne@example.org "{password}"'.encode())[-1]
        return 235 if done.startswith(b"a OK") else 535 if b"AUTHENTICATIONFAILED" in done else 454


def pop3(server, source, password):
    with wire.Lines(server.pop3, source=source) as client:
        client.line()
        client.pop(b"USER anne@example.org")
        done = client.pop(f"PASS {password}".encode())
        return 235 if done.startswith(b"+OK") else 535 if b"[AUTH]" in done else 454


class Guessing(Hostile):
    """With room for 8 guesses an hour, 4 of them at once."""

    more = CHEAP

    def test_passwords(self):
        for net, (name, login) in enumerate((("SMTP", smtp), ("IMAP", imap), ("POP3", pop3)), 10):
            with self.case("S14", protocol=name):
                self.server.facteur("guesses", "forget", "--all")
                self.assertEqual(login(self.server, f"127.{net}.0.1", PASSWORD), 235)
                codes = [login(self.server, f"127.{net}.1.{i + 1}", f"guess {i}") for i in range(7)]
                self.assertLessEqual(codes.count(535), 5, codes)
                self.assertEqual(codes[-1], 454, codes)
                # The right one from a new place waits; from where it was good before, never.
                self.assertEqual(login(self.server, f"127.{net}.2.1", PASSWORD), 454)
                self.assertEqual(login(self.server, f"127.{net}.0.1", PASSWORD), 235)
                self.assertEqual(login(self.server, f"127.{net}.0.1", "old"), 535)
                self.assertEqual(login(self.server, f"127.{net}.0.1", PASSWORD), 235)
                self.assertIn("anne@example.org", self.server.facteur("guesses", "list"))
                self.server.facteur("guesses", "forget", "anne@example.org")
                self.assertEqual(login(self.server, f"127.{net}.2.1", PASSWORD), 235)

    def test_addresses(self):
        for door in (wire.EXCHANGER, wire.EXCHANGER_TLS):
            with self.case("S8", door=door.name, what="guessed addresses"), door.open(self.server) as client:
                client.command("MAIL FROM:<a@outside.example>")
                start = time.monotonic()
                codes = [client.command(f"RCPT TO:<guess{i}@example.org>") for i in range(6)]
                self.assertEqual(codes, [550] * 6)
                self.assertGreater(time.monotonic() - start, 3)  # From the fourth on each waits longer.


if __name__ == "__main__":
    unittest.main()
