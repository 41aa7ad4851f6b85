#include "crypto/hash.hpp"

#include "base/base64.hpp"
#include "crypto/crc32c.hpp"
#include "crypto/password.hpp"
#include "crypto/scram.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::crypto;

TEST_CASE("SHA-256: the examples of FIPS 180-4, in any segmentation") {
  CHECK(to_hex(sha256("abc").view()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(to_hex(sha256("").view()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 pieces;
    pieces.update(Bytes(text).substr(0, cut));
    Sha256 copy = pieces;
    pieces.update(Bytes(text).substr(cut));
    CHECK(pieces.finish() == sha256(text));
    CHECK(copy.finish() == sha256(Bytes(text).substr(0, cut)));
  }
}

TEST_CASE("SHA-1 and MD5: the examples of their standards") {
  CHECK(to_hex(sha1("abc").view()) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(to_hex(md5("abc").view()) == "900150983cd24fb0d6963f7d28e17f72");
}

TEST_RFC("2104", "HMAC gives the values of RFC 2202 and RFC 4231") {
  CHECK(to_hex(hmac_md5("Jefe", "what do ya want for nothing?").view()) == "750c783e6ab0b503eaa86e310a5db738");
  CHECK(to_hex(hmac_sha1("Jefe", "what do ya want for nothing?").view()) == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?").view()) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // RFC 4231 §4.7: a key longer than a block is hashed first.
  CHECK(
      to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First").view()) ==
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_RFC("3720 §B.4", "CRC-32C gives the known values, whatever the way and the cut") {
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c("") == 0);
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const Bytes head = Bytes(text).substr(0, cut), tail = Bytes(text).substr(cut);
    CHECK(crc32c(tail, crc32c(head)) == crc32c(text));
    CHECK(crc32c(head) == crc32c_portable(head));
    CHECK(crc32c_portable(tail, crc32c_portable(head)) == crc32c(text));
  }
}

TEST_CASE("secrets are compared whole") {
  CHECK(equal_in_constant_time("secret", "secret"));
  CHECK(!equal_in_constant_time("secret", "secreT"));
  CHECK(!equal_in_constant_time("secret", "secre"));
  CHECK(equal_in_constant_time("", ""));
}

TEST_RFC("9106", "Argon2id: a password belongs to its own PHC string only") {
  const Argon2Cost cheap{64, 1, 1};
  const auto phc = argon2id_hash("correct horse", "0123456789abcdef", cheap);
  REQUIRE(phc);
  CHECK(phc->starts_with("$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"));
  CHECK(*argon2_verify(*phc, "correct horse"));
  CHECK(!*argon2_verify(*phc, "correct horsf"));
  CHECK(!*argon2_verify(*phc, std::string("correct horse\0", 14)));
  CHECK(!argon2_outdated(*phc, cheap));
  CHECK(argon2_outdated(*phc));
}

TEST_CASE("Argon2: costs out of range and damaged strings are refused before any work") {
  CHECK(!argon2id_hash("p", "short"));
  CHECK(!argon2id_hash("p", "0123456789abcdef", {4u << 20, 2, 1}));
  const std::string good = *argon2id_hash("p", "0123456789abcdef", {64, 1, 1});
  for (std::size_t cut = 0; cut + 1 < good.size(); ++cut) {
    const auto verified = argon2_verify(std::string_view(good).substr(0, cut), "p");
    CHECK((!verified || !*verified));
  }
  for (const auto* bad : {"", "$", "$argon2id$v=19$m=4294967295,t=4294967295,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
                          "$argon2id$v=19$m=64,t=1,p=1,x=2$MDEyMzQ1Njc4OWFiY2RlZg$AAAA", "$6$abc$def", "plain"}) {
    CHECK(argon2_verify(bad, "p").error().kind == Failure::Kind::corrupt);
  }
}

TEST_RFC("5802 §5", "SCRAM-SHA-1: the example exchange") {
  const std::string salt = *from_base64("QSXCR+Q6sek8bf92");
  const std::string auth =
      "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
  const std::string salted = scram_salted_password(ScramHash::sha1, "pencil", salt, 4096);
  const ScramKeys keys = scram_keys(ScramHash::sha1, salted);
  const std::string proof = scram_client_proof(ScramHash::sha1, salted, auth);
  CHECK(to_base64(proof) == "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
  CHECK(scram_verify_proof(ScramHash::sha1, keys.stored_key, auth, proof));
  CHECK(to_base64(scram_server_signature(ScramHash::sha1, keys.server_key, auth)) == "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

TEST_RFC("7677 §3", "SCRAM-SHA-256: the example exchange, and proofs that are not it") {
  const std::string salt = *from_base64("W22ZaJ0SNY7soEsUEjb6gQ==");
  const std::string auth =
      "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const std::string salted = scram_salted_password(ScramHash::sha256, "pencil", salt, 4096);
  const ScramKeys keys = scram_keys(ScramHash::sha256, "pencil", salt, 4096);
  std::string proof = scram_client_proof(ScramHash::sha256, salted, auth);
  CHECK(to_base64(proof) == "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  CHECK(scram_verify_proof(ScramHash::sha256, keys.stored_key, auth, proof));
  CHECK(to_base64(scram_server_signature(ScramHash::sha256, keys.server_key, auth)) ==
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  CHECK(!scram_verify_proof(ScramHash::sha256, keys.stored_key, auth + "x", proof));
  CHECK(!scram_verify_proof(ScramHash::sha256, keys.stored_key, auth, Bytes(proof).substr(1)));
  proof[0] = static_cast<char>(proof[0] ^ 1);
  CHECK(!scram_verify_proof(ScramHash::sha256, keys.stored_key, auth, proof));
}
