// Any octets from a server: no crash, each recipient gets one result, and the session ends.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "smtp/client_session.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur;
  using namespace facteur::smtp;
  if (count < 2) return 0;
  ClientParameters p;
  p.hostname = "c";
  p.random = "0123456789abcdef";
  p.lmtp = (bytes[0] & 1) != 0;
  p.tls = static_cast<ClientParameters::Tls>((bytes[0] >> 1) % 3);
  if ((bytes[0] & 8) != 0) p.login = p.password = "x";
  p.plaintext_login = true;
  ClientSession session(std::move(p), Instant{1});
  int begun = 0, finished = 0;
  const auto pump = [&] {
    while (auto action = session.next(Instant{1})) {
      if (std::holds_alternative<StartTls>(*action)) session.tls_started({}, Instant{1});
      if (std::holds_alternative<Ready>(*action)) {
        if (begun == 2) {
          session.quit(Instant{1});
          continue;
        }
        ++begun;
        Transaction t;
        t.recipients = {{*message::Address::parse("a@b.example"), {}}, {*message::Address::parse("c@d.example"), {}}};
        t.content = {".x\r\n", "\r\n", "y"};
        session.begin(std::move(t), Instant{1});
      }
      if (const auto* result = std::get_if<Finished>(&*action)) {
        ++finished;
        if (result->result.recipients.size() != 2) std::abort();
      }
    }
  };
  pump();
  std::string_view octets(reinterpret_cast<const char*>(bytes) + 2, count - 2);
  while (!octets.empty() && !session.closed()) {
    const Room room = session.room();
    const std::size_t size = std::min({octets.size(), room.size(), std::size_t{1} + bytes[1]});
    std::copy_n(octets.data(), size, room.data());
    octets.remove_prefix(size);
    session.received(size, Instant{1});
    pump();
  }
  session.ended();
  pump();
  if (!session.closed() || begun != finished) std::abort();
  return 0;
}
