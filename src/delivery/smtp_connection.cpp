#include "delivery/smtp_connection.hpp"

#include <utility>

namespace facteur::delivery {

namespace {

// An address literal names no certificate; its address may.
crypto::TlsClientParameters tls_parameters(const SmtpConnection::Peer& peer) {
  crypto::TlsClientParameters out;
  out.host = peer.host.starts_with('[') ? to_string(peer.endpoint.address) : peer.host;
  return out;
}

}  // namespace

SmtpConnection::SmtpConnection(const Surroundings& surroundings, Peer peer, std::unique_ptr<world::Stream> stream)
    : world_(surroundings),
      peer_(std::move(peer)),
      stream_(std::move(stream)),
      session_(peer_.session, surroundings.clock.now()),
      encrypted_(peer_.implicit_tls) {}

std::string SmtpConnection::name() const { return peer_.host + " [" + to_string(peer_.endpoint.address) + "]"; }

Task<Result<std::unique_ptr<SmtpConnection>>> SmtpConnection::open(const Surroundings& surroundings,
                                                                   const Parameters& parameters, Peer peer) {
  if (!peer.tls && peer.session.tls == smtp::ClientParameters::Tls::opportunistic) {
    peer.session.tls = smtp::ClientParameters::Tls::never;
  }
  bool tls_failed = false;
  auto first = co_await open_once(surroundings, parameters, peer, tls_failed);
  if (first || !tls_failed || peer.session.tls != smtp::ClientParameters::Tls::opportunistic) co_return first;
  // RFC 7435 §3: some protection where it works, cleartext where it does not.
  peer.session.tls = smtp::ClientParameters::Tls::never;
  co_return co_await open_once(surroundings, parameters, peer, tls_failed);
}

Task<Result<std::unique_ptr<SmtpConnection>>> SmtpConnection::open_once(const Surroundings& surroundings,
                                                                        const Parameters& parameters, Peer peer,
                                                                        bool& tls_failed) {
  const auto deadline = surroundings.clock.now() + parameters.connect_timeout;
  const IpAddress* source = parameters.source ? &*parameters.source : nullptr;
  if (source && source->v6 != peer.endpoint.address.v6) source = nullptr;
  auto stream = co_await surroundings.network.connect(peer.endpoint, deadline, source);
  if (!stream) co_return failed(stream);
  if (peer.implicit_tls) {
    auto names = tls_parameters(peer);
    auto secured = co_await tls::connect(std::move(*stream), peer.tls, std::move(names), deadline);
    if (!secured) co_return failed(secured);
    stream = std::move(secured->stream);
    peer.session.tls_active = true;
  }
  std::unique_ptr<SmtpConnection> connection(new SmtpConnection(surroundings, std::move(peer), std::move(*stream)));
  co_await connection->advance();
  tls_failed = connection->tls_failed_;
  if (connection->ready_) co_return connection;
  if (!connection->failed_) co_return failure(Failure::Kind::closed, "F-7020", "The server ended the session");
  auto why = std::move(connection->failed_->why);
  const auto& reply = connection->failed_->reply;
  if (reply.code >= 500) {
    why.kind = Failure::Kind::permanent;
  } else if (!why.temporary() && reply.code != 0) {
    why.kind = Failure::Kind::temporary;
  }
  if (reply.code != 0) why.text = std::to_string(reply.code) + " " + reply.enhanced + " " + reply.text;
  co_return std::unexpected(std::move(why));
}

Task<void> SmtpConnection::advance() {
  ready_ = false;
  while (!ready_ && !over_ && !result_) {
    auto action = session_.next(world_.clock.now());
    if (action)
      co_await carry_out(std::move(*action));
    else if (session_.closed())
      over_ = true;
    else
      co_await read_more();
  }
}

Task<void> SmtpConnection::carry_out(smtp::ClientAction action) {
  if (auto* send = std::get_if<smtp::Send>(&action)) {
    // The octets are the session's, valid until it is called again.
    auto sent = co_await stream_->write(send->replies, session_.deadline());
    if (sent) co_return;
    if (sent.error().kind == Failure::Kind::timed_out)
      session_.expired(world_.clock.now());
    else
      session_.ended();
  } else if (std::holds_alternative<smtp::StartTls>(action)) {
    co_await start_tls();
  } else if (std::holds_alternative<smtp::Ready>(action)) {
    ready_ = true;
  } else if (auto* finished = std::get_if<smtp::Finished>(&action)) {
    result_ = std::move(finished->result);
  } else if (auto* lost = std::get_if<smtp::Failed>(&action)) {
    failed_ = std::move(*lost);
  } else {
    stream_->close();
    over_ = true;
  }
}

Task<void> SmtpConnection::read_more() {
  auto ready = co_await stream_->readable(session_.deadline());
  Result<std::size_t> count = 0;
  if (ready)
    count = co_await stream_->read(session_.room(), session_.deadline());
  else
    count = failed(ready);
  if (count && *count > 0)
    session_.received(*count, world_.clock.now());
  else if (!count && count.error().kind == Failure::Kind::timed_out)
    session_.expired(world_.clock.now());
  else
    session_.ended();
}

Task<void> SmtpConnection::start_tls() {
  auto names = tls_parameters(peer_);
  auto secured = co_await tls::connect(std::move(stream_), peer_.tls, std::move(names), session_.deadline());
  if (!secured) {
    tls_failed_ = true;
    over_ = true;
    failed_ = smtp::Failed{std::move(secured.error()), {}};
    failed_->reply.code = 0;
    co_return;
  }
  stream_ = std::move(secured->stream);
  encrypted_ = true;
  smtp::TlsSummary summary;
  summary.protocol = secured->summary.version;
  summary.cipher = secured->summary.cipher;
  session_.tls_started(summary, world_.clock.now());
}

Task<smtp::TransactionResult> SmtpConnection::send(smtp::Transaction transaction) {
  const auto count = transaction.recipients.size();
  ++transactions;
  result_.reset();
  session_.begin(std::move(transaction), world_.clock.now());
  co_await advance();
  smtp::TransactionResult result;
  if (result_) {
    result = std::move(*result_);
    result_.reset();
    co_await advance();  // To Ready, or to the end.
  }
  // RELIABILITY R29: what was not answered was not delivered.
  smtp::RecipientResult unknown;
  unknown.ours = true;
  unknown.reply = {421, "4.4.2", failed_ ? failed_->why.text : "The connection was lost"};
  result.recipients.resize(count, unknown);
  co_return result;
}

Task<void> SmtpConnection::quit() {
  if (!ready_) co_return;
  session_.quit(world_.clock.now());
  co_await advance();
  ready_ = false;
}

}  // namespace facteur::delivery
