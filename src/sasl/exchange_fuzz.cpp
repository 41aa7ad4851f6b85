// Any octets as one side of an exchange, the other side being ours: it ends, in few steps, and only who knows the
// password gets in.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sasl/client.hpp"
#include "sasl/scram_message.hpp"
#include "sasl/server.hpp"

using namespace facteur;
using namespace facteur::sasl;

namespace {

constexpr std::string_view password = "eraser";

// The input as a sequence: each piece behind an octet that says its length.
class Pieces {
 public:
  explicit Pieces(Bytes octets) : left_(octets) {}
  Bytes next() {
    if (left_.empty()) return {};
    const auto length = std::min<std::size_t>(static_cast<unsigned char>(left_[0]), left_.size() - 1);
    const Bytes piece = left_.substr(1, length);
    left_.remove_prefix(1 + length);
    return piece;
  }

 private:
  Bytes left_;
};

const Verifier& known(Mechanism mechanism) {
  static const auto made = [](Mechanism kind) { return make_scram_verifier(kind, password, "0123456789abcdef", 4096); };
  static const Verifier sha1 = made(Mechanism::scram_sha_1), sha256 = made(Mechanism::scram_sha_256);
  static const Verifier shared = [] {
    Verifier verifier;
    verifier.secret = password;
    return verifier;
  }();
  if (mechanism == Mechanism::cram_md5) return shared;
  return mechanism == Mechanism::scram_sha_1 ? sha1 : sha256;
}

void try_server(Mechanism mechanism, std::uint8_t kind, Bytes octets) {
  Pieces pieces(octets);
  ServerExchange exchange({"mx.example.org", "0123456789"});
  bool proven = false;
  auto step = (kind & 1) != 0 ? exchange.start(mechanism, pieces.next()) : exchange.start(mechanism, std::nullopt);
  for (int steps = 0; !std::holds_alternative<Done>(step); ++steps) {
    if (steps == 8) std::abort();
    if (std::holds_alternative<Challenge>(step)) {
      step = exchange.response(pieces.next());
    } else if (const auto* fetch = std::get_if<FetchVerifier>(&step)) {
      if (fetch->mechanism != mechanism || fetch->login.contains('\0')) std::abort();
      step = (kind & 2) != 0 ? exchange.verifier(known(mechanism)) : exchange.verifier(std::nullopt);
    } else {
      const auto& shown = std::get<CheckCredentials>(step).credentials;
      using Proof = Credentials::Proof;
      proven = shown.proof == Proof::proven || (shown.proof == Proof::password && shown.password == password);
      // SCRAM and CRAM-MD5 from octets of chance cannot prove anything to a server that knows no such user.
      if (shown.proof == Proof::proven && mechanism != Mechanism::external && (kind & 2) == 0) std::abort();
      step = exchange.checked(proven);
    }
  }
  const auto& done = std::get<Done>(step);
  if (done.accepted && (!proven || done.malformed)) std::abort();
}

void try_client(Mechanism mechanism, Bytes octets) {
  Pieces pieces(octets);
  ClientExchange exchange(mechanism, {"user", std::string(password), "", "fyko+d2lbbFgONRv9qkxdawL"});
  static_cast<void>(exchange.initial());
  bool answered = false;
  for (int i = 0; i < 4; ++i) {
    const auto answer = exchange.answer(pieces.next());
    if (!answer) break;
    if (shows_password(mechanism)) continue;
    answered = true;
    if (answer->contains(password)) std::abort();  // Nothing a server says makes these show the password.
  }
  // RFC 5802 §7: whoever does not know the password cannot prove to be the server.
  if (answered && exchange.complete() && mechanism != Mechanism::cram_md5) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  constexpr Mechanism mechanisms[] = {Mechanism::plain,       Mechanism::login,         Mechanism::cram_md5,
                                      Mechanism::scram_sha_1, Mechanism::scram_sha_256, Mechanism::external,
                                      Mechanism::oauthbearer};
  const auto mechanism = mechanisms[data[0] % std::size(mechanisms)];
  const auto kind = static_cast<std::uint8_t>(data[0] / std::size(mechanisms));
  const Bytes octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((kind & 4) != 0) {
    if (mechanism != Mechanism::external && mechanism != Mechanism::oauthbearer) try_client(mechanism, octets);
  } else {
    try_server(mechanism, kind, octets);
  }
  static_cast<void>(parse_client_first(octets));
  static_cast<void>(parse_client_final(octets));
  static_cast<void>(parse_server_first(octets));
  static_cast<void>(parse_mechanism(octets));
  if (const auto decoded = decode_name(octets); decoded && decode_name(encode_name(*decoded)) != decoded) std::abort();
  return 0;
}
