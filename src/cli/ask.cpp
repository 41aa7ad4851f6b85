#include "cli/ask.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/site.hpp"
#include "config/load.hpp"
#include "directory/store_directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "queue/queue.hpp"
#include "server/commands.hpp"
#include "store/key.hpp"

namespace facteur::cli {

namespace {

constexpr int patience_ms = 60'000;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }

  bool send_all(std::string_view octets) const {
    while (!octets.empty()) {
      const auto sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool receive_exactly(char* room, std::size_t size) const {
    while (size > 0) {
      pollfd wait{fd_, POLLIN, 0};
      if (::poll(&wait, 1, patience_ms) <= 0) return false;
      const auto got = ::recv(fd_, room, size, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      room += got;
      size -= static_cast<std::size_t>(got);
    }
    return true;
  }

 private:
  int fd_;
};

std::string why(const Failure& failure) {
  return failure.cause.empty() ? failure.text : failure.text + " (" + failure.cause + ")";
}

// The parts that commands need, without listeners.
Task<void> answer_offline(host::World& world, store::EmbeddedEngine& engine, const config::Config& config,
                          std::string request, std::string& reply) {
  {
    const observe::Scope scope(world.log);
    directory::StoreDirectory directory(engine, world.shards, world.random, server::directory_settings(config));
    const auto mailboxes = mailbox::make_mailboxes(engine, world.shards, world.clock, world.random, scope);
    const auto queue = queue::make_queue(engine, world.shards, world.clock, world.random, scope);
    server::Commands commands({directory, directory, *mailboxes, *queue, engine, scope, {}, {}});
    reply = co_await commands.answer(std::move(request));
    // We may have been resumed from inside a task of one of these parts: let it end before they go.
    co_await world.clock.sleep_until(world.clock.now() + 1ms);
  }
  co_await engine.close();
}

}  // namespace

std::optional<Result<std::string>> ask_socket(const std::string& path, const std::string& request) {
  const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.fd() < 0 || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) return std::nullopt;
    return failure(Failure::Kind::refused, "F-6203", "The control socket cannot be opened", std::strerror(errno));
  }
  const std::string framed = store::Key().string(request).take();
  char head[4];
  if (!socket.send_all(framed) || !socket.receive_exactly(head, sizeof head)) {
    return failure(Failure::Kind::temporary, "F-6204", "The server does not answer");
  }
  std::string reply(store::Parser(Bytes(head, sizeof head)).u32(), '\0');
  if (!socket.receive_exactly(reply.data(), reply.size())) {
    return failure(Failure::Kind::temporary, "F-6205", "The server stopped in the middle of its answer");
  }
  return reply;
}

Result<std::string> ask_store(const config::Config& config, const std::string& request) {
  SiteOptions options;
  options.log.least = observe::Level::warning;
  options.shards = 1;
  auto world = open_world(config, std::move(options));
  if (!world) return failed(world);
  auto engine = open_store(**world, *(*world)->disk, config, observe::Scope((*world)->log));
  if (!engine) return failed(engine);
  std::string reply;
  run_to_end(**world, answer_offline(**world, **engine, config, request, reply));
  engine->reset();
  return reply;
}

Reply ask(const Context& context, const boost::json::object& request, bool needs_server) {
  const auto loaded = config::load(context.config_path);
  if (!loaded.good()) {
    complain(config::to_string(loaded.problems));
    return {ExitCode::wrong_configuration, {}};
  }
  const std::string text = boost::json::serialize(request);
  auto answer = ask_socket(loaded.config.control_socket(), text);
  if (!answer && needs_server) {
    complain(context.say("error.not_running", {loaded.config.server.data}));
    return {ExitCode::not_running, {}};
  }
  if (!answer) answer = ask_store(loaded.config, text);
  if (!*answer) {
    const bool busy = answer->error().code == folder_is_busy;
    complain(busy ? context.say("error.busy", {loaded.config.server.data}) : why(answer->error()));
    return {busy ? ExitCode::busy : ExitCode::failed, {}};
  }
  boost::system::error_code wrong;
  boost::json::value reply = boost::json::parse(**answer, wrong);
  const auto* object = reply.if_object();
  if (wrong || !object || !object->contains("ok")) {
    complain("the server's answer makes no sense");
    return {ExitCode::failed, {}};
  }
  if (!object->at("ok").as_bool()) {
    complain(std::string(object->at("error").as_string()));
    return {ExitCode::failed, {}};
  }
  return {ExitCode::done, object->at("result")};
}

}  // namespace facteur::cli
