#include "base/ascii.hpp"

#include <doctest/doctest.h>

using namespace facteur;

TEST_CASE("ascii: classes of all octets agree with their definition") {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    CAPTURE(i);
    CHECK(ascii::is_digit(c) == (i >= '0' && i <= '9'));
    CHECK(ascii::is_alpha(c) == ((i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z')));
    CHECK(ascii::is_printable(c) == (i >= 32 && i <= 126));
    CHECK(ascii::is_control(c) == (i < 32 || i == 127));
    CHECK(ascii::to_lower(ascii::to_upper(c)) == ascii::to_lower(c));
    if (i > 127) CHECK(ascii::to_lower(c) == c);
  }
}

TEST_CASE("ascii: comparisons ignore the case of ASCII letters only") {
  CHECK(ascii::equal_ignoring_case("MaIl", "mAiL"));
  CHECK_FALSE(ascii::equal_ignoring_case("mail", "mails"));
  CHECK_FALSE(ascii::equal_ignoring_case("\xc3\x89", "\xc3\xa9"));  // E acute, both cases, in UTF-8.
  CHECK_FALSE(ascii::equal_ignoring_case("@", "`"));
  CHECK(ascii::starts_with_ignoring_case("FROM:<a>", "from:"));
  CHECK_FALSE(ascii::starts_with_ignoring_case("FRO", "from:"));
  CHECK(ascii::lower("AbC-9\xc3") == "abc-9\xc3");
  CHECK(ascii::upper("AbC-9") == "ABC-9");
}

TEST_CASE("ascii: trimmed") {
  CHECK(ascii::trimmed(" \t a b\t ") == "a b");
  CHECK(ascii::trimmed(" \t ").empty());
  CHECK(ascii::trimmed("").empty());
  CHECK(ascii::trimmed("\r\na") == "\r\na");
}

TEST_CASE("ascii: numbers are digits only and fit") {
  CHECK(ascii::number("0") == 0u);
  CHECK(ascii::number("18446744073709551615") == UINT64_MAX);
  CHECK(ascii::number<std::uint32_t>("4294967295") == UINT32_MAX);
  CHECK(ascii::number<std::uint32_t>("0000000000001") == 1u);
  for (const auto* bad : {"", "-1", "+1", " 1", "1 ", "1a", "0x1", "18446744073709551616", "1.0"}) {
    CAPTURE(bad);
    CHECK_FALSE(ascii::number(bad));
  }
  CHECK_FALSE(ascii::number<std::uint32_t>("4294967296"));
  CHECK_FALSE(ascii::number<std::uint8_t>("256"));
}

TEST_CASE("ascii: escaped text stays on one line") {
  CHECK(ascii::escaped("plain text") == "plain text");
  for (int i = 0; i < 256; ++i) {
    const std::string text = ascii::escaped(std::string(1, static_cast<char>(i)));
    for (const char c : text) CHECK(ascii::is_printable(c));
  }
  CHECK(ascii::escaped("a\r\nb") == "a\\x0d\\x0ab");
}
