#include "base/base64.hpp"

#include "rfc_test.hpp"

using namespace facteur;

TEST_RFC("4648 §10", "test vectors, both ways") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [octets, text] : vectors) {
    CHECK(to_base64(octets) == text);
    CHECK(from_base64(text) == octets);
  }
  CHECK(to_hex("foobar") == "666f6f626172");
}

TEST_RFC("4648 §3.5", "one value has one encoding") {
  for (const auto* bad : {"Zh==", "Zm9=", "Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Zm9v=", "Z=g=", "Zm 9v",
                          "Zm9v\n", "Zm9v\r\n", "Zm-_", "Zm9v====", "\x80m9v"}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64(bad));
  }
}

TEST_CASE("base64: all octets in all positions come back, every truncation is judged") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t from = 0; from < 4; ++from) {
    const auto part = all.substr(from);
    const auto text = to_base64(part);
    CHECK(text.size() == (part.size() + 2) / 3 * 4);
    CHECK(from_base64(text) == part);
    for (std::size_t length = 0; length < text.size(); ++length) {
      const auto cut = from_base64(text.substr(0, length));
      CHECK(cut.has_value() == (length % 4 == 0));
    }
  }
  CHECK(from_hex(to_hex(all)) == all);
}

TEST_CASE("hex: broken text") {
  CHECK(from_hex("0aFF") == std::string("\x0a\xff"));
  CHECK(from_hex("") == "");
  for (const auto* bad : {"0", "0g", "0x00", " 00", "00 "}) CHECK_FALSE(from_hex(bad));
}
