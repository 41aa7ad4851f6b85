#include "dns/rdata.hpp"

#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::dns;
using namespace std::string_view_literals;

TEST_RFC("1035 §3.1", "a name is read as text, in lower case, the root as nothing") {
  CHECK(read_name("\2MX\7example\3org\0"sv) == "mx.example.org");
  CHECK(read_name("\0"sv) == "");
  CHECK(read_name("\1a\0what stands behind it"sv) == "a");
  CHECK(read_name("\5_dmarc\0"sv) == std::nullopt);  // A length that does not fit what follows.
  CHECK(read_name("\6_dmarc\0"sv) == "_dmarc");
}

TEST_RFC("1035 §3.1", "a name cut anywhere is none") {
  constexpr auto whole = "\2mx\7example\3org\0"sv;
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK_FALSE(read_name(whole.substr(0, length)));
}

TEST_RFC("1035 §3.1", "labels that no host can have make no name") {
  for (const auto octets : {"\3a.b\0"sv, "\3a b\0"sv, "\3a\nb\0"sv, "\3a\0b\0"sv, "\2\xc3\xa9\0"sv, "\1\x7f\0"sv}) {
    CHECK_FALSE(read_name(octets));
  }
}

TEST_RFC("1035 §4.1.4", "a compressed name is refused, not followed") { CHECK_FALSE(read_name("\xc0\x0c"sv)); }

TEST_RFC("1035 §2.3.4", "a label has 63 octets at most, a name 255") {
  const auto label = [](std::size_t length) {
    return std::string(1, static_cast<char>(length)) + std::string(length, 'a');
  };
  const auto end = std::string(1, '\0');
  CHECK(read_name(label(63) + end));
  CHECK_FALSE(read_name(label(64) + end));
  const auto three = label(63) + label(63) + label(63);
  CHECK(read_name(three + label(61) + end)->size() == 253);
  CHECK_FALSE(read_name(three + label(62) + end));
}

TEST_RFC("1035 §3.3.9", "MX: a preference and a host") {
  const auto mx = read_mx("\x01\x02\2mx\0"sv);
  REQUIRE(mx);
  CHECK(mx->preference == 258);
  CHECK(mx->host == "mx");
  CHECK(read_mx("\xff\xff\0"sv)->preference == 65535);
  CHECK_FALSE(read_mx("\0\1"sv));
  CHECK_FALSE(read_mx("\0\1\2m"sv));
}

TEST_RFC("7505 §3", "a null MX is a host without a name") { CHECK(read_mx("\0\0\0"sv)->host.empty()); }

TEST_RFC("3596 §2.2", "an address has 4 or 16 octets") {
  CHECK(to_string(*read_address("\xc0\0\2\1"sv)) == "192.0.2.1");
  CHECK(to_string(*read_address("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"sv)) == "2001:db8::1");
  for (std::size_t length = 0; length < 20; ++length) {
    CHECK(read_address(std::string(length, 'a')).has_value() == (length == 4 || length == 16));
  }
}

TEST_RFC("7208 §3.3", "the strings of a TXT record are joined") {
  CHECK(read_text("\6v=spf1\5 -all"sv) == "v=spf1 -all");
  CHECK(read_text("\0\0\1a"sv) == "a");
  CHECK(read_text("\xff"sv).empty());
  CHECK(read_text("\5abc"sv) == "abc");
}

TEST_RFC("6698 §2.1", "TLSA: three octets and what they speak of") {
  const auto record = read_tlsa("\3\1\1\xab\xcd"sv);
  REQUIRE(record);
  CHECK(record->usage == 3);
  CHECK(record->selector == 1);
  CHECK(record->matching == 1);
  CHECK(record->data == "\xab\xcd");
  CHECK_FALSE(read_tlsa("\3\1\1"sv));
}

TEST_RFC("1035 §3.5", "addresses are looked up under their octets, the last one first") {
  CHECK(reverse_name(*IpAddress::parse("192.0.2.1")) == "1.2.0.192.in-addr.arpa");
}

TEST_RFC("3596 §2.5", "IPv6 addresses under their nibbles") {
  CHECK(reverse_name(*IpAddress::parse("2001:db8::1")) ==
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}
