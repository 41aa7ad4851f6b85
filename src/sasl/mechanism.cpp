#include "sasl/mechanism.hpp"

#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "crypto/hash.hpp"
#include "crypto/scram.hpp"

namespace facteur::sasl {
namespace {

constexpr std::array<std::pair<Mechanism, std::string_view>, 7> names{{{Mechanism::plain, "PLAIN"},
                                                                       {Mechanism::login, "LOGIN"},
                                                                       {Mechanism::cram_md5, "CRAM-MD5"},
                                                                       {Mechanism::scram_sha_1, "SCRAM-SHA-1"},
                                                                       {Mechanism::scram_sha_256, "SCRAM-SHA-256"},
                                                                       {Mechanism::external, "EXTERNAL"},
                                                                       {Mechanism::oauthbearer, "OAUTHBEARER"}}};

}  // namespace

std::string_view name(Mechanism mechanism) {
  for (const auto& [value, text] : names) {
    if (value == mechanism) return text;
  }
  return "";
}

std::optional<Mechanism> parse_mechanism(std::string_view text) {
  for (const auto& [value, known] : names) {
    if (ascii::equal_ignoring_case(text, known)) return value;
  }
  return std::nullopt;
}

Credentials::~Credentials() { crypto::wipe(password); }

Verifier make_scram_verifier(Mechanism mechanism, std::string_view password, std::string_view salt,
                             std::uint32_t iterations) {
  const auto hash = mechanism == Mechanism::scram_sha_1 ? crypto::ScramHash::sha1 : crypto::ScramHash::sha256;
  auto keys = crypto::scram_keys(hash, password, salt, iterations);
  return Verifier{.salt = std::string(salt),
                  .iterations = iterations,
                  .stored_key = std::move(keys.stored_key),
                  .server_key = std::move(keys.server_key),
                  .secret = {}};
}

}  // namespace facteur::sasl
