// Showing a dialogue between two programs while it happens: each line with its explanation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "cli/lessons.hpp"
#include "dns/resolver.hpp"
#include "world/network.hpp"

namespace facteur::cli {

// Takes octets as they pass, shows whole lines: ">>> " from the client, "<<< " from the server.
class Dialogue {
 public:
  Dialogue(observe::Language language, Lesson::Speech speech) : language_(language), speech_(speech) {}

  void client_says(Bytes octets) { take(octets, true); }
  void server_says(Bytes octets) { take(octets, false); }

 private:
  void take(Bytes octets, bool client);
  void line(std::string_view line, bool client);
  void letter_line(std::string_view line, bool client);

  observe::Language language_;
  Lesson::Speech speech_;
  std::string pending_[2];    // Of server and client: the beginning of a line.
  bool letter_ = false;       // Inside a message.
  bool letter_body_ = false;  // Behind its header.
  bool retrieving_ = false;   // POP3: the next +OK begins a message.
};

// A network that shows what is said over connections it makes to `port`.
class ShowingNetwork : public world::Network {
 public:
  ShowingNetwork(world::Network& below, std::uint16_t port, observe::Language language,
                 std::function<void(const Endpoint&)> connecting)
      : below_(below), port_(port), language_(language), connecting_(std::move(connecting)) {}

  Result<std::unique_ptr<world::Listener>> listen(const Endpoint& endpoint) override { return below_.listen(endpoint); }
  Result<std::unique_ptr<world::Listener>> listen_local(const std::string& path) override {
    return below_.listen_local(path);
  }
  Task<Result<std::unique_ptr<world::Stream>>> connect(const Endpoint& endpoint, Instant deadline,
                                                       const IpAddress* source) override;

 private:
  world::Network& below_;
  std::uint16_t port_;
  observe::Language language_;
  std::function<void(const Endpoint&)> connecting_;
};

// A stream whose two directions are shown.
std::unique_ptr<world::Stream> show(std::unique_ptr<world::Stream> stream, std::shared_ptr<Dialogue> dialogue);

// A resolver that tells what was asked and answered.
class TellingResolver : public dns::Resolver {
 public:
  TellingResolver(dns::Resolver& below, std::function<void(std::string question, std::string answer)> tell)
      : below_(below), tell_(std::move(tell)) {}

  Task<Result<dns::MxAnswer>> mx(std::string domain, Instant deadline) override;
  Task<Result<dns::AddressAnswer>> addresses(std::string host, Instant deadline) override;
  Task<Result<dns::TextAnswer>> text(std::string name, Instant deadline) override {
    return below_.text(std::move(name), deadline);
  }
  Task<Result<dns::NameAnswer>> pointers(IpAddress address, Instant deadline) override {
    return below_.pointers(address, deadline);
  }
  Task<Result<dns::TlsaAnswer>> tlsa(std::string name, Instant deadline) override {
    return below_.tlsa(std::move(name), deadline);
  }

 private:
  dns::Resolver& below_;
  std::function<void(std::string, std::string)> tell_;
};

}  // namespace facteur::cli
