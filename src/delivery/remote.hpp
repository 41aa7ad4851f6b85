// Mail to another server: find_route -> connect -> converse -> conclude, over one connection that may serve several
// messages.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/delivery.hpp"
#include "delivery/outcome.hpp"
#include "delivery/smtp_connection.hpp"
#include "message/seven_bit.hpp"
#include "queue/queue.hpp"
#include "routing/routing.hpp"

namespace facteur::delivery {

// What is to be sent: recipients of one entry that share a next hop.
struct Parcel {
  queue::Entry envelope;  // Its recipients are not used.
  struct To {
    message::Address address;
    std::uint8_t notify = 0;
    std::string original;
  };
  std::vector<To> to;
  store::Content content;
};

// The hosts to try, in order.
struct Route {
  struct Host {
    std::string name;
    std::optional<IpAddress> address;  // Known: no look-up.
  };
  std::vector<Host> hosts;
  std::uint16_t port = 25;
  bool implicit_mx = false;
};

class Remote {
 public:
  Remote(const Surroundings& surroundings, std::shared_ptr<const Parameters> parameters, routing::NextHop hop)
      : world_(surroundings), parameters_(std::move(parameters)), hop_(std::move(hop)) {}

  // Outcomes for each of parcel.to. Connects if there is no connection yet, and keeps it for the next parcel.
  Task<std::vector<Outcome>> deliver(const Parcel& parcel);
  Task<void> quit();

  bool connect_failed() const { return connect_failed_; }  // The last deliver() reached nobody.
  bool connected() const { return connection_ && connection_->usable(); }
  // Whether another message may go over the connection.
  bool goes_on() const { return connected() && connection_->transactions < parameters_->messages_per_connection; }

 private:
  template <class T>
  using Tried = std::expected<T, Outcome>;

  Task<Tried<std::unique_ptr<SmtpConnection>>> reach();
  Task<Tried<Route>> find_route();
  Task<Tried<std::vector<IpAddress>>> find_addresses(const Route& route, const Route::Host& host);
  Task<Tried<std::unique_ptr<SmtpConnection>>> connect(const Route& route);
  Task<Tried<std::unique_ptr<SmtpConnection>>> try_host(const Route& route, const Route::Host& host, std::size_t& left);
  Task<std::vector<Outcome>> converse(const Parcel& parcel);
  // What a conversion needs to live on: the text in one stretch, which reading wants, if the store has it in several,
  // and what was written anew.
  struct Converted {
    std::string copy;
    message::SevenBitPieces pieces;
    Bytes together(const store::Content& content);  // Borrowed from `content` or this.
  };
  // Makes the content fit for the peer; `converted` is what the transaction then borrows. An outcome: it cannot be.
  std::optional<Outcome> fit_content(const Parcel& parcel, smtp::Transaction& transaction, Converted& converted) const;
  Outcome conclude(const smtp::RecipientResult& result) const;

  bool is_us(const IpAddress& address) const;
  Outcome dns_failed(const std::string& name, const Failure& why) const;
  SmtpConnection::Peer peer_of(const Route& route, const Route::Host& host, const IpAddress& address) const;

  const Surroundings& world_;
  std::shared_ptr<const Parameters> parameters_;
  routing::NextHop hop_;
  std::unique_ptr<SmtpConnection> connection_;
  bool connect_failed_ = false;
  bool untouched_ = false;  // The last converse() ended before the peer took anything of the message.
};

}  // namespace facteur::delivery
