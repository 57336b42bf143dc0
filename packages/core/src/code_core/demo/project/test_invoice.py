import unittest

from invoice import total


class TotalTest(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(total([10.0, 20.5]), 30.5)

    def test_discount_is_a_percentage(self):
        self.assertEqual(total([10.0, 20.0], discount_percent=10), 27.0)


if __name__ == "__main__":
    unittest.main()
