// Any octets in any segmentation: no crash, bounded memory, and a session that always ends; what was asked stays in
// order (no content without a sender and a recipient).
#include <algorithm>
#include <cstdlib>
#include <string>

#include "smtp/server_session.hpp"

namespace {

using namespace facteur;
using namespace facteur::smtp;

class Peer {
 public:
  explicit Peer(std::uint8_t kind) : session_(parameters(kind), Instant{1}) { pump(); }

  void feed(std::string_view octets, std::size_t cut) {
    while (!octets.empty() && !session_.closed()) {
      const Room room = session_.room();
      if (room.empty() || room.size() > 64 * 1024) std::abort();
      const std::size_t count = std::min({octets.size(), room.size(), cut});
      std::copy_n(octets.data(), count, room.data());
      octets.remove_prefix(count);
      session_.received(count, Instant{2});
      pump();
    }
  }
  void end(bool expired) {
    for (int i = 0; i < 3 && !session_.closed(); ++i) {
      if (expired) {
        session_.expired(session_.deadline());
      } else {
        session_.ended();
      }
      pump();
    }
    if (!session_.closed() || (mail_ && !forgotten_)) std::abort();
  }

 private:
  static ServerParameters parameters(std::uint8_t kind) {
    ServerParameters p;
    p.hostname = "mx";
    p.random = "0123456789abcdef";
    p.lmtp = (kind & 1) != 0;
    p.starttls = (kind & 2) != 0;
    p.tls = (kind & 4) != 0;
    if ((kind & 8) != 0) {
      p.authentication_required = true;
      p.plaintext_login = true;
      p.mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login, sasl::Mechanism::cram_md5,
                      sasl::Mechanism::scram_sha_256};
    }
    p.message_size = 5000;
    p.recipients = 3;
    return p;
  }

  void pump() {
    while (auto action = session_.next()) {
      if (auto* question = std::get_if<Question>(&*action)) {
        answer(*question);
      } else if (const auto* send = std::get_if<Send>(&*action)) {
        if (send->replies.empty() || send->replies.size() > 64 * 1024 || !send->replies.ends_with("\r\n")) std::abort();
      } else if (std::holds_alternative<StartTls>(*action)) {
        session_.tls_started({});
      } else if (std::holds_alternative<ForgetMail>(*action)) {
        forgotten_ = true;
        recipients_ = 0;
      }
    }
  }

  void answer(const Question& question) {
    if (std::holds_alternative<FetchVerifier>(question)) {
      sasl::Verifier verifier;
      verifier.secret = "secret";
      return session_.verifier(verifier);
    }
    if (std::holds_alternative<Authenticate>(question)) return session_.answer(Reply{235, "", ""});
    if (std::holds_alternative<AcceptSender>(question)) {
      mail_ = true;
      forgotten_ = false;
      recipients_ = 0;
    }
    if (std::holds_alternative<AcceptRecipient>(question)) {
      if (!mail_ || forgotten_) std::abort();
      ++recipients_;
    }
    if (const auto* append = std::get_if<AppendContent>(&question)) {
      if (!mail_ || forgotten_ || recipients_ == 0 || append->content.empty()) std::abort();
      if (append->content.contains('\0')) std::abort();
    }
    if (std::holds_alternative<AcceptContent>(question)) {
      if (!mail_ || forgotten_ || recipients_ == 0) std::abort();
      mail_ = false;
    }
    session_.answer(Reply{});
  }

  ServerSession session_;
  bool mail_ = false, forgotten_ = false;
  int recipients_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  if (count < 2) return 0;
  Peer peer(bytes[0]);
  const std::string_view octets(reinterpret_cast<const char*>(bytes) + 2, count - 2);
  peer.feed(octets, 1 + bytes[1] % 64U * 17U);
  peer.end((bytes[1] & 64) != 0);
  return 0;
}
