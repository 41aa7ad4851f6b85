#include "delivery/remote.hpp"

#include <algorithm>
#include <utility>

#include "dns/exchangers.hpp"
#include "message/seven_bit.hpp"

namespace facteur::delivery {

namespace {

constexpr std::size_t most_addresses = 10;  // Connected to in one attempt.

std::string words(const smtp::Reply& reply) {
  std::string text = std::to_string(reply.code);
  if (!reply.enhanced.empty()) text += ' ' + reply.enhanced;
  if (!reply.text.empty()) text += ' ' + reply.text;
  return text;
}

}  // namespace

Task<std::vector<Outcome>> Remote::deliver(const Parcel& parcel) {
  connect_failed_ = false;
  const bool reused = connected();
  if (reused && connection_->transactions >= parameters_->messages_per_connection) co_await quit();
  for (int round = 0;; ++round) {
    if (!connected()) {
      auto connection = co_await reach();
      if (!connection) {
        connect_failed_ = connection.error().kind == Outcome::Kind::temporary;
        co_return std::vector<Outcome>(parcel.to.size(), connection.error());
      }
      connection_ = std::move(*connection);
    }
    auto outcomes = co_await converse(parcel);
    // A server that says 421 to a connection used before, or has closed it, has had enough of it: nothing was taken, so
    // ask anew.
    const bool weary =
        untouched_ || std::ranges::all_of(outcomes, [](const Outcome& outcome) {
          return outcome.kind == Outcome::Kind::temporary && outcome.reply.starts_with("421") && !outcome.host.empty();
        });
    if (!reused || !weary || round > 0) co_return outcomes;
    connection_.reset();
  }
}

Task<Remote::Tried<std::unique_ptr<SmtpConnection>>> Remote::reach() {
  auto route = co_await find_route();
  if (!route) co_return std::unexpected(std::move(route.error()));
  co_return co_await connect(*route);
}

Task<void> Remote::quit() {
  if (connection_) co_await connection_->quit();
  connection_.reset();
}

// The sender reads that the name could not be looked up; what DNS or DNSSEC said about it is for our log.
Outcome Remote::dns_failed(const std::string& name, const Failure& why) const {
  world_.scope.event("delivery_dns_lookup_failed").failure(why).field("name", name);
  return temporary("4.4.3", "DNS lookup of " + name + " failed");
}

// RFC 5321 §5.1.
Task<Remote::Tried<Route>> Remote::find_route() {
  Route route;
  route.port = hop_.port;
  if (hop_.kind != routing::NextHop::Kind::exchangers) {
    route.hosts.push_back({hop_.host, IpAddress::parse(hop_.host)});
    co_return route;
  }
  route.port = parameters_->port;
  auto names = parameters_->our_names;
  names.push_back(parameters_->hostname);
  const auto deadline = world_.clock.now() + parameters_->dns_timeout;
  auto found = co_await dns::find_exchangers(world_.resolver, hop_.host, names, world_.random, deadline);
  if (!found) co_return std::unexpected(dns_failed(hop_.host, found.error()));
  using Kind = dns::Exchangers::Kind;
  switch (found->kind) {
    case Kind::null_mx:  // RFC 7505 §3.
      co_return std::unexpected(permanent("5.1.10", "The domain " + hop_.host + " accepts no mail (null MX)"));
    case Kind::no_such_domain:
      co_return std::unexpected(permanent("5.1.2", "There is no domain " + hop_.host));
    case Kind::ourselves:
      co_return std::unexpected(permanent("5.4.6", "Mail for " + hop_.host + " leads back to this server"));
    case Kind::literal:
      route.hosts.push_back({hop_.host, found->address});
      break;
    case Kind::hosts:
      route.implicit_mx = found->implicit;
      for (auto& host : found->hosts) route.hosts.push_back({std::move(host), {}});
      break;
  }
  co_return route;
}

bool Remote::is_us(const IpAddress& address) const {
  if (parameters_->allow_loopback) return false;
  // 0.0.0.0 and :: lead to this machine, too.
  const bool unspecified = std::ranges::all_of(address.octets, [](std::uint8_t octet) { return octet == 0; });
  const auto& ours = parameters_->our_addresses;
  return unspecified || address.is_loopback() || std::ranges::find(ours, address) != ours.end();
}

Task<Remote::Tried<std::vector<IpAddress>>> Remote::find_addresses(const Route& route, const Route::Host& host) {
  if (host.address) co_return std::vector<IpAddress>{*host.address};
  auto found = co_await world_.resolver.addresses(host.name, world_.clock.now() + parameters_->dns_timeout);
  if (!found) co_return std::unexpected(dns_failed(host.name, found.error()));
  if (!found->addresses.empty()) co_return std::move(found->addresses);
  // A route of our own that names nothing is our mistake, not the sender's.
  if (hop_.kind != routing::NextHop::Kind::exchangers) {
    co_return std::unexpected(temporary("4.4.4", "The host " + host.name + " has no address"));
  }
  if (route.implicit_mx) {
    co_return std::unexpected(permanent("5.1.2", "The domain " + host.name + " has neither MX nor address"));
  }
  co_return std::unexpected(permanent("5.4.4", "The exchanger " + host.name + " has no address"));
}

// RFC 5321 §5.1: all exchangers in order, all addresses of each. One that may work later makes the whole temporary.
Task<Remote::Tried<std::unique_ptr<SmtpConnection>>> Remote::connect(const Route& route) {
  std::optional<Outcome> worst;
  std::size_t left = most_addresses;
  for (const auto& host : route.hosts) {
    auto connection = co_await try_host(route, host, left);
    if (connection) co_return connection;
    auto& outcome = connection.error();
    const bool back_to_us = outcome.status == "5.4.6";
    if (!worst || outcome.kind == Outcome::Kind::temporary) worst = std::move(outcome);
    if (back_to_us || left == 0) break;  // All that follow are not better than we are.
  }
  if (!worst) worst = temporary("4.4.4", "No host to send to");
  co_return std::unexpected(std::move(*worst));
}

Task<Remote::Tried<std::unique_ptr<SmtpConnection>>> Remote::try_host(const Route& route, const Route::Host& host,
                                                                      std::size_t& left) {
  auto addresses = co_await find_addresses(route, host);
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  std::optional<Outcome> worst;
  for (const auto& address : *addresses) {
    if (is_us(address)) {
      auto loop = permanent("5.4.6", "Mail for " + hop_.host + " leads back to this server");
      co_return std::unexpected(worst ? std::move(*worst) : std::move(loop));
    }
    if (left == 0) break;
    --left;
    auto connection = co_await SmtpConnection::open(world_, *parameters_, peer_of(route, host, address));
    if (connection) co_return std::move(*connection);
    const auto& why = connection.error();
    const auto name = host.name + " [" + to_string(address) + "]";
    // A refusal by a server that we configured (smarthost login) is ours to repair: it must not return mail.
    const bool for_good = why.kind == Failure::Kind::permanent && hop_.kind == routing::NextHop::Kind::exchangers;
    auto outcome = for_good ? permanent("5.0.0", why.text, name)
                            : temporary(why.kind == Failure::Kind::timed_out ? "4.4.2" : "4.4.1", why.text, name);
    if (!worst || outcome.kind == Outcome::Kind::temporary) worst = std::move(outcome);
  }
  if (!worst) worst = temporary("4.4.4", "The host " + host.name + " has no address");
  co_return std::unexpected(std::move(*worst));
}

SmtpConnection::Peer Remote::peer_of(const Route& route, const Route::Host& host, const IpAddress& address) const {
  using Tls = smtp::ClientParameters::Tls;
  SmtpConnection::Peer peer;
  peer.host = host.name;
  peer.endpoint = {address, route.port};
  peer.tls = world_.tls;
  peer.session.hostname = parameters_->hostname;
  peer.session.lmtp = hop_.lmtp;
  peer.session.tls = parameters_->tls && !hop_.lmtp ? Tls::opportunistic : Tls::never;
  if (hop_.kind == routing::NextHop::Kind::smarthost) {
    peer.implicit_tls = parameters_->smarthost_implicit_tls;
    if (parameters_->smarthost_tls_required) {
      peer.session.tls = peer.implicit_tls ? Tls::never : Tls::required;
      if (world_.verifying_tls) peer.tls = world_.verifying_tls;
    }
    peer.session.login = parameters_->smarthost_login;
    peer.session.password = parameters_->smarthost_password;
    peer.session.plaintext_login = parameters_->allow_loopback && address.is_loopback();
    peer.session.random.resize(32);
    world_.random.fill(Room(peer.session.random.data(), peer.session.random.size()));
  }
  return peer;
}

Bytes Remote::Converted::together(const store::Content& content) {
  if (content.pieces().size() == 1) return content.pieces().front();
  if (copy.empty()) copy = content.text();
  return copy;
}

// What the peer cannot carry is converted, or returned: RFC 6152 §3, RFC 6531 §3.2.
std::optional<Outcome> Remote::fit_content(const Parcel& parcel, smtp::Transaction& transaction,
                                           Converted& converted) const {
  const auto& extensions = connection_->extensions();
  if (transaction.parameters.smtputf8 && !extensions.smtputf8) {
    // Some clients ask for SMTPUTF8 always: what does not need it is ordinary mail.
    transaction.parameters.smtputf8 = message::has_eight_bit(parcel.envelope.prefix) ||
                                      message::needs_utf8_transport(converted.together(parcel.content));
  }
  const bool eight_bit = std::ranges::any_of(transaction.content, message::has_eight_bit);
  if (!eight_bit) return std::nullopt;
  transaction.parameters.body_8bit = true;  // Whether the client has said so or not.
  if (extensions.body_8bit || transaction.parameters.smtputf8) return std::nullopt;
  auto seven_bit = message::seven_bit_pieces(converted.together(parcel.content));
  if (!seven_bit) {
    return permanent("5.6.3", "The other server takes 7-bit mail only, and this message must not be converted: " +
                                  std::string(message::reason_of(seven_bit.error())));
  }
  converted.pieces = std::move(*seven_bit);
  transaction.content.clear();
  if (!parcel.envelope.prefix.empty()) transaction.content.push_back(parcel.envelope.prefix);
  for (const Bytes piece : converted.pieces.pieces()) transaction.content.push_back(piece);
  transaction.parameters.body_8bit = false;
  return std::nullopt;
}

Task<std::vector<Outcome>> Remote::converse(const Parcel& parcel) {
  smtp::Transaction transaction;
  if (!parcel.envelope.sender.empty()) transaction.sender = message::Address::parse(parcel.envelope.sender);
  transaction.parameters.body_8bit = parcel.envelope.body_8bit;
  transaction.parameters.smtputf8 = parcel.envelope.smtputf8;
  transaction.parameters.ret =
      static_cast<smtp::MailParameters::Return>(std::min<std::uint8_t>(parcel.envelope.ret, 2));
  transaction.parameters.envelope_id = parcel.envelope.envelope_id;
  for (const auto& to : parcel.to) transaction.recipients.push_back({to.address, {to.notify, to.original}});
  // Borrowed from the parcel, which lives until this task ends.
  if (!parcel.envelope.prefix.empty()) transaction.content.push_back(parcel.envelope.prefix);
  for (const Bytes piece : parcel.content.pieces()) transaction.content.push_back(piece);
  transaction.intact = [content = &parcel.content] { return content->intact(); };
  Converted converted;  // Also borrowed.
  untouched_ = false;
  if (auto refused = fit_content(parcel, transaction, converted)) {
    co_return std::vector<Outcome>(parcel.to.size(), std::move(*refused));
  }
  const auto result = co_await connection_->send(std::move(transaction));
  untouched_ = result.untouched;
  std::vector<Outcome> outcomes;
  for (const auto& one : result.recipients) outcomes.push_back(conclude(one));
  co_return outcomes;
}

Outcome Remote::conclude(const smtp::RecipientResult& result) const {
  Outcome outcome;
  using Result = smtp::RecipientResult::Outcome;
  switch (result.outcome) {
    case Result::delivered:
      outcome.kind = hop_.lmtp                       ? Outcome::Kind::delivered
                     : connection_->extensions().dsn ? Outcome::Kind::passed_on
                                                     : Outcome::Kind::relayed;
      outcome.status = "2.0.0";
      break;
    case Result::temporary:
      outcome.kind = Outcome::Kind::temporary;
      outcome.status = "4.0.0";
      break;
    case Result::permanent:
      outcome.kind = Outcome::Kind::permanent;
      outcome.status = "5.0.0";
      break;
  }
  if (!result.reply.enhanced.empty() && result.reply.enhanced[0] == outcome.status[0]) {
    outcome.status = result.reply.enhanced;
  }
  outcome.reply = words(result.reply);
  if (!result.ours || result.outcome == Result::delivered) outcome.host = connection_->name();
  return outcome;
}

}  // namespace facteur::delivery
