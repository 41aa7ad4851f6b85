// status, reload: the server itself.
#include "server/command_family.hpp"

namespace facteur::server {

namespace {

namespace json = boost::json;

Task<Answer> status(const CommandDoors& doors, const Asked&) {
  json::object out{{"running", static_cast<bool>(doors.reload)}};
  auto accounts = doors.directory.accounts();
  if (!accounts) co_return failed(accounts);
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  for (const auto& account : *accounts) {
    if (const auto usage = doors.mailboxes.usage(account.id)) {
      messages += usage->messages;
      bytes += usage->bytes;
    }
  }
  auto entries = doors.queue.list();
  if (!entries) co_return failed(entries);
  using Health = store::Engine::Health;
  const Health health = doors.engine.health();
  out["store"] = health == Health::good           ? "good"
                 : health == Health::low_space    ? "low_space"
                 : health == Health::index_behind ? "index_behind"
                                                  : "read_only";
  out["domains"] = doors.directory.domains().size();
  out["accounts"] = accounts->size();
  out["messages"] = messages;
  out["bytes"] = bytes;
  out["queued"] = entries->size();
  out["quarantined"] = doors.engine.quarantined().size() + doors.queue.quarantined().size();
  if (doors.status) {
    const json::value more = json::parse("{" + doors.status() + "}");
    for (const auto& member : more.as_object()) out[member.key()] = member.value();
  }
  co_return out;
}

Task<Answer> reload(const CommandDoors& doors, const Asked&) {
  if (!doors.reload) co_return failure(Failure::Kind::permanent, "F-6104", "No server is running");
  const std::string problems = co_await doors.reload();
  if (problems.empty()) co_return json::object{};
  co_return failure(Failure::Kind::permanent, "F-6105", problems);
}

}  // namespace

void add_server_commands(CommandTable& table) {
  table.insert({
      {"status", status},
      {"reload", reload},
  });
}

}  // namespace facteur::server
