#include "server/backups.hpp"

#include <fmt/format.h>

#include "store/embedded_engine.hpp"

namespace facteur::server {
namespace {

Result<json::value> begin(const CommandDoors& doors, Conversation& conversation) {
  if (!doors.hold_log) return failure(Failure::Kind::permanent, "F-6140", "This store cannot be backed up so");
  // The time first: what is acknowledged before it is in what is held after it.
  const UtcTime now = doors.clock.utc();
  conversation.held = doors.hold_log();
  json::array segments;
  for (const auto& part : conversation.held->parts()) {
    segments.push_back(
        json::object{{"number", part.segment}, {"nonce", fmt::format("{:016x}", part.nonce)}, {"length", part.length}});
  }
  doors.scope.event("backup_began").field("segments", segments.size());
  return json::object{
      {"instance", conversation.held->instance()}, {"taken", now.milliseconds}, {"segments", std::move(segments)}};
}

}  // namespace

bool is_backup(std::string_view command) { return command.starts_with("backup."); }

Result<json::value> back_up(const CommandDoors& doors, Conversation& conversation, std::string_view command) {
  if (command == "backup.begin") return begin(doors, conversation);
  if (!conversation.held) return failure(Failure::Kind::permanent, "F-6141", "No backup is going on here");
  if (command == "backup.still") return json::object{};
  if (command == "backup.end") {
    conversation.held.reset();
    doors.scope.event("backup_ended");
    return json::object{};
  }
  return failure(Failure::Kind::permanent, "F-6142", "There is no command \"" + std::string(command) + "\"");
}

}  // namespace facteur::server
