#include "server/listener.hpp"

#include <algorithm>
#include <exception>

#include "base/assert.hpp"
#include "tls/stream.hpp"

namespace facteur::server {

using Protocol = ListenerParameters::Protocol;

namespace {

constexpr Duration last_word = 1s;  // What a connection that makes room has for its farewell.

std::string_view protocol_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::exchanger:
      return "exchanger";
    case Protocol::submission:
      return "submission";
    case Protocol::lmtp:
      return "lmtp";
    case Protocol::imap:
      return "imap";
    case Protocol::pop3:
      return "pop3";
    case Protocol::metrics:
      return "metrics";
    case Protocol::control:
      return "control";
  }
  return "unknown";
}

// RFC 7301 §3.2, RELIABILITY S10: who asks for another protocol is turned away. "smtp" has no registered name, but is
// what STARTTLS takes too.
std::vector<std::string> alpn_of(Protocol protocol) {
  if (protocol == Protocol::imap) return {"imap"};
  if (protocol == Protocol::pop3) return {"pop3"};
  return {"smtp"};
}

// What we say to a connection too many, in its own words.
std::string refusal(Protocol protocol, const std::string& hostname) {
  switch (protocol) {
    case Protocol::imap:
      return "* BYE Too many connections\r\n";  // RFC 9051 §7.1.5.
    case Protocol::pop3:
      return "-ERR [SYS/TEMP] Too many connections\r\n";  // RFC 3206 §4.
    case Protocol::metrics:
      return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    case Protocol::control:
      return {};
    default:
      return "421 4.7.0 " + hostname + " Too many connections, try again later\r\n";  // RFC 5321 §3.8.
  }
}

// The operator's own look-ups are not worth a line each.
bool is_ours(Protocol protocol) { return protocol == Protocol::metrics || protocol == Protocol::control; }

std::string what_was_thrown(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something that is no exception of ours";
  }
}

}  // namespace

struct ShardListeners::Open {
  ShardListeners& owner;
  ConnectionBudget::Ticket ticket;
  Wakeup drain{};
  TrackedStream* stream = nullptr;  // Null once the service has let go of it.
  bool proven = false;
  bool served = false;                          // Its service has it, and hears the drain.
  std::uint64_t number = 0;                     // Of all connections of this shard.
  std::list<Open*>::iterator among_unproven{};  // End: not there.
  // What its events say of it.
  std::string trace;
  Endpoint peer;
  Instant start;

  Open(ShardListeners& listeners, ConnectionBudget::Ticket place, const Endpoint& from)
      : owner(listeners),
        ticket(std::move(place)),
        trace(owner.new_trace()),
        peer(from),
        start(owner.doors_.clock.now()) {
    number = ++owner.numbered_;
    owner.open_.insert(this);
    among_unproven = owner.unproven_.insert(owner.unproven_.end(), this);
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  ~Open() {
    no_longer_unproven();
    owner.open_.erase(this);
  }

  void no_longer_unproven() {
    if (among_unproven != owner.unproven_.end()) owner.unproven_.erase(among_unproven);
    among_unproven = owner.unproven_.end();
  }
};

// The stream of a connection, known to its Open so that drain() can close it wherever the service has put it.
class ShardListeners::TrackedStream : public world::Stream {
 public:
  TrackedStream(std::unique_ptr<world::Stream> below, Open& open) : below_(std::move(below)), open_(open) {
    open_.stream = this;
  }
  TrackedStream(const TrackedStream&) = delete;
  TrackedStream& operator=(const TrackedStream&) = delete;
  ~TrackedStream() override { open_.stream = nullptr; }

  Task<Result<bool>> readable(Instant deadline, Wakeup* wakeup) override { return below_->readable(deadline, wakeup); }
  Task<Result<std::size_t>> read(Room room, Instant deadline) override { return below_->read(room, deadline); }
  Task<Result<void>> write(Bytes bytes, Instant deadline) override { return below_->write(bytes, deadline); }
  Task<Result<void>> write(std::span<const Bytes> pieces, Instant deadline) override {
    return below_->write(pieces, deadline);
  }
  void end() override { below_->end(); }
  void close() override { below_->close(); }
  Endpoint peer() const override { return below_->peer(); }
  Endpoint local() const override { return below_->local(); }

