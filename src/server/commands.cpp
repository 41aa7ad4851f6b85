#include "server/commands.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <optional>

#include "base/ascii.hpp"
#include "observe/timestamp.hpp"
#include "server/asked.hpp"
#include "server/transfers.hpp"

namespace facteur::server {

namespace {

namespace json = boost::json;
using Answer = Result<json::value>;

json::array array_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}

Answer done(Result<void> result) {
  if (!result) return failed(result);
  return json::object{};
}

// Octets of others, one line of printable text for each of theirs.
std::string printable_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out += ascii::escaped(line) + "\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::string_view name_of(queue::Recipient::Status status) {
  using Status = queue::Recipient::Status;
  switch (status) {
    case Status::waiting:
      return "waiting";
    case Status::delivered:
      return "delivered";
    case Status::failed:
      return "failed";
    case Status::relayed:
      return "relayed";
    case Status::expanded:
      return "expanded";
  }
  return "unknown";
}

json::object told(const queue::Entry& entry) {
  json::array recipients;
  for (const auto& r : entry.recipients) {
    recipients.push_back(json::object{{"address", r.address},
                                      {"status", name_of(r.status)},
                                      {"attempts", r.attempts},
                                      {"next_try", observe::to_iso8601(r.next_try)},
                                      {"last_reply", ascii::escaped(r.last_reply)},
                                      {"last_host", ascii::escaped(r.last_host)}});
  }
  return {{"id", queue::to_string(entry.id)},
          {"sender", entry.sender},
          {"recipients", std::move(recipients)},
          {"size", entry.content_size + entry.prefix.size()},
          {"arrived", observe::to_iso8601(entry.arrived)},
          {"expires", observe::to_iso8601(entry.expires)},
          {"held", entry.held},
          {"trace", entry.trace}};
}

Result<queue::QueueId> queue_id(const Asked& asked) {
  const auto id = queue::parse_queue_id(asked.text("id"));
  if (id) return *id;
  return failure(Failure::Kind::permanent, "F-6100", "\"" + asked.text("id") + "\" is not a queue id");
}

Result<queue::Entry> find_entry(const queue::Queue& queue, const Asked& asked) {
  auto id = queue_id(asked);
  if (!id) return failed(id);
  auto entry = queue.find(*id);
  if (!entry) return failed(entry);
  if (!*entry)
    return failure(Failure::Kind::permanent, "F-6101", "There is no message " + asked.text("id") + " in the queue");
  return std::move(**entry);
}

// ---- one function per command

Task<Answer> list_domains(const CommandDoors& doors, const Asked&) {
  auto domains = doors.admin.list_domains();
  if (!domains) co_return failed(domains);
  json::array out;
  for (const auto& d : *domains) {
    out.push_back(json::object{{"name", d.name}, {"configured", d.configured}, {"catch_all", d.catch_all}});
  }
  co_return out;
}

Task<Answer> add_domain(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.add_domain(asked.text("name")));
}
Task<Answer> remove_domain(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.remove_domain(asked.text("name")));
}
Task<Answer> set_catch_all(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_catch_all(asked.text("name"), asked.text("address")));
}

Task<Answer> list_accounts(const CommandDoors& doors, const Asked& asked) {
  auto accounts = doors.directory.accounts(asked.text("domain"));
  if (!accounts) co_return failed(accounts);
  json::array out;
  for (const auto& a : *accounts) {
    auto usage = doors.mailboxes.usage(a.id);
    json::object account{{"id", a.id.value},       {"address", a.address}, {"name", a.display_name},
                         {"quota", a.quota_bytes}, {"enabled", a.enabled}, {"addresses", array_of(a.addresses)}};
    if (usage) {
      account["bytes"] = usage->bytes;
      account["messages"] = usage->messages;
    }
    out.push_back(std::move(account));
  }
  co_return out;
}

Task<Answer> add_account(const CommandDoors& doors, const Asked& asked) {
  directory::NewAccount account{
      asked.text("address"),       {asked.text("password")},
      asked.text("name"),          asked.number("quota"),
      asked.flag("shared_secret"), [&doors](directory::AccountId id) { return doors.mailboxes.create_account(id); }};
  auto id = co_await doors.admin.add_account(std::move(account));
  if (!id) co_return failed(id);
  co_return json::object{{"id", id->value}, {"address", asked.text("address")}};
}

Task<Answer> remove_account(const CommandDoors& doors, const Asked& asked) {
  auto id = co_await doors.admin.remove_account(asked.text("address"));
  if (!id) co_return failed(id);
  co_return done(co_await doors.mailboxes.remove_account(*id));
}

