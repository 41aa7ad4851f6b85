// undelete: what was expunged or removed, and how it comes back.
#include <algorithm>

#include "base/ascii.hpp"
#include "directory/address.hpp"
#include "message/structure.hpp"
#include "observe/timestamp.hpp"
#include "server/command_family.hpp"

namespace facteur::server {

Result<std::optional<directory::RemovedAccount>> find_removed(const CommandDoors& doors, std::string_view address) {
  using Found = std::optional<directory::RemovedAccount>;
  auto removed = doors.admin.list_removed();  // The newest first.
  if (!removed) return failed(removed);
  const auto split = directory::split_address(address);
  const std::string wanted = split ? split->text() : std::string();
  for (auto& old : *removed) {
    if (std::ranges::find(old.account.addresses, wanted) != old.account.addresses.end()) return Found(std::move(old));
  }
  return Found();
}

Task<Result<directory::Account>> bring_back(const CommandDoors& doors, mailbox::AccountId account) {
  auto back = co_await doors.admin.restore_account(account);
  if (!back) co_return back;
  auto opened = co_await doors.mailboxes.set_closed(account, false);
  if (!opened) co_return failed(opened);
  co_return back;
}

namespace {

namespace json = boost::json;
using Deleted = mailbox::Mailboxes::Deleted;
constexpr std::size_t most_shown = 10'000;

Result<mailbox::AccountId> account_of(const CommandDoors& doors, const Asked& asked) {
  auto account = doors.directory.account_of_login(asked.text("address"));
  if (!account) return failed(account);
  if (*account) return (*account)->id;
  return failure(Failure::Kind::permanent, "F-6109", "There is no account " + asked.text("address"));
}

bool in_folder(const Deleted& message, const std::string& folder) {
  return folder.empty() || message.path == folder || message.path.starts_with(folder + "/");
}

bool contains(std::string_view text, const std::string& lower) {
  return lower.empty() || ascii::lower(text).find(lower) != std::string::npos;
}

struct Subject {
  std::string from, subject;
};
Task<Subject> subject_of(const CommandDoors& doors, mailbox::AccountId account, const Deleted& message) {
  Subject out;
  mailbox::Row row;
  row.item = message.item;
  const auto record = co_await doors.mailboxes.structure(account, row);
  if (!record) co_return out;
  const auto structure = message::Structure::open(*record);
  if (!structure) co_return out;
  out.from = structure->text(message::HeaderText::from);
  out.subject = structure->text(message::HeaderText::subject);
  co_return out;
}

Task<Answer> list_accounts(const CommandDoors& doors) {
  auto removed = doors.admin.list_removed();
  if (!removed) co_return failed(removed);
  json::array out;
  for (const auto& old : *removed) {
    json::object account{{"id", old.account.id.value},
                         {"address", old.account.address},
                         {"name", old.account.display_name},
                         {"removed", observe::to_iso8601(old.at)}};
    if (const auto usage = doors.mailboxes.usage(old.account.id)) {
      account["messages"] = usage->messages;
      account["bytes"] = usage->bytes;
    }
    out.push_back(std::move(account));
  }
  co_return json::object{{"accounts", std::move(out)}};
}

// Without an address: accounts. With one: its messages, of one folder and those below it if that is given, and with a
// text in sender or subject.
Task<Answer> list(const CommandDoors& doors, const Asked& asked) {
  if (asked.text("address").empty()) co_return co_await list_accounts(doors);
  auto id = account_of(doors, asked);
  if (!id) co_return failed(id);
  auto found = co_await doors.mailboxes.deleted(*id);
  if (!found) co_return failed(found);
  const std::string match = ascii::lower(asked.text("match"));
  json::array out;
  std::size_t count = 0;
  for (const auto& message : *found) {
    if (!in_folder(message, asked.text("folder"))) continue;
    const Subject shown = co_await subject_of(doors, *id, message);
    if (!contains(shown.subject, match) && !contains(shown.from, match)) continue;
    if (++count > most_shown) continue;
    out.push_back(json::object{{"id", message.id.value},
                               {"folder", message.path},
                               {"uid", message.uid.value},
                               {"deleted", observe::to_iso8601(message.at)},
                               {"received", observe::to_iso8601(message.received)},
                               {"size", message.size},
                               {"from", shown.from},
                               {"subject", shown.subject}});
  }
  co_return json::object{{"messages", std::move(out)}, {"count", count}};
}

// The messages that a request means: by id, by folder, or all.
Result<std::vector<mailbox::Uid>> chosen(const std::vector<Deleted>& found, const Asked& asked) {
  const auto wanted = asked.texts("ids");
  const std::string folder = asked.text("folder");
  if (wanted.empty() && folder.empty() && !asked.flag("all")) {
    return failure(Failure::Kind::permanent, "F-6120", "Say which messages: by their ids, of a folder, or all");
  }
  std::vector<mailbox::Uid> out;
  for (const auto& message : found) {
    const bool named = std::ranges::find(wanted, std::to_string(message.id.value)) != wanted.end();
    if (named || (wanted.empty() && in_folder(message, folder))) out.push_back(message.id);
  }
  if (!wanted.empty() && out.size() != wanted.size()) {
    return failure(Failure::Kind::permanent, "F-6121", "Some of these ids are not among the deleted messages");
  }
  return out;
}

Task<Answer> restore(const CommandDoors& doors, const Asked& asked) {
  auto account = doors.directory.account_of_login(asked.text("address"));
  if (!account) co_return failed(account);
  if (!*account) {
    auto removed = find_removed(doors, asked.text("address"));
    if (!removed) co_return failed(removed);
    if (!*removed) {
      co_return failure(Failure::Kind::permanent, "F-6122",
                        "There is no account " + asked.text("address") + ", and none was removed");
    }
    auto back = co_await bring_back(doors, (*removed)->account.id);
    if (!back) co_return failed(back);
    co_return json::object{{"account", back->address}};
  }
  auto found = co_await doors.mailboxes.deleted((*account)->id);
  if (!found) co_return failed(found);
  auto ids = chosen(*found, asked);
  if (!ids) co_return failed(ids);
  auto placed = co_await doors.mailboxes.undelete((*account)->id, std::move(*ids));
  if (!placed) co_return failed(placed);
  co_return json::object{{"messages", placed->size()}};
}

}  // namespace

void add_undelete_commands(CommandTable& table) {
  table.insert({{"undelete.list", list}, {"undelete.restore", restore}});
}

}  // namespace facteur::server