 private:
  std::unique_ptr<world::Stream> below_;
  Open& open_;
};

ShardListeners::ShardListeners(Doors doors, observe::Scope scope)
    : doors_(std::move(doors)), scope_(std::move(scope)), tasks_([this](const std::exception_ptr& thrown) {
        scope_.event("task_bug_caught").level(observe::Level::error).field("what", what_was_thrown(thrown));
      }) {}

ShardListeners::~ShardListeners() = default;

std::string ShardListeners::new_trace() {
  constexpr std::string_view digits = "abcdefghijklmnopqrstuvwxyz234567";
  std::uint64_t bits = doors_.random.number();
  std::string out;
  for (int i = 0; i < 12; ++i, bits >>= 5) out += digits[bits & 31];
  return out;
}

Result<void> ShardListeners::listen(std::shared_ptr<const ListenerPlan> plan) {
  auto listener = doors_.network.listen(plan->endpoint);
  if (!listener) return failed(listener);
  return serve_on(std::move(*listener), std::move(plan));
}

Result<void> ShardListeners::serve_on(std::unique_ptr<world::Listener> listener,
                                      std::shared_ptr<const ListenerPlan> plan) {
  sockets_.push_back(std::make_unique<Socket>(Socket{std::move(listener), std::move(plan)}));
  tasks_.start(accept_all(*sockets_.back()));
  return {};
}

Result<void> ShardListeners::take(std::shared_ptr<const ListenerPlan> plan) {
  for (auto& socket : sockets_) {
    if (socket->closed || socket->plan->endpoint != plan->endpoint) continue;
    socket->plan = std::move(plan);
    return {};
  }
  return listen(std::move(plan));
}

void ShardListeners::keep_only(const std::vector<std::shared_ptr<const ListenerPlan>>& plans) {
  for (auto& socket : sockets_) {
    const auto& old = *socket->plan;
    const bool wanted = std::ranges::any_of(plans, [&](const auto& plan) { return plan->endpoint == old.endpoint; });
    if (wanted || socket->closed || is_ours(old.parameters.protocol)) continue;
    socket->closed = true;  // The accepting task may still be inside accept(): the object stays.
    socket->listener->close();
  }
}

Task<void> ShardListeners::accept_all(Socket& socket) {
  while (!socket.closed) {
    auto stream = co_await socket.listener->accept();
    if (stream) {
      tasks_.start(serve(socket.plan, std::move(*stream)));
      continue;
    }
    if (stream.error().kind == Failure::Kind::closed || socket.closed) co_return;
    // RELIABILITY R6: descriptors have run out. They come back when connections end; until then, do not spin.
    scope_.event("accept_failed").field("listener", socket.plan->name).failure(stream.error());
    co_await doors_.clock.sleep_until(doors_.clock.now() + 100ms);
  }
}

Task<void> ShardListeners::serve(std::shared_ptr<const ListenerPlan> plan, std::unique_ptr<world::Stream> stream) {
  auto ticket = place_for(*plan, stream->peer().address);
  if (!ticket || draining_) {
    report_refused(*plan, stream->peer());
    co_await turn_away(*plan, std::move(stream));
    co_return;
  }
  // All that is kept here is kept as long as the connection is there: of a hundred thousand of them, most are idle.
  Open open(*this, std::move(*ticket), stream->peer());
  std::exception_ptr bug;
  try {
    auto connection = connection_of(*plan, open, std::move(stream));
    const bool ready = !plan->parameters.implicit_tls || co_await shake_hands(*plan, *connection);
    if (ready) {
      open.served = true;
      co_await begin(*plan->service, std::move(connection));
    }
  } catch (const std::exception&) {
    bug = std::current_exception();  // Our own error ends this session and no other.
  }
  report_finished(*plan, open, bug);
}

Task<void> ShardListeners::begin(Service& service, std::unique_ptr<Connection> connection) {
  return service.serve(std::move(*connection));
}

// Functions of their own, so that what they need is not part of the frame every idle connection keeps.
void ShardListeners::report_refused(const ListenerPlan& plan, const Endpoint& peer) const {
  scope_.event("connection_refused")
      .level(observe::Level::warning)
      .field("listener", plan.name)
      .field("peer", to_string(peer));
}

observe::Scope ShardListeners::scope_of(const ListenerPlan& plan, const Open& open) const {
  return scope_.with("trace", open.trace).with("listener", plan.name).with("peer", to_string(open.peer));
}

void ShardListeners::report_finished(const ListenerPlan& plan, const Open& open, const std::exception_ptr& bug) const {
  const auto scope = scope_of(plan, open);
  if (bug) scope.event("session_bug_caught").level(observe::Level::error).field("what", what_was_thrown(bug));
  scope.event("connection_finished")
      .level(is_ours(plan.parameters.protocol) ? observe::Level::debug : observe::Level::info)
      .field("protocol", protocol_name(plan.parameters.protocol))
      .field("duration_ms", (doors_.clock.now() - open.start) / 1ms);
}

std::unique_ptr<Connection> ShardListeners::connection_of(const ListenerPlan& plan, Open& open,
                                                          std::unique_ptr<world::Stream> stream) {
  auto connection = std::make_unique<Connection>(Connection{std::make_unique<TrackedStream>(std::move(stream), open),
                                                            plan.parameters,
                                                            {},
                                                            {},
                                                            scope_of(plan, open),
                                                            &open.drain,
                                                            &open.proven});
  if (plan.offer_tls) connection->tls = doors_.tls();
  return connection;
}

Task<bool> ShardListeners::shake_hands(const ListenerPlan& plan, Connection& connection) {
  const Instant deadline = doors_.clock.now() + plan.handshake_timeout;
  auto secured =
      co_await tls::accept(std::move(connection.stream), doors_.tls(), alpn_of(plan.parameters.protocol), deadline);
  if (!secured) {
    connection.scope.event("tls_handshake_failed").failure(secured.error()).level(observe::Level::info);
    co_return false;
  }
  connection.stream = std::move(secured->stream);
  connection.secured = std::make_unique<crypto::TlsSummary>(std::move(secured->summary));
  co_return true;
}

// RELIABILITY R7: when all places are taken, the one who has been here longest without a login or a message goes, so
// that idle connections never keep a new client out. The operator's own look-ups need no place.
std::expected<ConnectionBudget::Ticket, ConnectionBudget::Refusal> ShardListeners::place_for(const ListenerPlan& plan,
                                                                                             const IpAddress& from) {
  if (is_ours(plan.parameters.protocol)) return doors_.budget.admit_beyond(from);
  auto ticket = doors_.budget.admit(from);
  if (ticket || ticket.error() == ConnectionBudget::Refusal::crowded || draining_) return ticket;
  auto beyond = doors_.budget.admit_beyond(from);
  if (!beyond) return beyond;
  if (!end_oldest_unproven()) return std::unexpected(ConnectionBudget::Refusal::full);
  return beyond;
}

bool ShardListeners::end_oldest_unproven() {
  while (!unproven_.empty()) {
    Open& oldest = *unproven_.front();
    oldest.no_longer_unproven();
    if (oldest.proven || oldest.stream == nullptr) continue;
    if (oldest.served) {
      // It says 421, BYE or -ERR and ends, as when the server stops; who does not read that does not keep the place.
      oldest.drain.fire();
      tasks_.start(close_later(oldest.number));
    } else {
      oldest.stream->close();  // In the middle of a handshake nothing can be said.
    }
    return true;
  }
  return false;
}

Task<void> ShardListeners::close_later(std::uint64_t number) {
  co_await doors_.clock.sleep_until(doors_.clock.now() + last_word);
  const auto found = std::ranges::find_if(open_, [&](const Open* open) { return open->number == number; });
  if (found != open_.end() && (*found)->stream != nullptr) (*found)->stream->close();
}

Task<void> ShardListeners::turn_away(const ListenerPlan& plan, std::unique_ptr<world::Stream> stream) {
  if (!plan.parameters.implicit_tls) {
    const std::string text = refusal(plan.parameters.protocol, plan.parameters.hostname);
    static_cast<void>(co_await stream->write(text, doors_.clock.now() + 1s));
  }
  stream->close();
}

Task<void> ShardListeners::drain(Instant deadline) {
  draining_ = true;
  for (auto& socket : sockets_) {
    socket->closed = true;
    socket->listener->close();
  }
  const std::vector<Open*> all(open_.begin(), open_.end());
  for (auto* open : all) {
    if (open_.contains(open)) open->drain.fire();
  }
  while (!tasks_.empty() && doors_.clock.now() < deadline) {
    co_await doors_.clock.sleep_until(std::min(deadline, doors_.clock.now() + 20ms));
  }
  if (tasks_.empty()) co_return;
  scope_.event("drain_deadline_passed").level(observe::Level::warning).field("connections", open_.size());
  for (auto* open : std::vector<Open*>(open_.begin(), open_.end())) {
    if (open_.contains(open) && open->stream) open->stream->close();
  }
  // Closed streams end every wait on them; what still runs waits for the disk or the pool, which always answer.
  while (!tasks_.empty()) co_await doors_.clock.sleep_until(doors_.clock.now() + 20ms);
}

}  // namespace facteur::server
