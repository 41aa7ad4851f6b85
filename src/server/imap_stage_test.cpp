#include "server/imap_stage_test.hpp"

namespace facteur::server::stage {
namespace {

constexpr std::uint16_t port = 143;

}  // namespace

Stage::Stage(std::uint64_t seed) : world(seed), machine(world, {}) {
  engine = store::make_memory_engine({.shards = machine.shards, .clock = machine.clock, .pages = &pages});
  mailboxes = mailbox::make_mailboxes(*engine, machine.shards, machine.clock, machine.random,
                                      observe::Scope(world.events), message::make_structure);
  REQUIRE(finish(mailboxes->create_account(anne)));
  REQUIRE(finish(mailboxes->create_account(bob)));
  const ImapDoors doors{.mailboxes = *mailboxes,
                        .engine = *engine,
                        .authenticator = accounts,
                        .directory = accounts,
                        .clock = machine.clock,
                        .random = machine.random};
  service = make_imap_service(doors, limits, make_recent_book());
  machine.shards.run(0, [this] {
    auto listener = machine.network.listen(Endpoint{IpAddress::loopback(), port});
    REQUIRE(listener);
    listener_ = listener->get();
    tasks_.start(listen(std::move(*listener)));
  });
}

Stage::~Stage() {
  machine.shards.run(0, [this] {
    if (listener_ != nullptr) listener_->close();
    for (const auto& bell : drains_) bell->fire();
  });
  world.run_until([this] { return tasks_.empty(); }, 10min);
}

Task<void> Stage::listen(std::unique_ptr<world::Listener> listener) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) break;
    tasks_.start(serve(std::move(*stream)));
  }
  listener_ = nullptr;
}

Task<void> Stage::serve(std::unique_ptr<world::Stream> stream) {
  ListenerParameters parameters;
  parameters.protocol = ListenerParameters::Protocol::imap;
  parameters.plaintext_login = true;
  parameters.hostname = "mx.example.org";
  drains_.push_back(std::make_unique<Wakeup>());
  Connection connection{.stream = std::move(stream),
                        .listener = std::move(parameters),
                        .tls = nullptr,
                        .secured = nullptr,
                        .scope = observe::Scope(world.events),
                        .drain = drains_.back().get()};
  co_await service->serve(std::move(connection));
}

Client::Client(Stage& stage) : stage_(stage) {
  stage_.machine.shards.run(0, [this] { tasks_.start(connect()); });
  greeting = until("* ");
}

Client::~Client() {
  stage_.machine.shards.run(0, [this] {
    if (stream_ != nullptr) stream_->close();
  });
  stage_.world.run_until([this] { return tasks_.empty(); }, 10min);
}

Task<void> Client::connect() {
  auto stream = co_await stage_.machine.network.connect(Endpoint{IpAddress::loopback(), port}, Instant::never());
  REQUIRE(stream);
  stream_ = std::move(*stream);
  tasks_.start(read());
}

Task<void> Client::read() {
  std::string room(16 * 1024, '\0');
  for (;;) {
    auto count = co_await stream_->read(Room(room), Instant::never());
    if (!count || *count == 0) break;
    received.append(room, 0, *count);
  }
  ended = true;
}

Task<void> Client::write(std::string octets) {
  // A server that has gone is seen by read().
  static_cast<void>(co_await stream_->write(Bytes(octets), Instant::never()));
}

void Client::send(std::string octets) {
  stage_.machine.shards.run(0, [this, &octets] { tasks_.start(write(std::move(octets))); });
}

std::string Client::until(const std::string& start) {
  std::size_t behind = std::string::npos;
  std::size_t looked = 0;
  const auto come = [&] {
    // Literals are passed over, so that nothing in a message looks like a reply.
    while (true) {
      const auto end = received.find("\r\n", looked);
      if (end == std::string::npos) return ended;
      const Bytes line = Bytes(received).substr(looked, end - looked);
      std::size_t next = end + 2;
      if (line.ends_with('}')) {
        const auto open = line.rfind('{');
        const auto size = ascii::number<std::size_t>(line.substr(open + 1, line.size() - open - 2));
        if (size) {
          if (received.size() < next + *size) return ended;
          looked = next + *size;
          continue;
        }
      }
      looked = next;
      if (line.starts_with(start)) {
        behind = next;
        return true;
      }
    }
  };
  stage_.world.run_until(come, 10min);
  if (behind == std::string::npos) behind = received.size();
  auto text = received.substr(0, behind);
  received.erase(0, behind);
  return text;
}

std::string Client::ask(const std::string& command) {
  const auto tag = "t" + std::to_string(++tags_);
  send(tag + " " + command + "\r\n");
  return until(tag + " ");
}

std::string Client::listen(Duration time) {
  stage_.world.run_for(time);
  return std::exchange(received, {});
}

std::vector<std::string> split_responses(Bytes text) {
  std::vector<std::string> responses;
  while (!text.empty()) {
    auto end = text.find("\r\n");
    while (end != Bytes::npos && end > 0 && text[end - 1] == '}') {
      const auto open = text.rfind('{', end);
      const auto size = ascii::number<std::size_t>(text.substr(open + 1, end - open - 2));
      if (!size) break;
      end = text.find("\r\n", end + 2 + *size);
    }
    responses.emplace_back(text.substr(0, end));
    text.remove_prefix(end == Bytes::npos ? text.size() : end + 2);
  }
  return responses;
}

}  // namespace facteur::server::stage