Task<Answer> rename_account(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.rename_account(asked.text("address"), asked.text("to"), asked.flag("keep_old")));
}
Task<Answer> set_password(const CommandDoors& doors, const Asked& asked) {
  observe::Secret password{asked.text("password")};
  if (password.value.empty()) co_return failure(Failure::Kind::permanent, "F-6102", "The password is empty");
  co_return done(
      co_await doors.admin.set_password(asked.text("address"), std::move(password), asked.flag("shared_secret")));
}
Task<Answer> set_quota(const CommandDoors& doors, const Asked& asked) {
  const auto bytes = asked.number("quota");
  if (!bytes) co_return failure(Failure::Kind::permanent, "F-6103", "The quota is not a number of octets");
  co_return done(co_await doors.admin.set_quota(asked.text("address"), *bytes));
}
Task<Answer> set_enabled(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_enabled(asked.text("address"), asked.flag("enabled")));
}
Task<Answer> set_name(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_display_name(asked.text("address"), asked.text("name")));
}
Task<Answer> add_address(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.add_address(asked.text("account"), asked.text("address")));
}
Task<Answer> remove_address(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.remove_address(asked.text("account"), asked.text("address")));
}

Task<Answer> list_aliases(const CommandDoors& doors, const Asked& asked) {
  auto aliases = doors.admin.list_aliases(asked.text("domain"));
  if (!aliases) co_return failed(aliases);
  json::array out;
  for (const auto& a : *aliases) out.push_back(json::object{{"address", a.address}, {"targets", array_of(a.targets)}});
  co_return out;
}
Task<Answer> set_alias(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.set_alias(asked.text("address"), asked.texts("targets")));
}
Task<Answer> remove_alias(const CommandDoors& doors, const Asked& asked) {
  co_return done(co_await doors.admin.remove_alias(asked.text("address")));
}

Task<Answer> list_queue(const CommandDoors& doors, const Asked&) {
  auto entries = doors.queue.list();
  if (!entries) co_return failed(entries);
  json::array out;
  for (const auto& entry : *entries) out.push_back(told(entry));
  co_return out;
}

Task<Answer> show_queue(const CommandDoors& doors, const Asked& asked) {
  auto entry = find_entry(doors.queue, asked);
  if (!entry) co_return failed(entry);
  json::object out = told(*entry);
  auto content = doors.engine.content(entry->content);
  if (content && *content) {
    std::string head = entry->prefix + (*content)->slice(0, 16 * 1024);
    head.resize(std::min(head.size(), head.find("\r\n\r\n")));
    out["header"] = printable_lines(head);
  }
  co_return out;
}

Task<Answer> retry_queue(const CommandDoors& doors, const Asked& asked) {
  if (asked.text("id").empty()) co_return done(co_await doors.queue.retry(std::nullopt));
  auto entry = find_entry(doors.queue, asked);
  if (!entry) co_return failed(entry);
  co_return done(co_await doors.queue.retry(entry->id));
}
Task<Answer> hold_queue(const CommandDoors& doors, const Asked& asked) {
  auto entry = find_entry(doors.queue, asked);
  if (!entry) co_return failed(entry);
  co_return done(co_await doors.queue.hold(entry->id, asked.flag("on")));
}
Task<Answer> delete_queue(const CommandDoors& doors, const Asked& asked) {
  auto entry = find_entry(doors.queue, asked);
  if (!entry) co_return failed(entry);
  co_return done(co_await doors.queue.remove(entry->id));
}

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
  out["store"] = health == Health::good ? "good" : health == Health::low_space ? "low_space" : "read_only";
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

using Command = Task<Answer> (*)(const CommandDoors&, const Asked&);
const std::map<std::string_view, Command> commands{
    {"domain.list", list_domains},
    {"domain.add", add_domain},
    {"domain.remove", remove_domain},
    {"domain.catch_all", set_catch_all},
    {"account.list", list_accounts},
    {"account.add", add_account},
    {"account.remove", remove_account},
    {"account.rename", rename_account},
    {"account.passwd", set_password},
    {"account.quota", set_quota},
    {"account.enable", set_enabled},
    {"account.name", set_name},
    {"account.add_address", add_address},
    {"account.remove_address", remove_address},
    {"alias.list", list_aliases},
    {"alias.set", set_alias},
    {"alias.remove", remove_alias},
    {"queue.list", list_queue},
    {"queue.show", show_queue},
    {"queue.retry", retry_queue},
    {"queue.hold", hold_queue},
    {"queue.delete", delete_queue},
    {"status", status},
    {"reload", reload},
};

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
