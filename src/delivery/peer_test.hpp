// Another mail server for tests: the product's own SMTP engine behind answers that a test chooses.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/world.hpp"
#include "smtp/server_session.hpp"

namespace facteur::delivery {

class Peer {
 public:
  struct Message {
    std::string sender;
    std::vector<std::string> recipients;
    std::string content;
    Instant when;
  };

  Peer(sim::World& world, IpAddress address, std::uint16_t port = 25, bool lmtp = false)
      : machine(world, {.addresses = {address}, .shards = 1}), port_(port), lmtp_(lmtp) {
    tasks_.start(listen());
  }
  // A crash in reverse order of what stands on it.
  ~Peer() { machine.halt(); }

  std::function<smtp::Reply()> accept_client = [] { return smtp::Reply{220, "", ""}; };
  std::function<smtp::Reply(const std::string&)> accept_recipient = [](const std::string&) {
    return smtp::Reply{250, "2.1.5", ""};
  };
  std::function<smtp::Reply(const Message&)> accept_content = [](const Message&) {
    return smtp::Reply{250, "2.0.0", ""};
  };
  bool drop_after_content = false;  // Takes the message, and dies before it says so.

  std::size_t most_messages = 1000;  // Of a connection: at the next one's sender, it is closed without a word.

  std::vector<std::string> hidden;  // Extensions that EHLO does not offer; not the last one of the list.

  std::vector<Message> messages;  // Taken.
  std::size_t connections = 0;
  std::size_t open = 0;
  std::size_t most_open = 0;

  sim::Machine machine;

 private:
  Task<void> listen() {
    auto listener = machine.network.listen({IpAddress::v4(0, 0, 0, 0), port_});
    if (!listener) throw Bug("the peer cannot listen");
    for (;;) {
      auto stream = co_await (*listener)->accept();
      if (!stream) co_return;
      ++connections;
      sessions_.start(serve(std::move(*stream)));
    }
  }

  Task<void> serve(std::unique_ptr<world::Stream> stream) {
    most_open = std::max(most_open, ++open);
    smtp::ServerParameters parameters;
    parameters.hostname = "peer.example";
    parameters.lmtp = lmtp_;
    smtp::ServerSession session(parameters, machine.clock.now());
    Message message;
    std::size_t begun = 0;
    bool alive = true;
    while (alive && !session.closed()) {
      while (alive) {
        auto action = session.next();
        if (!action) break;
        if (auto* question = std::get_if<smtp::Question>(&*action)) {
          if (std::holds_alternative<smtp::AcceptSender>(*question) && ++begun > most_messages) {
            alive = false;
            break;
          }
          alive = answer(session, *question, message);
        } else if (auto* send = std::get_if<smtp::Send>(&*action)) {
          const std::string replies = without_hidden(std::string(send->replies));
          auto sent = co_await stream->write(replies, session.deadline());
          if (!sent) session.ended();
        } else if (std::holds_alternative<smtp::ForgetMail>(*action)) {
          message = {};
        } else {
          stream->close();
        }
      }
      if (!alive || session.closed()) break;
      auto ready = co_await stream->readable(session.deadline());
      auto room = session.room();
      auto count = ready ? co_await stream->read(room, session.deadline()) : Result<std::size_t>(0);
      if (count && *count > 0)
        session.received(*count, machine.clock.now());
      else
        session.ended();
    }
    --open;
  }

  std::string without_hidden(std::string replies) const {
    for (const auto& name : hidden) {
      const std::string line = "250-" + name + "\r\n";
      const std::size_t at = replies.find(line);
      if (at != std::string::npos) replies.erase(at, line.size());
    }
    return replies;
  }

  bool answer(smtp::ServerSession& session, const smtp::Question& question, Message& message) {
    if (std::holds_alternative<smtp::AcceptClient>(question)) {
      session.answer(accept_client());
    } else if (auto* sender = std::get_if<smtp::AcceptSender>(&question)) {
      message = {};
      if (sender->sender) message.sender = sender->sender->text();
      session.answer(smtp::Reply{250, "2.1.0", ""});
    } else if (auto* recipient = std::get_if<smtp::AcceptRecipient>(&question)) {
      const auto reply = accept_recipient(recipient->recipient.text());
      if (reply.positive()) message.recipients.push_back(recipient->recipient.text());
      session.answer(reply);
    } else if (auto* content = std::get_if<smtp::AppendContent>(&question)) {
      message.content += content->content;
      session.answer(smtp::Reply{250, "", ""});
    } else if (std::holds_alternative<smtp::AcceptContent>(question)) {
      message.when = machine.clock.now();
      const auto reply = accept_content(message);
      const std::vector<smtp::Reply> replies(message.recipients.size(), reply);
      if (reply.positive()) messages.push_back(std::move(message));
      message = {};
      if (drop_after_content) return false;
      if (lmtp_)
        session.answer(replies);
      else
        session.answer(reply);
    } else {
      session.answer(smtp::Reply{250, "", ""});
    }
    return true;
  }

  std::uint16_t port_;
  bool lmtp_;
  TaskGroup sessions_;
  TaskGroup tasks_;
};

}  // namespace facteur::delivery
