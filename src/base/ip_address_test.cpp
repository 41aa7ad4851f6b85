#include "base/ip_address.hpp"

#include "rfc_test.hpp"

using namespace facteur;

namespace {
std::string shown(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? to_string(*address) : "-";
}
}  // namespace

TEST_RFC("5952 §4", "IPv6 addresses are written in their one short form") {
  CHECK(shown("2001:DB8:0:0:0:0:2:1") == "2001:db8::2:1");
  CHECK(shown("2001:0db8::0001") == "2001:db8::1");
  CHECK(shown("2001:db8:0:1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");  // §4.2.2: not for one group.
  CHECK(shown("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");           // §4.2.3: the longest run.
  CHECK(shown("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");     // §4.2.3: the first of equals.
  CHECK(shown("::") == "::");
  CHECK(shown("::1") == "::1");
  CHECK(shown("1::") == "1::");
  CHECK(shown("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
  CHECK(shown("::ffff:192.0.2.1") == "::ffff:192.0.2.1");  // §5.
  CHECK(shown("::ffff:c000:201") == "::ffff:192.0.2.1");
  CHECK(shown("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST_CASE("ip address: IPv4 and its lookalikes") {
  CHECK(shown("192.0.2.1") == "192.0.2.1");
  CHECK(shown("0.0.0.0") == "0.0.0.0");
  for (const auto* bad : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.-4", "1.2.3. 4", "1.2.3.4 ", " 1.2.3.4",
                          "0x7f.1.1.1", "1..2.3", ".1.2.3", "1.2.3.", "[1.2.3.4]", "1.2.3.4%eth0", "1.2.3.4444"}) {
    CAPTURE(bad);
    CHECK(shown(bad) == "-");
  }
}

TEST_CASE("ip address: broken IPv6") {
  for (const auto* bad : {":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "g::1",
                          "12345::", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "::1%lo", "1.2.3.4::", "::1.2.3",
                          "1:2:3:4:5:6:7:1.2.3.4", "::1:", "1:2:3:4:5:6:7:8::", "::00001"}) {
    CAPTURE(bad);
    CHECK(shown(bad) == "-");
  }
}

TEST_CASE("ip address: every truncation of an address is another address or none, never a crash") {
  const std::string text = "2001:db8:12:0:1:ff:192.0.2.1";
  REQUIRE(IpAddress::parse(text));
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto cut = IpAddress::parse(text.substr(0, length));
    if (cut) CHECK(IpAddress::parse(to_string(*cut)) == cut);
  }
}

TEST_CASE("ip address: loopback") {
  for (const auto* yes : {"127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"})
    CHECK(IpAddress::parse(yes)->is_loopback());
  for (const auto* no : {"128.0.0.1", "0.0.0.0", "::", "::2", "1::1", "::ffff:128.0.0.1"})
    CHECK_FALSE(IpAddress::parse(no)->is_loopback());
}

TEST_CASE("endpoint: parse and print") {
  CHECK(to_string(*Endpoint::parse("192.0.2.1:25")) == "192.0.2.1:25");
  CHECK(to_string(*Endpoint::parse("[2001:db8::1]:465")) == "[2001:db8::1]:465");
  for (const auto* bad : {"", "25", ":25", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                          "[192.0.2.1]:25", "2001:db8::1:25x", "::1:25", "[::1]", "[::1]25", "192.0.2.1:2 5"}) {
    CAPTURE(bad);
    CHECK_FALSE(Endpoint::parse(bad));
  }
}

TEST_RFC("5321 §4.1.3", "address literals") {
  CHECK(to_address_literal(IpAddress::v4(192, 0, 2, 1)) == "[192.0.2.1]");
  CHECK(to_address_literal(*IpAddress::parse("2001:db8::1")) == "[IPv6:2001:db8::1]");
}
