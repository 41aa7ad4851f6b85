// A server session under test: octets in, replies and questions out, with answers that can be set.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "smtp/server_session.hpp"

namespace facteur::smtp::test {

inline constexpr Instant start{1'000'000'000};

inline ServerParameters exchanger() {
  ServerParameters p;
  p.hostname = "mx.example.org";
  p.starttls = true;
  p.random = "0123456789abcdef";
  return p;
}

inline ServerParameters submission(bool tls = true) {
  ServerParameters p = exchanger();
  p.tls = tls;
  p.authentication_required = true;
  p.mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login, sasl::Mechanism::scram_sha_256};
  return p;
}

class TestServer {
 public:
  explicit TestServer(ServerParameters parameters, std::vector<std::size_t> cuts = {1 << 20})
      : session(std::move(parameters), start), cuts_(std::move(cuts)) {
    pump();
  }

  // Gives octets as they would come in segments; what came out since the last call.
  std::string say(std::string_view octets) {
    while (!octets.empty() && !session.closed()) {
      const Room room = session.room();
      const std::size_t count = std::min({octets.size(), room.size(), cuts_[turn_++ % cuts_.size()]});
      std::copy_n(octets.data(), count, room.data());
      octets.remove_prefix(count);
      session.received(count, now);
      pump();
    }
    return take();
  }
  std::string take() { return std::exchange(out_, {}); }

  // The codes of the replies in `text`, multi-line ones once: "250 354".
  static std::string codes(std::string_view text) {
    std::string codes;
    while (!text.empty()) {
      const auto end = text.find("\r\n");
      if (text.size() > 3 && text[3] == ' ') codes.append(codes.empty() ? "" : " ").append(text.substr(0, 3));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    }
    return codes;
  }
  std::string code(std::string_view octets) { return codes(say(octets)); }

  void pump() {
    while (auto action = session.next()) {
      if (auto* question = std::get_if<Question>(&*action)) {
        answer(*question);
      } else if (auto* send = std::get_if<Send>(&*action)) {
        out_ += send->replies;
      } else if (std::holds_alternative<StartTls>(*action)) {
        log += "TLS;";
        if (auto_tls) session.tls_started({.protocol = "TLSv1.3", .cipher = "x", .peer_name = ""});
      } else if (std::holds_alternative<ForgetMail>(*action)) {
        log += "FORGET;";
        content.clear();
      } else {
        log += "CLOSE;";
      }
    }
  }

  ServerSession session;
  Instant now = start;
  bool auto_tls = true;
  std::string log;      // What was asked and ordered, in order.
  std::string content;  // Of the message under way.
  std::vector<std::string> messages;
  std::function<std::optional<Reply>(const Question&)> override;  // nullopt: the default answer.
  std::vector<Reply> lmtp_replies;                                // Answer to AcceptContent, if not empty.

 private:
  void answer(const Question& question) {
    if (override) {
      if (auto reply = override(question)) return session.answer(*reply);
    }
    if (const auto* greeted = std::get_if<Greeted>(&question)) {
      log += (greeted->extended ? "EHLO " : "HELO ") + greeted->name + ";";
    } else if (const auto* login = std::get_if<Authenticate>(&question)) {
      const auto& c = login->credentials;
      log += "AUTH " + c.login + ";";
      const bool good = c.proof == sasl::Credentials::Proof::proven ||
                        (c.proof == sasl::Credentials::Proof::password && c.password == "secret");
      return session.answer(Reply{good ? 235 : 535, good ? "2.7.0" : "5.7.8", good ? "" : "Wrong"});
    } else if (std::holds_alternative<FetchVerifier>(question)) {
      return session.verifier(
          sasl::make_scram_verifier(sasl::Mechanism::scram_sha_256, "secret", "0123456789abcdef", 4096));
    } else if (const auto* sender = std::get_if<AcceptSender>(&question)) {
      log += "MAIL " + (sender->sender ? sender->sender->text() : "<>") + ";";
    } else if (const auto* recipient = std::get_if<AcceptRecipient>(&question)) {
      log += "RCPT " + recipient->recipient.text() + ";";
      if (recipient->recipient.local == "unknown") return session.answer(Reply{550, "5.1.1", "Nobody"});
    } else if (const auto* append = std::get_if<AppendContent>(&question)) {
      content += append->content;
    } else if (std::holds_alternative<AcceptContent>(question)) {
      log += "ACCEPT;";
      messages.push_back(std::exchange(content, {}));
      if (!lmtp_replies.empty()) return session.answer(lmtp_replies);
    }
    session.answer(Reply{});
  }

  std::string out_;
  std::vector<std::size_t> cuts_;
  std::size_t turn_ = 0;
};

// A session that is as far as "RCPT TO" (or less).
inline void greet(TestServer& server) { server.say("EHLO client.example\r\n"); }
inline void envelope(TestServer& server) {
  greet(server);
  server.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n");
}

}  // namespace facteur::smtp::test
