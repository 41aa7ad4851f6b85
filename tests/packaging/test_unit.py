"""The systemd unit: what it leaves open, by systemd's own measure, and that it names only what exists."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging/systemd/facteur.service"
FACTEUR = os.environ.get("FACTEUR", str(ROOT / "build/release/facteur"))
MOST_EXPOSED = 1.5


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Unit(unittest.TestCase):
    def analyzed(self, unit):
        """The overall exposure of a unit file, and the table."""
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit], text=True,
                              capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
        found = re.search(r"Overall exposure level for facteur.service: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        return float(found.group(1)), done.stdout

    def test_exposure(self):
        exposure, table = self.analyzed(UNIT)
        self.assertLessEqual(exposure, MOST_EXPOSED, table)

    def test_the_measure_bites(self):
        """Without its restrictions the same service is far above the limit."""
        with tempfile.TemporaryDirectory() as folder:
            open_unit = pathlib.Path(folder) / "facteur.service"
            kept = [line for line in UNIT.read_text().splitlines()
                    if not re.match(r"(Protect|Restrict|Private|SystemCall|CapabilityBounding|NoNew|User|Memory)", line)]
            open_unit.write_text("\n".join(kept) + "\n")
            self.assertGreater(self.analyzed(open_unit)[0], 7)

    def test_it_is_a_unit(self):
        """systemd-analyze verify knows every option; the program's path is that of an installation."""
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "facteur.service"
            unit.write_text(UNIT.read_text().replace("/usr/bin/facteur", FACTEUR))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
