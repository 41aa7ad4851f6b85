// Any octets from a client, in segments the input chooses: the session asks, answers and ends; what it holds stays
// within its limits.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "imap/server_session.hpp"

namespace facteur::imap {
namespace {

struct Driver {
  ServerSession session;
  std::uint8_t choices;
  std::size_t sent = 0;

  explicit Driver(std::uint8_t c) : session(parameters(c), Instant{1}), choices(c) {}

  static ServerParameters parameters(std::uint8_t choices) {
    ServerParameters p;
    p.hostname = "mx.example.org";
    p.plaintext_login = (choices & 1) != 0;
    p.starttls = (choices & 2) != 0;
    p.nonce_seed = "0123456789abcdef";
    p.mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login, sasl::Mechanism::scram_sha_256};
    return p;
  }
  void on(const Execute& execute) {
    Outcome outcome;
    if (std::holds_alternative<SelectCommand>(execute.command->body)) outcome.move = Outcome::Move::select;
    if (std::holds_alternative<CloseCommand>(execute.command->body)) outcome.move = Outcome::Move::unselect;
    session.executed(outcome);
  }
  void on(const FetchVerifier&) { session.verifier(std::nullopt); }
  void on(const Authenticate&) {
    if ((choices & 4) != 0) {
      session.login_refused((choices & 8) != 0, "no");
    } else {
      session.logged_in();
    }
  }
  void on(const BeginAppend&) {
    if ((choices & 16) != 0) {
      session.append_refused("TRYCREATE", "no");
    } else {
      session.append_accepted();
    }
  }
  void on(const AppendContent&) {
    if ((choices & 32) != 0) {
      session.append_refused("UNAVAILABLE", "no");
    } else {
      session.content_taken();
    }
  }
  void on(const Announce&) { session.announced(); }
  void on(const Send&) {
    for (const auto piece : session.responses().pieces()) sent += piece.size();
    if (session.responses().text().size() > 2 * ResponseWriter::enough_text) __builtin_trap();
    session.sent();
  }
  void on(const StartTls&) { session.tls_started(Instant{2}); }
  void on(const AbandonAppend&) {}
  void on(const Close&) {}

  void run() {
    while (auto action = session.next()) {
      std::visit([this](const auto& what) { on(what); }, *action);
    }
  }
};

}  // namespace
}  // namespace facteur::imap

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  using namespace facteur;
  if (size < 2) return 0;
  imap::Driver driver(octets[0]);
  const std::size_t segment = 1 + octets[1];
  Bytes rest(reinterpret_cast<const char*>(octets) + 2, size - 2);
  driver.run();
  while (!rest.empty() && !driver.session.closed()) {
    const auto room = driver.session.room();
    if (room.empty() || room.size() > 256 * 1024) __builtin_trap();
    const auto count = std::min({segment, rest.size(), room.size()});
    std::copy_n(rest.begin(), count, room.begin());
    rest.remove_prefix(count);
    driver.session.received(count, Instant{1});
    driver.session.news();
    driver.run();
  }
  driver.session.expired(Instant{1'000'000'000'000'000});
  driver.run();
  return 0;
}
