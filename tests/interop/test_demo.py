"""`facteur demo`: one message all the way, in both languages, and nothing left behind."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from harness import FACTEUR, free_ports, run, wait_for


class Demo(unittest.TestCase):
    def setUp(self):
        # Of its own: other demonstrations may run on the machine.
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.environment = {"TMPDIR": self.temporary.name}

    def folders(self):
        return {p.name for p in pathlib.Path(self.temporary.name).iterdir()}

    def base(self):
        return str(20000 + free_ports(1)[0] % 3900)  # Below those of tests/powercut, and of whoever connects.

    def test_once_in_english(self):
        out = run(FACTEUR, "demo", "--once", "--lang", "en", "--base-port", self.base(), env=self.environment)
        for line in ("MAIL FROM:<fred@free.example>", "RCPT TO:<marc@wanadoo.example>", "wanadoo.example MX",
                     "+OK", "RETR 1", "a3 FETCH 1", "[RFC 5321 §4.1.1.4]", "[RFC 1939"):
            self.assertIn(line, out)
        self.assertRegex(out, r"250 2\.0\.0 ")
        self.assertEqual(self.folders(), set())

    def test_once_in_french(self):
        out = run(FACTEUR, "demo", "--once", "--lang", "fr", "--base-port", self.base(), env=self.environment)
        self.assertIn("MAIL FROM:<fred@free.example>", out)
        self.assertRegex(out, r"serveur")
        self.assertNotIn("The server", out)

    def test_stays_up_until_interrupted(self):
        base = self.base()
        with tempfile.TemporaryFile("w+") as said, \
                subprocess.Popen([FACTEUR, "demo", "--lang", "en", "--base-port", base], stdout=said,
                                 stderr=subprocess.STDOUT, env={**os.environ, **self.environment}) as demo:

            def text_so_far():
                said.seek(0)
                return said.read()

            try:
                wait_for(lambda: all(word in text_so_far() for word in ("swaks", "Thunderbird", "Ctrl-C")), 30)
                self.assertEqual(len(self.folders()), 1)
                text = text_so_far()
                for program in ("telnet", "openssl s_client", "swaks", "curl", "mutt", "Thunderbird"):
                    self.assertIn(program, text)
                # The line for swaks is ready to paste.
                line = re.search(r"^\s*(swaks .*)$", text, re.M)[1]
                done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30)
                self.assertEqual(done.returncode, 0, line + "\n" + done.stdout + done.stderr)
                curls = re.findall(r"^\s*(curl .*)$", text, re.M)
                self.assertTrue(curls)
                for line in curls:
                    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30)
                    self.assertEqual(done.returncode, 0, line + "\n" + done.stdout + done.stderr)
            finally:
                demo.send_signal(signal.SIGINT)
                demo.wait(30)
        self.assertEqual(demo.returncode, 0)
        self.assertEqual(self.folders(), set())


if __name__ == "__main__":
    unittest.main()
