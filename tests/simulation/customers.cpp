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

Task<void> post_letter(sim::Machine& machine, Errand errand) {
  auto stream = co_await machine.network.connect(errand.to, machine.clock.now() + 30s);
  if (!stream) co_return;
  smtp::ClientParameters parameters;
  parameters.hostname = errand.hello;
  parameters.tls = smtp::ClientParameters::Tls::never;
  if (!errand.login.empty()) {
    parameters.login = errand.login;
    parameters.password = "secret";
    parameters.plaintext_login = true;
    parameters.random.resize(32);
    machine.random.fill(Room(parameters.random.data(), parameters.random.size()));
  }
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
