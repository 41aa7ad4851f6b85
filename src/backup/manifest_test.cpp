#include "backup/manifest.hpp"

#include <doctest/doctest.h>

#include "base/base64.hpp"
#include "crypto/hash.hpp"

using namespace facteur;
using namespace facteur::backup;

namespace {

Manifest sample() {
  const std::string hash(64, 'a');
  return {.instance = std::string(32, '0'),
          .version = "1.2.3",
          .taken = UtcTime{1'700'000'000'123},
          .sequence = 7,
          .segments = {{1, 0xfedcba9876543210, 1024, hash}, {3, 2, 4096, hash}},
          .files = {{"data", "keys/self-signed.key", 5, hash}, {"key", "/etc/mx \"key\".pem", 6, hash}},
          .damaged = {"log/00000001.seg @ 17"}};
}

// A body with a checksum that fits, whatever it says.
std::string signed_text(const std::string& body) {
  return R"({"body":)" + body + R"(,"sha256":")" + to_hex(crypto::sha256(body).view()) + "\"}\n";
}

std::string body_of(const std::string& text) { return text.substr(8, text.size() - 8 - 11 - 64 - 3); }

std::string with(const std::string& from, const std::string& to) {
  std::string body = body_of(encode(sample()));
  const auto at = body.find(from);
  REQUIRE(at != body.npos);
  return signed_text(body.replace(at, from.size(), to));
}

}  // namespace

TEST_CASE("backup: A manifest says what it was told") {
  const Manifest made = sample();
  const auto read = decode(encode(made));
  REQUIRE(read);
  CHECK(encode(*read) == encode(made));
  CHECK(read->segments[0].nonce == 0xfedcba9876543210);
  CHECK(read->files[1].path == "/etc/mx \"key\".pem");
  CHECK(read->octets() == 1024 + 4096 + 5 + 6);
  CHECK(segment_file(read->segments[0]) == "segments/00000001-fedcba9876543210.seg");
  CHECK(signed_text(body_of(encode(made))) == encode(made));
}

TEST_CASE("backup: A manifest that is cut or changed anywhere is none") {
  const std::string text = encode(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    CHECK(!decode(text.substr(0, i)));
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    CHECK(!decode(flipped));
  }
  CHECK(!decode(text + " "));
}

TEST_CASE("backup: A manifest with a checksum that fits and members that do not is none") {
  CHECK(decode(signed_text(body_of(encode(sample())))));
  CHECK(!decode(signed_text("{}")));
  CHECK(!decode(signed_text("17")));
  CHECK(!decode(signed_text("")));
  CHECK(!decode(with("\"format\":1", "\"format\":2")));
  CHECK(!decode(with("keys/self", "../self")));
  CHECK(!decode(with("keys/self", "keys/../../self")));
  CHECK(!decode(with("keys/self", "/keys/self")));
  CHECK(!decode(with("/etc/mx", "etc/mx")));
  CHECK(!decode(with("/etc/mx", "/etc/../mx")));
  CHECK(!decode(with("\"number\":3", "\"number\":1")));
  CHECK(!decode(with("\"number\":3", "\"number\":4294967296")));
  CHECK(!decode(with("\"nonce\":\"fe", "\"nonce\":\"xx")));
  CHECK(!decode(with("\"sha256\":\"aaaa", "\"sha256\":\"../a")));
  CHECK(!decode(with("\"sequence\":7", "\"sequence\":-1")));
}
