// One connection to another server: drives smtp::ClientSession over a stream.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/ip_address.hpp"
#include "delivery/delivery.hpp"
#include "smtp/client_session.hpp"
#include "tls/stream.hpp"

namespace facteur::delivery {

class SmtpConnection {
 public:
  struct Peer {
    std::string host;  // For TLS (SNI, verification) and the record.
    Endpoint endpoint;
    smtp::ClientParameters session;
    std::shared_ptr<const crypto::TlsClientContext> tls;
    bool implicit_tls = false;
  };

  // Connects and says hello; ready for send() when it succeeds. If TLS was offered, is only opportunistic, and fails,
  // connects again without it (RFC 7435). `permanent` only if the peer itself refused for good.
  static Task<Result<std::unique_ptr<SmtpConnection>>> open(const Surroundings& surroundings,
                                                            const Parameters& parameters, Peer peer);

  // One transaction. Results for each recipient, whatever happens; afterwards usable() says if another may follow.
  Task<smtp::TransactionResult> send(smtp::Transaction transaction);
  Task<void> quit();

  bool usable() const { return ready_; }
  bool encrypted() const { return encrypted_; }
  const smtp::Extensions& extensions() const { return session_.extensions(); }
  std::string name() const;      // "mx.example.org [192.0.2.1]"
  std::size_t transactions = 0;  // So far.

 private:
  SmtpConnection(const Surroundings& surroundings, Peer peer, std::unique_ptr<world::Stream> stream);

  static Task<Result<std::unique_ptr<SmtpConnection>>> open_once(const Surroundings& surroundings,
                                                                 const Parameters& parameters, Peer peer,
                                                                 bool& tls_failed);
  // Goes on until the session is ready, has a result, or is over.
  Task<void> advance();
  Task<void> carry_out(smtp::ClientAction action);
  Task<void> read_more();
  Task<void> start_tls();

  const Surroundings& world_;
  Peer peer_;
  std::unique_ptr<world::Stream> stream_;
  smtp::ClientSession session_;
  bool ready_ = false;
  bool over_ = false;
  bool encrypted_ = false;
  bool tls_failed_ = false;
  std::optional<smtp::TransactionResult> result_;
  std::optional<smtp::Failed> failed_;
};

}  // namespace facteur::delivery
