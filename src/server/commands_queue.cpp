// queue: mail that waits.
#include <algorithm>

#include "base/ascii.hpp"
#include "observe/timestamp.hpp"
#include "server/command_family.hpp"

namespace facteur::server {

namespace {

namespace json = boost::json;

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

}  // namespace

void add_queue_commands(CommandTable& table) {
  table.insert({
      {"queue.list", list_queue},
      {"queue.show", show_queue},
      {"queue.retry", retry_queue},
      {"queue.hold", hold_queue},
      {"queue.delete", delete_queue},
  });
}

}  // namespace facteur::server
