// Any octets, cut anywhere, are answered; the session ends or waits; the same octets uncut give the same replies.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "pop3/server_session.hpp"

namespace {

using namespace facteur;
using namespace facteur::pop3;

class TwoMessages : public Maildrop {
 public:
  std::size_t count() const override { return 2; }
  std::uint64_t octets() const override { return 30; }
  std::uint64_t size(std::size_t) const override { return 15; }
  std::uint64_t unique(std::size_t index) const override { return index + 1; }
};

struct Replies {
  ServerSession session;
  std::string said;

  static ServerParameters parameters() {
    ServerParameters p;
    p.plaintext_login = p.stls = true;
    p.mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::scram_sha_256, sasl::Mechanism::login};
    p.nonce_seed = "0123456789abcdef";
    p.apop_challenge = "<1@x>";
    return p;
  }
  Replies() : session(parameters(), Instant{0}) {}

  void act(const Authenticate& q) { q.credentials.login == "no" ? session.login_refused(false) : session.logged_in(); }
  void act(const FetchVerifier&) { session.verifier(std::nullopt); }
  void act(const CheckApop&) { session.logged_in(); }
  void act(const OpenMaildrop&) { session.opened(std::make_shared<TwoMessages>()); }
  void act(const FetchMessage&) { session.message({"A: b\r\n\r\n", ".\r", "\n.x"}); }
  void act(const Update&) { session.updated(true); }
  void act(const Send& send) {
    for (const Bytes piece : send.pieces) said += piece;
    session.sent(Instant{0});
  }
  void act(const ForgetMessage&) {}
  void act(const StartTls&) { session.tls_started(Instant{0}); }
  void act(const Close&) {}

  void give(std::string_view text, std::size_t cut) {
    while (!session.closed()) {
      while (auto action = session.next()) std::visit([&](const auto& a) { act(a); }, *action);
      if (text.empty() || session.closed()) break;
      const Room room = session.room();
      const std::size_t count = std::min({room.size(), text.size(), cut});
      std::copy_n(text.data(), count, room.data());
      text.remove_prefix(count);
      session.received(count, Instant{0});
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  Replies whole;
  whole.give(text, SIZE_MAX);
  Replies cut;
  cut.give(text, count > 0 ? 1 + bytes[0] % 7u : 1);
  // What is forgotten behind STLS depends on how the octets came.
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  if (upper.find("STLS") == std::string::npos && whole.said != cut.said) std::abort();
  return 0;
}
