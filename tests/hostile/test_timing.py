"""S15 and G19 in short: the time of a refusal does not tell who exists. ./dev hostile --timing takes 10,000 samples."""
import unittest

import timing
from cases import COUNTED

MOST = 0.3  # Of few samples on a busy machine. Without a hash for unknown names nearly all of it would be missing.


def tells(server, way, held):
    """None, or what three tries in a row have told."""
    told = []
    for _ in range(3):
        compared = timing.Compared(*timing.sampled(server, way, 60, 24), held)
        if not compared.tells(MOST):
            return None
        told.append(f"{compared.seconds * 1000:+.1f} ms, {compared.share * 100:+.0f} %")
    return told


class Timing(unittest.TestCase):
    """Medians of known and unknown names, in random order, without the half second that every refusal is held back."""

    def test_medians(self):
        server = timing.start()
        try:
            for name, way, held in timing.WAYS:
                if not held:
                    continue
                COUNTED["S15"] += 1
                with self.subTest(case="S15", way=name):
                    self.assertIsNone(tells(server, way, held))
        finally:
            server.close()

    def test_a_difference_would_be_seen(self):
        """Names whose passwords were hashed at another cost than that of unknown ones; and a refusal that is not held."""
        server = timing.start()
        try:
            server.stop()
            server.config.write_text(server.config.read_text().replace("argon2_passes = 1", "argon2_passes = 6"))
            server.start()
            COUNTED["S15"] += 1
            with self.subTest(case="S15", planted="another cost"):
                self.assertIsNotNone(tells(server, timing.imap_login, timing.HELD))
        finally:
            server.close()
        COUNTED["S15"] += 1
        with self.subTest(case="S15", planted="not held"):
            same = [timing.HELD + 0.01] * 60
            self.assertFalse(timing.Compared(same, same, timing.HELD).tells(MOST))
            self.assertTrue(timing.Compared(same, same[1:] + [0.01], timing.HELD).tells(MOST))


if __name__ == "__main__":
    unittest.main()
