#include "customers.hpp"

namespace facteur::simulation {

namespace {

Promise promise_of(const smtp::RecipientResult& result) {
  if (result.outcome == smtp::RecipientResult::Outcome::delivered) return Promise::taken;
  return result.ours ? Promise::unknown : Promise::refused;
}

smtp::Transaction transaction_of(const Errand& errand) {
  smtp::Transaction out;
  if (!errand.letter->sender.empty()) out.sender = message::Address::parse(errand.letter->sender);
  for (const auto& [address, promise] : errand.letter->recipients) {
    out.recipients.push_back({*message::Address::parse(address), {}});
  }
  out.content = {errand.content};
  return out;
}

}  // namespace

Task<Result<std::unique_ptr<world::Stream>>> encrypt(std::unique_ptr<world::Stream> stream, Trust trust,
                                                     Instant deadline) {
  crypto::TlsClientParameters parameters;
  parameters.host = stream->peer().address == IpAddress::v4(127, 0, 1, 1) ? "mx.a.example" : "mx.b.example";
  auto secured = co_await tls::connect(std::move(stream), std::move(trust), std::move(parameters), deadline);
  if (!secured) co_return failed(secured);
  co_return std::move(secured->stream);
}

Task<Result<std::unique_ptr<world::Stream>>> call(sim::Machine& machine, Endpoint to, bool implicit_tls, Trust trust) {
  const auto deadline = machine.clock.now() + 30s;
  auto stream = co_await machine.network.connect(to, deadline);
  if (!stream || !implicit_tls) co_return stream;
  co_return co_await encrypt(std::move(*stream), std::move(trust), deadline);
}

Task<void> post_letter(sim::Machine& machine, Errand errand) {
  auto stream = co_await call(machine, errand.to, errand.to.port == 465, errand.tls);
  if (!stream) co_return;
  smtp::ClientParameters parameters;
  parameters.hostname = errand.hello;
  parameters.tls = errand.tls ? smtp::ClientParameters::Tls::required : smtp::ClientParameters::Tls::never;
  if (!errand.login.empty()) {
    parameters.login = errand.login;
    parameters.password = "secret";
    parameters.random.resize(32);
    machine.random.fill(Room(parameters.random.data(), parameters.random.size()));
  }
  parameters.lmtp = errand.lmtp;
  parameters.tls_active = errand.to.port == 465;
  smtp::ClientSession session(std::move(parameters), machine.clock.now());
  bool begun = false;
  while (!session.closed()) {
    auto action = session.next(machine.clock.now());
    if (!action) {
      const auto deadline = session.deadline();
      auto ready = co_await (*stream)->readable(deadline);
      Result<std::size_t> count = 0;
      if (ready) count = co_await (*stream)->read(session.room(), deadline);
      if (ready && count && *count > 0)
        session.received(*count, machine.clock.now());
      else if (!ready && ready.error().kind == Failure::Kind::timed_out)
        session.expired(machine.clock.now());
      else
        session.ended();
    } else if (auto* send = std::get_if<smtp::Send>(&*action)) {
      auto sent = co_await (*stream)->write(send->replies, session.deadline());
      if (!sent) session.ended();
    } else if (std::holds_alternative<smtp::StartTls>(*action)) {
      stream = co_await encrypt(std::move(*stream), errand.tls, session.deadline());
      if (!stream) co_return;  // Nothing was promised yet.
      session.tls_started({}, machine.clock.now());
    } else if (std::holds_alternative<smtp::Ready>(*action)) {
      if (!begun)
        session.begin(transaction_of(errand), machine.clock.now());
      else
        session.quit(machine.clock.now());
      begun = true;
    } else if (auto* finished = std::get_if<smtp::Finished>(&*action)) {
      auto at = errand.letter->recipients.begin();
      for (const auto& result : finished->result.recipients) (at++)->second = promise_of(result);
    } else if (std::holds_alternative<smtp::Close>(*action)) {
      (*stream)->close();
      co_return;
    }
  }
}

}  // namespace facteur::simulation
