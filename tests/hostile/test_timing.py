"""S15 and G19 in short: the time of a refusal does not tell who exists. ./dev hostile --timing takes 10,000 samples."""
import unittest

import timing
from cases import COUNTED


class Timing(unittest.TestCase):
    """Medians of known and unknown names, in random order."""

    def test_medians(self):
        server = timing.start()
        try:
            for name, way, held in timing.WAYS:
                if not held:
                    continue
                COUNTED["S15"] += 1
                with self.subTest(case="S15", way=name):
                    for attempt in range(3):  # Few samples on a busy machine: three tries.
                        known, unknown = timing.sampled(server, way, 60, 24)
                        # Without a hash for unknown names they would differ by its 5 ms; without the delay by 500 ms.
                        apart = timing.statistics.median(known) - timing.statistics.median(unknown)
                        if abs(apart) < 0.01 * min(timing.statistics.median(known), timing.statistics.median(unknown)):
                            break
                    else:
                        self.fail(f"{name}: medians differ by {apart * 1000:.1f} ms")
        finally:
            server.close()


if __name__ == "__main__":
    unittest.main()
