#include "cli/ask.hpp"

#include <deque>
#include <utility>

#include "cli/control_socket.hpp"
#include "cli/restored.hpp"
#include "cli/site.hpp"
#include "config/load.hpp"
#include "directory/store_directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "message/structure.hpp"
#include "queue/queue.hpp"
#include "roles/identity.hpp"
#include "server/commands.hpp"

namespace facteur::cli {

namespace {

std::string why(const Failure& failure) {
  return failure.cause.empty() ? failure.text : failure.text + " (" + failure.cause + ")";
}

// Talks with the store of a stopped server: answers when asked to receive.
class StoreLine : public Line {
 public:
  explicit StoreLine(server::Commands& commands) : commands_(commands) {}

  Result<void> send(server::ControlMessage message) override {
    waiting_.push_back(std::move(message));
    return {};
  }
  Task<void> finished() { co_await conversation_.tasks.finished(); }

  Task<Result<server::ControlMessage>> receive() override {
    auto request = std::move(waiting_.front());
    waiting_.pop_front();
    co_return co_await commands_.answer(std::move(request), conversation_);
  }

 private:
  server::Commands& commands_;
  server::Conversation conversation_;
  std::deque<server::ControlMessage> waiting_;
};

class SocketLine : public Line {
 public:
  explicit SocketLine(ControlSocket socket) : socket_(std::move(socket)) {}
  Result<void> send(server::ControlMessage message) override { return socket_.send(message); }
  Task<Result<server::ControlMessage>> receive() override { co_return socket_.receive(); }

 private:
  ControlSocket socket_;
};

Task<void> ask_once(Line& line, const std::string& request, std::string& reply) {
  server::ControlMessage message{request, {}};
  static_cast<void>(line.send(std::move(message)));
  auto answer = co_await line.receive();
  if (answer) reply = std::move(answer->json);
}

Task<void> settle_and_talk(host::World& world, store::EmbeddedEngine& engine, const config::Config& config,
                           const Talk& talk, Result<void>& settled) {
  settled = co_await settle_restored(world, *world.disk, engine);
  if (settled) {
    co_await talk_with(world, engine, config, talk);
  } else {
    co_await engine.close();
  }
}

Result<void> talk_to_store(const config::Config& config, const Talk& talk) {
  SiteOptions options;
  options.log.least = observe::Level::warning;
  options.shards = 1;
  // What root makes there must belong to the server's user.
  if (auto other = roles::become_owner(config.server.data); !other) return failed(other);
  auto world = open_world(config, std::move(options));
  if (!world) return failed(world);
  auto engine = open_store(**world, *(*world)->disk, config, observe::Scope((*world)->log));
  if (!engine) return failed(engine);
  Result<void> settled;
  run_to_end(**world, settle_and_talk(**world, **engine, config, talk, settled));
  engine->reset();
  return settled;
}

}  // namespace

std::optional<Result<std::unique_ptr<Line>>> open_line(const std::string& path) {
  auto socket = ControlSocket::open(path);
  if (!socket) return std::nullopt;
  if (!*socket) return failed(*socket);
  return std::make_unique<SocketLine>(std::move(**socket));
}

// The parts that commands need, without listeners.
Task<void> talk_with(host::World& world, store::EmbeddedEngine& engine, const config::Config& config,
                     const Talk& talk) {
  {
    const observe::Scope scope(world.log);
    directory::StoreDirectory directory(engine, world.shards, world.random, server::directory_settings(config));
    const auto mailboxes =
        mailbox::make_mailboxes(engine, world.shards, world.clock, world.random, scope, message::make_structure);
    const auto queue = queue::make_queue(engine, world.shards, world.clock, world.random, scope);
    auto hold_log = [&engine] { return engine.hold_log(); };
    server::Commands commands(
        {directory, directory, *mailboxes, *queue, engine, world.clock, scope, {}, {}, {}, hold_log});
    StoreLine line(commands);
    co_await talk(line);
    co_await line.finished();
    co_await mailboxes->finished();
    // We may have been resumed from inside a task of one of these parts: let it end before they go.
    co_await world.clock.sleep_until(world.clock.now() + 1ms);
  }
  co_await engine.close();
}

std::optional<Result<std::string>> ask_socket(const std::string& path, const std::string& request) {
  auto socket = ControlSocket::open(path);
  if (!socket) return std::nullopt;
  if (!*socket) return failed(*socket);
  const server::ControlMessage message{request, {}};
  auto sent = (*socket)->send(message);
  if (!sent) return failed(sent);
  auto reply = (*socket)->receive();
  if (!reply) return failed(reply);
  return std::move(reply->json);
}

Result<std::string> ask_store(const config::Config& config, const std::string& request) {
  std::string reply;
  auto done = talk_to_store(config, [&](Line& line) { return ask_once(line, request, reply); });
  if (!done) return failed(done);
  return reply;
}

int talk(const Context& context, const Talk& work) {
  const auto loaded = config::load(context.config_path);
  if (!loaded.good()) {
    complain(config::to_string(loaded.problems));
    return ExitCode::wrong_configuration;
  }
  Result<void> done;
  auto socket = ControlSocket::open(loaded.config.control_socket());
  if (socket && *socket) {
    SocketLine line(std::move(**socket));
    TaskGroup tasks;  // Nothing waits on this line but in the system: the task ends before start() returns.
    tasks.start(work(line));
  } else {
    done = socket ? Result<void>(failed(*socket)) : talk_to_store(loaded.config, work);
  }
  if (done) return ExitCode::done;
  const bool busy = done.error().code == folder_is_busy;
  complain(busy ? context.say("error.busy", {loaded.config.server.data}) : why(done.error()));
  return busy ? ExitCode::busy : ExitCode::failed;
}

Result<server::ControlMessage> checked(Result<server::ControlMessage> reply, boost::json::value& result) {
  if (!reply) return reply;
  boost::system::error_code wrong;
  boost::json::value parsed = boost::json::parse(reply->json, wrong);
  const auto* object = parsed.if_object();
  const auto* good = object ? object->if_contains("ok") : nullptr;
  if (wrong || good == nullptr || !good->is_bool()) {
    return failure(Failure::Kind::permanent, "F-6207", "The server's answer makes no sense");
  }
  if (!good->get_bool()) {
    const auto* error = object->if_contains("error");
    return failure(Failure::Kind::permanent, "F-6208",
                   error && error->is_string() ? std::string(error->get_string()) : std::string("refused"));
  }
  if (const auto* found = object->if_contains("result")) result = *found;
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
