#include "server/commands.hpp"

#include "server/backups.hpp"
#include "server/command_family.hpp"
#include "server/fsck.hpp"
#include "server/transfers.hpp"

namespace facteur::server {

namespace {

namespace json = boost::json;

CommandTable all_commands() {
  CommandTable table;
  add_directory_commands(table);
  add_queue_commands(table);
  add_undelete_commands(table);
  add_guesses_commands(table);
  add_server_commands(table);
  return table;
}

std::string refused(std::string_view code, std::string_view text) {
  return json::serialize(json::object{{"ok", false}, {"code", code}, {"error", text}});
}
std::string accepted(json::value result) {
  return json::serialize(json::object{{"ok", true}, {"result", std::move(result)}});
}

}  // namespace

Task<ControlMessage> Commands::answer(ControlMessage request, Conversation& conversation) {
  boost::system::error_code wrong;
  const json::value parsed = json::parse(request.json, wrong);
  if (wrong || !parsed.is_object()) co_return ControlMessage{refused("F-6106", "The request is not a JSON object"), {}};
  const Asked asked(parsed.get_object());
  const std::string name = asked.text("command");
  if (is_transfer(name)) {
    auto moved = co_await transfer(doors_, conversation, asked, std::move(request.octets));
    if (!moved) co_return ControlMessage{refused(moved.error().code, moved.error().text), {}};
    co_return ControlMessage{accepted(std::move(moved->result)), std::move(moved->octets)};
  }
  if (is_fsck(name)) {
    auto answered = co_await fsck(doors_, conversation, asked);
    if (!answered) co_return ControlMessage{refused(answered.error().code, answered.error().text), {}};
    co_return ControlMessage{accepted(std::move(*answered)), {}};
  }
  if (is_backup(name)) {
    auto answered = back_up(doors_, conversation, name);
    if (!answered) co_return ControlMessage{refused(answered.error().code, answered.error().text), {}};
    co_return ControlMessage{accepted(std::move(*answered)), {}};
  }
  static const CommandTable commands = all_commands();
  const auto command = commands.find(name);
  if (command == commands.end())
    co_return ControlMessage{refused("F-6107", "There is no command \"" + name + "\""), {}};
  auto result = co_await command->second(doors_, asked);
  std::string object;
  for (const auto* member : {"address", "id", "name"}) object = object.empty() ? asked.text(member) : object;
  doors_.scope.event("command_finished")
      .field("command", name)
      .field("object", object)
      .field("result", result ? "done" : "failed");
  if (!result) co_return ControlMessage{refused(result.error().code, result.error().text), {}};
  co_return ControlMessage{accepted(std::move(*result)), {}};
}

Task<std::string> Commands::answer(std::string request) {
  Conversation conversation;
  ControlMessage message{std::move(request), {}};
  auto reply = co_await answer(std::move(message), conversation);
  co_return std::move(reply.json);
}

}  // namespace facteur::server
