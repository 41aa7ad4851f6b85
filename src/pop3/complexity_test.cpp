// RELIABILITY G8: what a client sends costs in proportion to its octets, and so does what it is sent.
#include <algorithm>
#include <array>
#include <memory>
#include <variant>
#include <vector>

#include "growth_test.hpp"
#include "pop3/content_writer.hpp"
#include "pop3/server_session.hpp"
#include "rfc_test.hpp"

namespace facteur::pop3 {
namespace {

using hostile::Input;
using hostile::repeated;
using hostile::under;

class Drop : public Maildrop {
 public:
  explicit Drop(std::size_t messages) : messages_(messages) {}
  std::size_t count() const override { return messages_; }
  std::uint64_t octets() const override { return 15 * messages_; }
  std::uint64_t size(std::size_t) const override { return 15; }
  std::uint64_t unique(std::size_t index) const override { return index + 1; }

 private:
  std::size_t messages_;
};

struct Driver {
  ServerSession session;
  std::size_t messages;
  std::string content = "A: b\r\n\r\n.\r\n.x";

  explicit Driver(std::size_t held) : session(parameters(), Instant{0}), messages(held) {}
  static ServerParameters parameters() {
    ServerParameters p;
    p.plaintext_login = true;
    p.nonce_seed = "0123456789abcdef";
    return p;
  }
  void act(const Authenticate&) { session.logged_in(); }
  void act(const FetchVerifier&) { session.verifier(std::nullopt); }
  void act(const CheckApop&) { session.logged_in(); }
  void act(const OpenMaildrop&) { session.opened(std::make_shared<Drop>(messages)); }
  void act(const FetchMessage&) { session.message({content}); }
  void act(const Update&) { session.updated(true); }
  void act(const Send&) { session.sent(Instant{0}); }
  void act(const ForgetMessage&) {}
  void act(const StartTls&) { session.tls_started(Instant{0}); }
  void act(const Close&) {}
  void give(Bytes text) {
    while (!session.closed()) {
      while (auto action = session.next()) std::visit([&](const auto& a) { act(a); }, *action);
      if (text.empty() || session.closed()) return;
      const Room room = session.room();
      const std::size_t count = std::min(room.size(), text.size());
      std::copy_n(text.data(), count, room.data());
      text.remove_prefix(count);
      session.received(count, Instant{0});
    }
  }
};

const std::array<Input, 8> sessions{{
    {"NOOPs", [](std::size_t n) { return repeated("NOOP\r\n", n); }},
    {"a line without end", [](std::size_t n) { return repeated("x", n); }},
    {"DELE of each",
     [](std::size_t n) {
       std::string all;
       for (std::size_t i = 1; all.size() < n; ++i) all += "DELE " + std::to_string(i) + "\r\n";
       return all;
     }},
    {"DELE and RSET", [](std::size_t n) { return repeated("DELE 1\r\nRSET\r\n", n); }},
    {"RETR in one go", [](std::size_t n) { return repeated("RETR 1\r\n", n); }},
    {"TOP in one go", [](std::size_t n) { return repeated("TOP 1 1000000\r\n", n); }},
    {"STAT behind DELEs",
     [](std::size_t n) {
       std::string all;
       for (std::size_t i = 1; all.size() < n; ++i) all += "DELE " + std::to_string(i) + "\r\nSTAT\r\n";
       return all + "QUIT\r\n";
     }},
    {"numbers", [](std::size_t n) { return repeated("LIST 77\r\nUIDL 77\r\n", n); }},
}};

TEST_CASE("a hostile session costs in proportion to its octets") {
  const auto read = [](const std::string& text) {
    Driver driver(100'000);
    driver.give("USER anne\r\nPASS secret\r\n");
    driver.give(text);
  };
  for (const auto& input : sessions) growth::check(input, 200'000, read);
}

TEST_RFC("1939 §3", "sending a message costs in proportion to its octets") {
  const auto read = [](const std::string& text) {
    Driver driver(1);
    driver.content = text;
    driver.give("USER anne\r\nPASS secret\r\nRETR 1\r\nTOP 1 100000000\r\n");
  };
  const std::array<Input, 6> contents{{
      {"dots", [](std::size_t n) { return repeated(".\r\n", n); }},
      {"dots in a row", [](std::size_t n) { return repeated(".", n); }},
      {"carriage returns", [](std::size_t n) { return repeated("\r", n); }},
      {"line feeds", [](std::size_t n) { return repeated("\n", n); }},
      {"one line", [](std::size_t n) { return repeated("x", n); }},
      {"blank lines", [](std::size_t n) { return repeated("\r\n", n); }},
  }};
  for (const auto& input : contents) growth::check(input, 300'000, read);
}

TEST_RFC("1939 §5", "LIST and UIDL of twice the messages cost twice") {
  const auto read = [](const std::string& text) {
    Driver driver(text.size());
    driver.give("USER anne\r\nPASS secret\r\nLIST\r\nUIDL\r\n");
  };
  growth::check({"messages", [](std::size_t n) { return std::string(n, 'x'); }}, 20'000, read);
}

}  // namespace
}  // namespace facteur::pop3
